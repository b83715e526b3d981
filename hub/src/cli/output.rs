//! What reaches the terminal. Text goes to stdout, progress and remarks to stderr.

mod format;
mod live;
mod look;
mod page;
mod table;

use std::io::{self, Write as _};

use serde::Serialize;

pub use format::{Format, Pick};
pub use live::Live;
pub use look::{Look, Tone};
pub use page::{page, printed, set, with_whole_commands};
pub use table::table;

use super::exit::{CliError, Exit};

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
    let people = || match format {
        Format::Wide => text(),
        Format::Table | Format::Json | Format::Yaml | Format::Path(_) => {
            Look::of_stdout(true).wrap(&text())
        }
    };
    print(&format.encode(value, people)?)
}

/// Prints a text for people: on a terminal in lines that fit it.
pub fn tell(text: &str) -> Result<(), CliError> {
    print(&Look::of_stdout(true).wrap(text))
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

/// Writes a remark to stderr, on a terminal in lines that fit it.
pub fn remark(text: &str) {
    document(&Look::of_stderr(true).wrap(text));
}

/// Writes to stderr what is read by programs, as it is; where stderr is closed there is nobody to tell.
pub fn document(text: &str) {
    writeln!(io::stderr().lock(), "{text}").ok();
}
