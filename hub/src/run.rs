//! The hub as a process: puts the parts together, and ends when one of them does.

mod folder;
mod init;
mod people;
mod serve;

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use flagship_proto::process::{shutdown, telemetry};

use crate::args::{Cli, Command};

pub use folder::Folder;
pub use init::{Founded, init};
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
            print!("{founded}");
            Ok(())
        }
        Command::Serve(args) => {
            let stop = shutdown::on_signals()?;
            let hub = Hub::open(args, stop).await?;
            println!("{}", hub.bound());
            hub.run().await
        }
    }
}
