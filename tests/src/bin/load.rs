//! `flagship-load`: steady requests at addresses, counted exactly.

use clap::Parser;
use flagship_proto::process::shutdown;
use flagship_tests::load;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    load::run(load::Args::parse(), shutdown::on_signals()?).await
}
