//! `flagship man`: manual pages, made from the same text as the help.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Args, Command};
use clap_mangen::Man as Page;

use crate::cli::{
    exit::{CliError, Exit},
    output::tell,
    topics::{TOPICS, Topic},
};

/// Examples for the help.
pub const EXAMPLES: &str = "\
One page a verb (flagship-abort.1) and one a topic (flagship-stop.7).

Examples:
  flagship man --dir ~/.local/share/man
  flagship man --dir /usr/local/share/man";

/// What can be typed after `man`.
#[derive(Debug, Args)]
pub struct Man {
    /// The folder that gets man1 and man7
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

impl Man {
    /// Writes all pages.
    pub fn run(self, mut command: Command) -> Result<Exit, CliError> {
        command.build();
        let mut pages = Vec::new();
        verbs(&command, "flagship", &mut pages)?;
        pages.extend(TOPICS.iter().map(topic));
        for (name, text) in &pages {
            let path = self.dir.join(name);
            write(&path, text).map_err(|error| {
                CliError::bad(format!("cannot write {}: {error}", path.display()))
            })?;
        }
        let count = pages.len();
        tell(&format!(
            "{count} manual pages are in {}\n",
            self.dir.display()
        ))?;
        Ok(Exit::Done)
    }
}

fn write(path: &Path, text: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)
}

type Written = (String, Vec<u8>);

/// A verb's page, and those of its own verbs.
fn verbs(command: &Command, name: &str, pages: &mut Vec<Written>) -> Result<(), CliError> {
    let mut text = Vec::new();
    let named = command.clone().display_name(name.to_owned());
    Page::new(named)
        .manual("Flagship")
        .render(&mut text)
        .map_err(|error| CliError::new(Exit::Error, format!("cannot write {name}: {error}")))?;
    pages.push((format!("man1/{name}.1"), text));
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        verbs(verb, &format!("{name}-{}", verb.get_name()), pages)?;
    }
    Ok(())
}

/// A topic's page: its text as it is, since it is set already.
fn topic(topic: &Topic) -> Written {
    let title = format!("flagship-{}", topic.name);
    let mut page = format!(
        ".TH {title} 7 \"\" \"flagship {}\" Flagship\n.SH NAME\n{title} \\- {}\n.SH DESCRIPTION\n.nf\n",
        env!("CARGO_PKG_VERSION"),
        roff(topic.about)
    );
    for line in topic.text.lines() {
        // A dot or a quote at the beginning of a line is a command there.
        if line.starts_with(['.', '\'']) {
            page += "\\&";
        }
        page += &roff(line);
        page.push('\n');
    }
    page += ".fi\n";
    (format!("man7/{title}.7"), page.into_bytes())
}

fn roff(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}
