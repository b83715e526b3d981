//! Commands that people are told to type: whole, so that a shell takes them as they stand. What one does,
//! and where, stands behind it as the shell's comment. It decides nothing.

use std::fmt;

use crate::model::text;

/// What stands for words that only the person knows; nothing takes it for a name or a version.
pub const OPEN: &str = "…";

/// A command, whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Command(String);

impl Command {
    /// `flagship VERB`.
    pub fn flagship(verb: &str) -> Self {
        Self(format!("flagship {verb}"))
    }

    /// `flagship-agent ctl VERB`: on the machine of one cluster, with or without a hub.
    pub fn agent(verb: &str) -> Self {
        Self(format!("flagship-agent ctl {verb}"))
    }

    /// `flagship-hub VERB`: on the hub's machine.
    pub fn hub(verb: &str) -> Self {
        Self(format!("flagship-hub {verb}"))
    }

    /// The same with one more word: a name, or an option.
    pub fn of(mut self, word: impl fmt::Display) -> Self {
        self.0.push(' ');
        self.0 += &quoted(&word.to_string());
        self
    }

    /// The same with the reason that who types it gives.
    pub fn because(self) -> Self {
        self.of("--reason").of(OPEN)
    }

    /// The command, and what it does or where it is typed, in plain words, as a comment: a shell reads
    /// no further than the command.
    pub fn that(&self, what: &str) -> String {
        // Some shells take no comments from a person: these would wait for the end of a quote.
        let plain: String = what.chars().filter(|c| !"'\"`()".contains(*c)).collect();
        format!("{self}   # {plain}")
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Command> for String {
    fn from(command: Command) -> Self {
        command.0
    }
}

/// A word as a shell reads it.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+…".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", text::revealed(word).replace('\'', r"'\''"))
}

/// Commands, each on a line of its own, below what was said.
pub fn below(said: &str, commands: &[String]) -> String {
    let lines: String = commands.iter().map(|line| format!("\n  {line}")).collect();
    format!("{said}{lines}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_whole_and_a_shell_takes_it_as_it_stands() {
        let start = Command::flagship("start").of("shop/checkout").of("--again");
        assert_eq!(
            start.because().to_string(),
            "flagship start shop/checkout --again --reason …"
        );
        let odd = Command::hub("recover").of("--data").of("/srv/my hub's; rm");
        assert_eq!(
            odd.to_string(),
            r"flagship-hub recover --data '/srv/my hub'\''s; rm'"
        );
        assert_eq!(
            Command::agent("hold").of("").to_string(),
            "flagship-agent ctl hold ''"
        );
    }

    #[test]
    fn what_is_said_of_a_command_is_no_part_of_it() {
        let said = Command::agent("retreat")
            .of("shop/Deployment/checkout")
            .because();
        assert_eq!(
            said.that("on eu-1's machine (not heard)"),
            "flagship-agent ctl retreat shop/Deployment/checkout --reason …   # on eu-1s machine not heard"
        );
        assert_eq!(
            below("either:", &["a".into(), "b".into()]),
            "either:\n  a\n  b"
        );
    }
}
