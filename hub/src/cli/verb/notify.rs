//! `flagship notify list | channels | test`.

use clap::{Args, Subcommand};

use crate::{
    api::types::{ChannelView, Empty, List, NoticeTest, NoticeView},
    cli::{
        client::segment,
        common::Why,
        complete,
        context::Session,
        exit::{CliError, Exit},
        output::show,
        render::lists,
    },
};

/// Examples for the help.
pub const EXAMPLES: &str = "\
The hub tells people by the channels and routes of its settings file (flagship-hub serve
--notifications FILE). An abort, and a cluster that could not stop, are never muted.

Examples:
  flagship notify channels
  flagship notify test payments-room
  flagship notify list";

/// What can be typed after `notify`.
#[derive(Debug, Args)]
pub struct Notify {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// What was told in the last days, and what waits
    List {
        /// How many at most
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: u32,
    },
    /// Where messages can go
    Channels,
    /// Send a test message to a channel, now
    Test {
        /// Its name
        #[arg(add = complete::channel())]
        channel: String,
    },
}

impl Notify {
    /// Does it.
    pub async fn run(self, session: &Session) -> Result<Exit, CliError> {
        match self.verb {
            Verb::List { limit } => {
                let path = format!("/api/v1/notices?limit={limit}");
                let list: List<NoticeView> = session.client.get(&path).await?;
                show(session.format, &list, || {
                    lists::notices(session.look, &list.items, session.now())
                })?;
            }
            Verb::Channels => {
                let list: List<ChannelView> = session.client.get("/api/v1/notify-channels").await?;
                show(session.format, &list, || {
                    lists::channels(session.look, &list.items)
                })?;
            }
            Verb::Test { channel } => {
                let path = format!("/api/v1/notify-channels/{}/test", segment(&channel));
                let why = Why::default().because();
                let test: NoticeTest = session.client.post(&path, &Empty {}, &why).await?;
                show(session.format, &test, || match &test.error {
                    None => format!("channel {channel} took the message\n"),
                    Some(_) => String::new(),
                })?;
                if let Some(error) = &test.error {
                    let words = format!("channel {channel} did not take the message: {error}");
                    return Err(CliError::new(Exit::Failed, words).remedy(
                        "look at the channel's entry and its secret in the hub's settings",
                    ));
                }
            }
        }
        Ok(Exit::Done)
    }
}
