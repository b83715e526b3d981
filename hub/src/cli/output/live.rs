//! A picture that is drawn over on a terminal.

use super::{Look, print};
use crate::cli::exit::CliError;

/// What was drawn last and is drawn over next.
#[derive(Debug, Default)]
pub struct Live {
    rows: usize,
}

impl Live {
    /// Draws a picture over the one before.
    pub fn draw(&mut self, look: Look, picture: &str) -> Result<(), CliError> {
        let up = match self.rows {
            0 => String::new(),
            rows => format!("\x1b[{rows}A"),
        };
        let picture = look.wrap(picture);
        self.rows = look.rows(&picture);
        print(&format!("{up}{}\x1b[J", picture.replace('\n', "\x1b[K\n")))
    }

    /// Something else was written below it: the next picture stands below that.
    pub fn leave(&mut self) {
        self.rows = 0;
    }
}
