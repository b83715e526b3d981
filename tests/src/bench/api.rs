//! `api`: what people wait for: a page out of many rollouts, a change to all who follow, the command
//! line's start.

pub mod bare;
pub mod followers;
mod starts;
pub mod stored;

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::ensure;
use flagship_hub::api::types::{
    ClusterView, CreatedToken, FreezeRequest, FreezeView, List, RolloutView,
};
use flagship_proto::{model::Scope, process::files};
use jiff::Timestamp;
use serde_json::json;

use self::{
    bare::{Open, Server},
    followers::{A_TOKEN, Followed},
    starts::starts,
};
use super::{
    child::Child,
    client::{Api, http},
    figure::{Figure, Goal, Report, median},
    stage::{SETTLE, Stage},
};
use crate::fleet::Cli;

/// Members of the fleet; their agents are away.
const CLUSTERS: usize = 100;
/// Who follows.
const FOLLOWERS: usize = 1000;
/// Between two changes, and before the first one.
const PAUSE: Duration = Duration::from_millis(200);

/// Measures it.
///
/// # Errors
/// Something cannot be started, or the hub does not answer as it must.
pub async fn measure(folder: &Path, rounds: u32) -> anyhow::Result<Report> {
    let times = rounds.saturating_mul(10);
    let mut stage = Stage::set(folder, CLUSTERS).await?;
    stage.hub.kill();
    stored::fill(&stored::open(&stage.hub.data)?).await?;
    stage.hub.serve().await?;
    let api = stage.api()?;

    let page = pages(&api, api.url(), times).await?;
    let followed = followed(&api, &stage.folder, times).await?;
    let command = Cli::of(&stage.folder.join("cli.yaml"), &stage.hub)?;
    let version = starts(times, || command.command(&["--version"]))?;
    let get = starts(times, || command.command(&["get", "clusters"]))?;
    let members: List<ClusterView> = command.json(&["get", "clusters"])?;
    let count = members.items.len();
    ensure!(count == CLUSTERS, "{count} of {CLUSTERS} clusters are told");

    stage.hub.kill();
    let (mut server, bare) = Server::start(&stage, &page.body).await?;
    let bare_page = pages(&api, &bare.url, times).await?;
    let bare_dial = dials(&api, &bare.url, times).await?;
    let bare_followed = told(&api, &stage.folder, &mut server, &bare, times).await?;
    let nothing = starts(times, || Command::new("true"))?;

    let mut report = Report::new(format!(
        "api: {} rollouts stored, {FOLLOWERS} event streams",
        stored::ROLLOUTS
    ));
    report.add(
        Figure::new("list_10k", page.millis, "ms")
            .beside(bare_page.millis, "a bare server of the same bytes")
            .wants(Goal::AtMost(20.0)),
    );
    report.add(
        Figure::new("sse_clients", followed, "ms")
            .beside(bare_followed, "a bare server's event to the same clients")
            .wants(Goal::AtMost(200.0)),
    );
    report.add(
        Figure::new("cli_start", version, "ms")
            .beside(nothing, "a start of `true`")
            .wants(Goal::AtMost(10.0)),
    );
    report.add(
        Figure::new("cli_start_get", get, "ms")
            .beside(
                nothing + bare_dial,
                "a start of `true`, and a page from a bare server over a new connection",
            )
            .wants(Goal::AtMost(50.0)),
    );
    report.note(format!("medians of {times}"));
    report.note(format!(
        "list_10k: 100 of the {} that a label selects, {:.0} KiB, over a connection that is open",
        stored::OF_A_TEAM,
        kib(&page.body)
    ));
    report.note(
        "sse_clients: from before the change is asked for, so that its commit is in it, to the last client"
            .to_owned(),
    );
    report.note(format!(
        "cli_start is `flagship --version`, cli_start_get `flagship get clusters` of {CLUSTERS}"
    ));
    Ok(report)
}

#[expect(clippy::cast_precision_loss, reason = "the size of a page")]
fn kib(body: &str) -> f64 {
    body.len() as f64 / 1024.0
}

/// A page, and how long it took.
struct Page {
    body: String,
    millis: f64,
}

fn page_of(url: &str, time: u32) -> String {
    let team = time as usize % stored::PLANS;
    format!("{url}/api/v1/rollouts?all=true&limit=100&selector=team%3Dt{team}")
}

/// Whether a list is a page, not the last, of what the selector of that time selects and of nothing else.
fn is_selected(list: &List<RolloutView>, time: u32) -> anyhow::Result<()> {
    let plan = format!("w{:03}", time as usize % stored::PLANS);
    let of_others = list.items.iter().filter(|view| view.plan != plan).count();
    ensure!(
        list.items.len() == 100 && list.next.is_some() && of_others == 0,
        "a page has {} items, {of_others} of them not of {plan}",
        list.items.len()
    );
    Ok(())
}

