//! A secret that is typed on a terminal: the terminal does not show it.

use std::io::{self, BufRead as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::output::remark;

/// Asks, and takes one line. An interrupt in the middle of it leaves the terminal to the shell, which
/// sets it right again.
pub(super) fn secret(question: &str) -> io::Result<String> {
    let _shown_again_after = Hidden::begin()?;
    remark(question);
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line)
}

/// The terminal as it was before it hid what is typed.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hiding = before.clone();
        hiding.local_modes.remove(LocalModes::ECHO);
        // But the end of the line is shown: what comes next begins on a line of its own.
        hiding.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(io::stdin(), OptionalActions::Now, &hiding)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _gone = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
