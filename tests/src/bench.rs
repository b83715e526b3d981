//! The benches: what is measured of a release build, each figure beside a baseline of the same run.
//!
//! The hub is a process of its own, the agents are one more: the real link, over real mutual TLS,
//! with a canary that passes at once in place of a platform. What measures is a third.

pub mod agents;
pub mod api;
pub mod canary;
pub mod child;
pub mod client;
pub mod echo;
pub mod figure;
pub mod link;
pub mod machine;
pub mod members;
pub mod restart;
pub mod rollout;
pub mod stage;
pub mod store;

use std::path::PathBuf;

use flagship_proto::process::raise_open_files;

use figure::Report;

/// What the bench command is told.
#[derive(Debug, Clone, clap::Parser)]
#[command(
    name = "flagship-bench",
    about = "Measures, and prints each figure beside its baseline and its goal"
)]
pub struct Args {
    #[command(subcommand)]
    subject: Subject,
    /// One JSON object a line in place of a table.
    #[arg(long, global = true)]
    json: bool,
    /// The folder for data and logs, on a real disk; it is emptied.
    #[arg(long, global = true, default_value = "target/bench")]
    folder: PathBuf,
    /// How often what takes moments is repeated; the best of them counts, of `api` the median of ten
    /// times as many.
    #[arg(long, global = true, default_value_t = 3)]
    rounds: u32,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum Subject {
    /// Agents on one hub: memory, idle CPU, from an abort to the last receipt
    Link(Fleet),
    /// 3 waves over 100 clusters; and 100 such rollouts together
    Rollout,
    /// The hub killed and started again under its agents
    Restart(Fleet),
    /// Durable changes a second
    Store(store::Load),
    /// A page out of 10,000 rollouts; a change to 1,000 event streams; the command line's start
    Api,
    /// Enrols clusters into a hub's folder that no hub serves
    #[command(hide = true)]
    Members(members::Members),
    /// Runs agents until its input ends
    #[command(hide = true)]
    Agents(agents::Agents),
    /// A bare server of streams
    #[command(hide = true)]
    EchoServer(echo::Side),
    /// Its clients
    #[command(hide = true)]
    EchoClients(echo::Side),
    /// A bare server of pages and events
    #[command(hide = true)]
    BareApi(api::bare::Bare),
    /// Reads event streams until its input ends
    #[command(hide = true)]
    Followers(api::followers::Followers),
}

/// How large the fleet is.
#[derive(Debug, Clone, clap::Args)]
pub struct Fleet {
    /// Agents.
    #[arg(long, default_value_t = 1000)]
    pub agents: usize,
    /// How long the fleet is left alone while its idle CPU is measured, in seconds.
    #[arg(long, default_value_t = 60)]
    pub idle: u64,
}

/// Measures one subject and prints what it found.
///
/// # Errors
/// Something cannot be started, or did not end as it must; a figure that misses its goal is no error.
pub async fn run(args: Args) -> anyhow::Result<()> {
    raise_open_files()?;
    let Args {
        subject,
        json,
        folder,
        rounds,
    } = args;
    let rounds = rounds.max(1);
    let report: Report = match subject {
        Subject::Members(members) => return members.enrol().await,
        Subject::Agents(agents) => return agents.run().await,
        Subject::EchoServer(side) => return echo::serve(side).await,
        Subject::EchoClients(side) => return echo::clients(side).await,
        Subject::BareApi(bare) => return bare.serve().await,
        Subject::Followers(followers) => return followers.follow().await,
        Subject::Link(fleet) => link::measure(&folder, &fleet, rounds).await?,
        Subject::Rollout => rollout::measure(&folder, rounds).await?,
        Subject::Restart(fleet) => restart::measure(&folder, &fleet, rounds).await?,
        Subject::Store(load) => store::measure(&folder, &load).await?,
        Subject::Api => api::measure(&folder, rounds).await?,
    };
    report.print(json);
    Ok(())
}
