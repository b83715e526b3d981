//! How text may look on a terminal: its columns and rows, colours with a meaning.

use std::{
    io::{self, IsTerminal},
    os::fd::AsFd,
};

use flagship_proto::process::terminal;

use super::cut;

/// How text may look on this terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Columns.
    pub width: usize,
    /// Rows that a picture which is drawn over may take.
    pub height: usize,
    /// Whether colours may be used.
    pub colour: bool,
    /// Whether everything is wanted: more columns, nothing cut.
    pub wide: bool,
}

/// A colour with a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Under way.
    Busy,
    /// Needs a look.
    Warn,
    /// Wrong.
    Bad,
    /// Of less importance.
    Dim,
    /// What to read first.
    Strong,
}

impl Look {
    /// Columns where nobody counts them: what goes into a file or a pipe is never wrapped.
    pub const ENDLESS: usize = 10_000;

    /// For a file, a pipe or a test.
    pub const fn plain(width: usize) -> Self {
        Self {
            width,
            height: usize::MAX,
            colour: false,
            wide: false,
        }
    }

    /// For what stdout is; `NO_COLOR`, `TERM=dumb` and `--no-color` turn colours off.
    pub fn of_stdout(no_colour: bool) -> Self {
        Self::of(io::stdout(), no_colour)
    }

    /// The same for stderr.
    pub fn of_stderr(no_colour: bool) -> Self {
        Self::of(io::stderr(), no_colour)
    }

    /// Whether a picture may be drawn over: on a terminal that can, whose columns are counted.
    pub fn is_live(self) -> bool {
        !self.wide && io::stdout().is_terminal() && !is_dumb()
    }

    fn of(stream: impl AsFd + IsTerminal, no_colour: bool) -> Self {
        let unwanted = no_colour
            || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || is_dumb();
        let size = terminal::size(stream);
        let (width, height) = size.unwrap_or((Self::ENDLESS, usize::MAX));
        Self {
            width,
            height,
            colour: size.is_some() && !unwanted,
            wide: false,
        }
    }

    /// With nothing cut, in as many columns.
    pub const fn whole(self) -> Self {
        Self { wide: true, ..self }
    }

    /// Whether nothing may be cut: everything is wanted, or it goes into a file or a pipe.
    pub const fn is_whole(self) -> bool {
        self.wide || self.width >= Self::ENDLESS
    }

    /// With everything that there is to see.
    pub fn everything(self) -> Self {
        Self {
            width: Self::ENDLESS,
            wide: true,
            ..self
        }
    }

    /// How many rows of the terminal a text takes once it is wrapped, colours not counted: what a picture that is drawn
    /// over has to go up by.
    pub fn rows(self, text: &str) -> usize {
        let text = self.wrap(text);
        let rows = text.lines().map(|line| {
            let mut columns = 0_usize;
            let mut in_colour = false;
            for c in line.chars() {
                match c {
                    '\x1b' => in_colour = true,
                    'm' if in_colour => in_colour = false,
                    _ if in_colour => {}
                    _ => columns += 1,
                }
            }
            columns.div_ceil(self.width.max(1)).max(1)
        });
        rows.sum()
    }

    /// Text in lines that fit: broken between words, never inside a command to copy.
    pub fn wrap(self, text: &str) -> String {
        if self.width < Self::ENDLESS {
            terminal::wrap(text, self.width)
        } else {
            text.to_owned()
        }
    }

    /// The same in so many rows at most, with `…` where something is missing.
    pub fn sentence(self, text: &str, rows: usize) -> String {
        let wrapped = self.wrap(&cut(text, self.width.saturating_mul(rows)));
        let mut lines: Vec<&str> = wrapped.lines().collect();
        if lines.len() <= rows {
            return wrapped;
        }
        lines.truncate(rows);
        let room = self.width.saturating_sub(2);
        let last = lines.pop().map(|last| format!("{} …", cut(last, room)));
        lines.extend(last.as_deref());
        lines.join("\n")
    }

    /// Text in a tone.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Busy => "36",
            Tone::Warn => "33",
            Tone::Bad => "1;31",
            Tone::Dim => "2",
            Tone::Strong => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// Text cut to `width` columns, unless nothing may be cut.
    pub fn cut(self, text: &str, width: usize) -> String {
        if self.is_whole() {
            text.to_owned()
        } else {
            cut(text, width)
        }
    }
}

fn is_dumb() -> bool {
    std::env::var("TERM").is_ok_and(|term| term == "dumb")
}
