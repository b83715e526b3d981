//! `flagship-sample`: the application that tests and the quickstart release.

use clap::Parser;
use flagship_proto::process::shutdown;
use flagship_tests::sample;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    sample::run(sample::Args::parse(), shutdown::on_signals()?).await
}
