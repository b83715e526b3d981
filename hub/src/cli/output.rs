//! What reaches the terminal: format, colour, width; whole tables. Text goes to stdout, progress
//! and remarks to stderr.

use std::io::{self, IsTerminal as _, Write as _};

use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::exit::{CliError, Exit};

/// How answers are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// The API's own answer.
    Json,
    /// The same as YAML.
    Yaml,
}

/// How text may look on this terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Columns.
    pub width: usize,
    /// Whether colours may be used.
    pub colour: bool,
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
    /// For a file, a pipe or a test.
    pub fn plain(width: usize) -> Self {
        Self {
            width,
            colour: false,
        }
    }

    /// For what stdout is; `NO_COLOR`, `TERM=dumb` and `--no-color` turn colours off.
    pub fn of_stdout(no_colour: bool) -> Self {
        Self::of(io::stdout().is_terminal(), no_colour)
    }

    /// The same for stderr.
    pub fn of_stderr(no_colour: bool) -> Self {
        Self::of(io::stderr().is_terminal(), no_colour)
    }

    fn of(terminal: bool, no_colour: bool) -> Self {
        let unwanted = no_colour
            || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var("TERM").is_ok_and(|term| term == "dumb");
        Self {
            width: if terminal { columns() } else { 160 },
            colour: terminal && !unwanted,
        }
    }

    /// How many rows of the terminal a text takes, colours not counted: what a picture that is drawn
    /// over has to go up by.
    pub fn rows(self, text: &str) -> usize {
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
}

fn columns() -> usize {
    let asked = rustix::termios::tcgetwinsize(io::stdout())
        .map(|size| usize::from(size.ws_col))
        .unwrap_or(0);
    if asked == 0 { 80 } else { asked.max(20) }
}

/// A table without lines, as `kubectl get` prints it; cells wrap only where the width forces it.
pub fn table(look: Look, head: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(look.width).unwrap_or(u16::MAX))
        .set_header(head.iter().copied())
        .add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Text cut to `width` columns, with `…` where something is missing.
pub fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Prints an answer in the wanted format; `text` makes the form for people.
pub fn show<T: Serialize>(
    format: Format,
    value: &T,
    text: impl FnOnce() -> String,
) -> Result<(), CliError> {
    match format {
        Format::Table => print(&text()),
        Format::Json => {
            let json = serde_json::to_string_pretty(value)
                .map_err(|error| CliError::new(Exit::Error, format!("cannot encode: {error}")))?;
            print(&format!("{json}\n"))
        }
        Format::Yaml => {
            let yaml = serde_saphyr::to_string(value)
                .map_err(|error| CliError::new(Exit::Error, format!("cannot encode: {error}")))?;
            print(&yaml)
        }
    }
}

/// Writes to stdout. A reader that went away (`| head`) ends the command without a word.
pub fn print(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            std::process::exit(i32::from(Exit::Done.code()))
        }
        Err(error) => Err(CliError::new(
            Exit::Error,
            format!("cannot write to stdout: {error}"),
        )),
    }
}

/// Writes a remark to stderr; where stderr is closed there is nobody to tell.
pub fn remark(text: &str) {
    writeln!(io::stderr().lock(), "{text}").ok();
}
