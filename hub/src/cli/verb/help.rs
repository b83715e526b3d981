//! `flagship help`: a topic, or a verb's own help.

use clap::{Args, Command};

use crate::cli::{
    exit::{CliError, Exit},
    output::tell,
    topics::{TOPICS, topic},
};

/// Examples for the help.
pub const EXAMPLES: &str = "\
Examples:
  flagship help stop
  flagship help abort";

/// What can be typed after `help`.
#[derive(Debug, Args)]
pub struct Help {
    /// A topic (stop, plan, gates, exit-codes, limits), or a verb and its own verbs
    words: Vec<String>,
}

impl Help {
    /// Prints it.
    pub fn run(self, command: Command) -> Result<Exit, CliError> {
        tell(&self.text(command)?)?;
        Ok(Exit::Done)
    }

    fn text(&self, mut command: Command) -> Result<String, CliError> {
        if let [word] = self.words.as_slice()
            && let Some(found) = topic(word)
        {
            return Ok(found.text.to_owned());
        }
        command.build();
        let mut found = &mut command;
        for word in &self.words {
            found = found.find_subcommand_mut(word).ok_or_else(|| {
                let topics: Vec<&str> = TOPICS.iter().map(|topic| topic.name).collect();
                CliError::bad(format!("there is no help on {word:?}")).remedy(format!(
                    "topics are {}; `flagship --help` lists the verbs",
                    topics.join(", ")
                ))
            })?;
        }
        Ok(found.render_long_help().to_string())
    }
}
