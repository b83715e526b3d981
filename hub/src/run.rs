//! The hub as a process: puts the parts together, and ends when one of them does.

pub(crate) mod admin;
mod backup;
mod folder;
mod init;
mod local;
mod people;
mod recover;
mod restore;
mod serve;
mod snapshot;
mod uses;

#[cfg(test)]
mod tests;

use std::io::Write as _;

use std::process::ExitCode;

use flagship_proto::process::{shutdown, supervisor, telemetry};

use crate::args::{Cli, Command};

pub use backup::{BackedUp, backup};
pub use folder::Folder;
pub use init::{Founded, init};
pub use recover::{Recovered, recover};
pub use restore::restore;
pub use serve::{Bound, Hub};

/// Runs what the command line says. An error is one line on standard error.
pub fn start(cli: Cli) -> ExitCode {
    let ended = telemetry::init(&cli.log).and_then(|()| {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?
            .block_on(run(cli.command))
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("flagship-hub: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Init(args) => {
            let founded = init(args).await?;
            say(format_args!("{founded}"));
            Ok(())
        }
        Command::Recover(args) => {
            let recovered = recover(args).await?;
            say(format_args!("{recovered}"));
            Ok(())
        }
        Command::Backup(args) => {
            let made = backup(args).await?;
            say(format_args!("{made}"));
            Ok(())
        }
        Command::Restore(args) => {
            let restored = restore(args).await?;
            say(format_args!("{restored}"));
            Ok(())
        }
        Command::Serve(args) => {
            let stop = shutdown::on_signals()?;
            let hub = Hub::open(args, stop.clone()).await?;
            say(format_args!("{}\n", hub.bound()));
            let accompanying = supervisor::accompany(hub.words(), stop);
            tokio::join!(hub.run(), accompanying).0
        }
    }
}

/// Says what was done. That nobody reads it changes nothing.
fn say(text: std::fmt::Arguments<'_>) {
    let mut out = std::io::stdout();
    let _ = out.write_fmt(text).and_then(|()| out.flush());
}
