//! `flagship help`: a topic, or a verb's own help.

use clap::{Args, Command};

use crate::cli::{
    args::shaped,
    exit::{CliError, Exit},
    output::{Look, page, printed, tell},
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
        tell(&self.text(command, Look::of_stdout(true).width)?)?;
        Ok(Exit::Done)
    }

    fn text(&self, command: Command, width: usize) -> Result<String, CliError> {
        let mut command = shaped(command, width);
        if let [word] = self.words.as_slice()
            && let Some(found) = topic(word)
        {
            return Ok(page(width, found.text));
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
        Ok(printed(&found.render_long_help().to_string()))
    }
}
