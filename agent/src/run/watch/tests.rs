//! The agent's own port, spoken to over the network: what it says, and that it does not grow.

use flagship_canary::{Revision, RouteSeen};
use flagship_proto::{
    model::{Inventory, Phase, Tick, Weight, WorkloadRef, WorkloadStatus},
    process::Clock,
    sign::{HubKeys, SignKey},
};
use tokio::sync::watch;

use super::*;
use crate::{
    link::{Keys, Link, Member},
    platform::{Act, ActError, Platform, ProxySeen, Seen},
    release::Kept,
};

const WORKLOADS: [&str; 2] = ["shop/Deployment/checkout", "shop/Deployment/cart"];

/// Two workloads, each behind a proxy that is connected and one that is not.
#[derive(Debug)]
struct Still;

impl Platform for Still {
    fn workloads(&self) -> Vec<WorkloadRef> {
        WORKLOADS.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn observe(&self, _: &WorkloadRef) -> Option<Seen> {
        let proxy = |connected| ProxySeen {
            connected,
            acknowledged: true,
            ..ProxySeen::default()
        };
        let initial = Revision {
            version: "1.0.0".into(),
            digest: None,
        };
        Some(Seen {
            initial,
            versions: [].into(),
            digests: [].into(),
            route: RouteSeen::default(),
            totals: None,
            proxies: vec![proxy(true), proxy(false)],
        })
    }

    async fn identify(&self, _: &WorkloadRef, version: &str) -> Result<Revision, ActError> {
        Err(ActError::Refused(version.to_owned()))
    }

    async fn act(&self, _: &WorkloadRef, _: Act) -> Result<(), ActError> {
        Ok(())
    }

    fn changes(&self) -> watch::Receiver<u64> {
        watch::Sender::new(0).subscribe()
    }
}

fn status(workload: &str, number: u32, now: Tick) -> WorkloadStatus {
    WorkloadStatus {
        workload: workload.parse().unwrap(),
        fence: Default::default(),
        rollout: Some(format!("rollout-{number}").parse().unwrap()),
        attempt: number,
        intent: None,
        phase: Phase::Progressing,
        step: 1,
        weight: Weight::saturating(40),
        observed: Some(Weight::saturating(10)),
        failed_checks: number,
        version: Some(format!("1.{number}.0")),
        digest: None,
        primary_version: None,
        primary_digest: None,
        can_return_to: Vec::new(),
        reason: "Returning".to_owned(),
        message: format!("on the way back from 1.{number}.0"),
        since: now.wall,
        aborted_by: None,
        local: Vec::new(),
    }
}

struct Agent {
    address: SocketAddr,
    link: LinkHandle,
    counters: Counters,
    _stop: tokio_util::sync::DropGuard,
}

async fn agent() -> Agent {
    let (link, counters) = (LinkHandle::new(Clock::new()), Counters::default());
    let watched = Watched {
        platform: Arc::new(Still),
        link: link.clone(),
        counters: counters.clone(),
        tracer: Tracer::default(),
    };
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let any = "127.0.0.1:0".parse().unwrap();
    let address = serve(any, watched, &tasks, &stop).await.unwrap();
    Agent {
        address,
        link,
        counters,
        _stop: stop.drop_guard(),
    }
}

impl Agent {
    fn join(&self) {
        let member = Member {
            fleet: "fleet".parse().unwrap(),
            cluster: "eu-1".parse().unwrap(),
            uid: "u1".parse().unwrap(),
        };
        let keys = Keys {
            hub: HubKeys::new([]),
            own: Arc::new(SignKey::generate().unwrap()),
            serial: "01".to_owned(),
        };
        let (kept, inventory) = (Kept::default(), Inventory::default());
        self.link
            .install(Link::new(member, kept, inventory, Box::new(keys)));
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = reqwest::get(format!("http://{}{path}", self.address)).await;
        let answer = answer.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

#[tokio::test]
async fn a_thousand_rollouts_make_not_one_series_more() {
    let agent = agent().await;
    agent.join();
    let mut sizes = Vec::new();
    let mut begin = 0;
    for count in [1, 1000] {
        for number in begin..count {
            let now = agent.link.now();
            for name in WORKLOADS {
                agent.link.observe(status(name, number, now), 2, now);
                let workload: WorkloadRef = name.parse().unwrap();
                agent
                    .counters
                    .judged(&workload, flagship_canary::judge::Verdict::Fail);
                agent.counters.told(&workload, "CheckFailed");
            }
        }
        begin = count;
        let (status, page) = agent.get("/metrics").await;
        assert_eq!(status, 200);
        assert!(
            !page.contains("rollout-") && !page.contains("1.0.0"),
            "{page}"
        );
        sizes.push(page.lines().filter(|line| !line.starts_with('#')).count());
        for line in [
            format!("flagship_agent_checks_total{{workload=\"shop/Deployment/cart\",verdict=\"fail\"}} {count}"),
            "flagship_agent_canary_weight{workload=\"shop/Deployment/checkout\"} 40.0".to_owned(),
            "flagship_agent_canary_weight_seen{workload=\"shop/Deployment/checkout\"} 10.0".to_owned(),
            "flagship_agent_canary_phase{workload=\"shop/Deployment/cart\",phase=\"Progressing\"} 1.0".to_owned(),
            "flagship_agent_retreat_pending{workload=\"shop/Deployment/checkout\"} 1.0".to_owned(),
            "flagship_agent_proxies_connected{workload=\"shop/Deployment/cart\"} 1.0".to_owned(),
            "flagship_agent_proxies_behind{workload=\"shop/Deployment/cart\"} 1.0".to_owned(),
            "flagship_agent_lease_valid 0.0".to_owned(),
            "flagship_agent_link_connected 0.0".to_owned(),
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
    }
    assert_eq!(sizes[0], sizes[1]);
}

#[tokio::test]
async fn a_way_back_is_pending_until_its_end_also_once_the_canary_has_failed() {
    let agent = agent().await;
    agent.join();
    let name = WORKLOADS[0];
    for (reason, pending) in [("Returning", 1), ("CannotReturn", 1), ("Returned", 0)] {
        let now = agent.link.now();
        let failed = WorkloadStatus {
            phase: Phase::Failed,
            reason: reason.to_owned(),
            ..status(name, 1, now)
        };
        agent.link.observe(failed, 2, now);
        let (_, page) = agent.get("/metrics").await;
        for what in ["retreat_pending", "canary_in_flight"] {
            let line = format!("flagship_agent_{what}{{workload=\"{name}\"}} {pending}.0");
            assert!(page.contains(&line), "{reason}: {line}\n{page}");
        }
    }
}

#[tokio::test]
async fn it_is_alive_at_once_and_ready_once_it_is_a_member() {
    let agent = agent().await;
    assert_eq!(agent.get("/healthz").await, (200, "ok\n".to_owned()));
    let (status, words) = agent.get("/readyz").await;
    assert_eq!(
        (status, words.as_str()),
        (503, "not a member of a fleet yet\n")
    );
    let (_, page) = agent.get("/metrics").await;
    assert!(page.contains("flagship_agent_member 0.0\n"), "{page}");
    agent.join();
    assert_eq!(agent.get("/readyz").await, (200, "ok\n".to_owned()));
    assert_eq!(agent.get("/other").await.0, 404);
}

#[tokio::test]
async fn every_alert_and_every_panel_asks_for_what_is_there() {
    let agent = agent().await;
    let workload = WORKLOADS[0].parse().unwrap();
    agent
        .counters
        .judged(&workload, flagship_canary::judge::Verdict::Pass);
    let (_, page) = agent.get("/metrics").await;
    let asked = [
        include_str!("../../../../deploy/prometheus/alerts.yaml"),
        include_str!("../../../../deploy/grafana/flagship.json"),
    ];
    for text in asked {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let mut count = 0;
        for word in words.filter(|word| word.starts_with("flagship_agent_")) {
            count += 1;
            let name = word.trim_end_matches("_total");
            assert!(page.contains(&format!("# TYPE {name} ")), "{word}");
        }
        assert!(count > 3);
    }
}