/// The same list over one connection, a selector after the other.
async fn pages(api: &Api, url: &str, times: u32) -> anyhow::Result<Page> {
    let http = http(api.ca(), None)?;
    let mut body = String::new();
    let mut millis = Vec::new();
    // The first request dials.
    for time in 0..=times {
        let request = http.get(page_of(url, time)).bearer_auth(api.token());
        let began = Instant::now();
        let answer = request.send().await?.error_for_status()?;
        body = answer.text().await?;
        if time > 0 {
            millis.push(began.elapsed().as_secs_f64() * 1000.0);
        }
    }
    is_selected(&serde_json::from_str(&body)?, times)?;
    Ok(Page {
        body,
        millis: median(millis),
    })
}

/// The same list, each time over a new connection.
async fn dials(api: &Api, url: &str, times: u32) -> anyhow::Result<f64> {
    let mut millis = Vec::new();
    for time in 0..times {
        let http = http(api.ca(), None)?;
        let began = Instant::now();
        let answer = http.get(page_of(url, time)).send().await?;
        answer.error_for_status()?.bytes().await?;
        millis.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(median(millis))
}

/// From when a change is asked for until the last follower has seen it.
async fn followed(api: &Api, folder: &Path, times: u32) -> anyhow::Result<f64> {
    let mut tokens = String::new();
    for number in 0..FOLLOWERS.div_ceil(A_TOKEN) {
        let wanted = json!({"name": format!("follower-{number}"), "role": "viewer"});
        let made: CreatedToken = api.post("/api/v1/tokens", &wanted).await?;
        tokens += &made.secret.unwrap_or_default();
        tokens.push('\n');
    }
    let mut followers = follow(api, folder, api.url(), &tokens).await?;
    let mut millis = Vec::new();
    for _ in 0..times {
        tokio::time::sleep(PAUSE).await;
        let wanted = FreezeRequest {
            scope: Scope::Project("shop".parse()?),
            for_ms: Some(3_600_000),
            until: None,
        };
        let asked = Timestamp::now();
        let freeze: FreezeView = api.post("/api/v1/freezes", &wanted).await?;
        millis.push(last(&mut followers, &freeze.id, asked).await?);
        let end = format!("/api/v1/freezes/{}/end", freeze.id);
        let _ended: FreezeView = api.post(&end, &json!({})).await?;
    }
    Ok(median(millis))
}

/// From when a bare server is told something until the last follower has seen it.
async fn told(
    api: &Api,
    folder: &Path,
    server: &mut Server,
    bare: &bare::Listening,
    times: u32,
) -> anyhow::Result<f64> {
    let tokens = format!("{}\n", api.token()).repeat(FOLLOWERS.div_ceil(A_TOKEN));
    let mut followers = follow(api, folder, &bare.url, &tokens).await?;
    let mut millis = Vec::new();
    for time in 0..times {
        tokio::time::sleep(PAUSE).await;
        let name = format!("bare-{time}");
        let asked = Timestamp::now();
        let Open { streams } = server.tell(&name).await?;
        ensure!(streams == FOLLOWERS, "{streams} streams are open");
        millis.push(last(&mut followers, &name, asked).await?);
    }
    Ok(median(millis))
}

async fn follow(api: &Api, folder: &Path, url: &str, tokens: &str) -> anyhow::Result<Child> {
    let (secrets, ca) = (folder.join("tokens"), folder.join("followers-ca.pem"));
    files::write_atomic(&secrets, tokens.as_bytes(), 0o600)?;
    fs::write(&ca, api.ca())?;
    let (secrets, ca) = (secrets.to_string_lossy(), ca.to_string_lossy());
    let count = FOLLOWERS.to_string();
    let arguments = [
        "--url", url, "--ca", &ca, "--tokens", &secrets, "--count", &count,
    ];
    let mut followers = Child::start("followers", folder, &arguments)?;
    let all = |followed: &Followed| followed.open == FOLLOWERS;
    followers.until("", SETTLE, all).await?;
    Ok(followers)
}

async fn last(followers: &mut Child, name: &str, asked: Timestamp) -> anyhow::Result<f64> {
    let all = |followed: &Followed| followed.seen == FOLLOWERS;
    let followed = followers.until(name, SETTLE, all).await?;
    let last = followed.last.unwrap_or(Timestamp::MAX);
    Ok(last.duration_since(asked).as_secs_f64() * 1000.0)
}
