//! Right before a write: the permission is asked again for an Advance, and never for a Retreat.

use std::sync::Mutex;

use flagship_canary::{Route, RouteSeen, Scale, VersionSeen};
use flagship_proto::model::{Intent, Signed, Weight};

use super::*;
use crate::{
    driver::{Settings, tests::order},
    platform::{ActError, Seen},
};

/// Takes over what it is told, and remembers it, and whether a status was on disk by then.
#[derive(Debug, Default)]
struct Told {
    acts: Mutex<Vec<(Act, bool)>>,
    folder: PathBuf,
    seen: Option<Seen>,
}

impl Platform for Told {
    fn workloads(&self) -> Vec<WorkloadRef> {
        Vec::new()
    }
    fn observe(&self, _: &WorkloadRef) -> Option<Seen> {
        self.seen.clone()
    }
    async fn identify(&self, _: &WorkloadRef, version: &str) -> Result<Revision, ActError> {
        Err(ActError::Refused(version.to_owned()))
    }
    async fn act(&self, _: &WorkloadRef, act: Act) -> Result<(), ActError> {
        let files = std::fs::read_dir(&self.folder).into_iter().flatten();
        let is_stored = files.count() > 0;
        self.acts.lock().unwrap().push((act, is_stored));
        Ok(())
    }
    fn changes(&self) -> watch::Receiver<u64> {
        watch::Sender::new(0).subscribe()
    }
}

/// A link whose lease ended, or whose abort came, after the decision.
struct Link {
    intent: Intent,
    may_advance: bool,
}

impl LinkPort for Link {
    fn permission(&self, _: &WorkloadRef, _: Tick) -> Option<link::Permission> {
        let value = order(serde_json::json!({"spec": {}}));
        let why = link::Why::Ordered {
            reason: "now".into(),
        };
        Some(link::Permission {
            intent: self.intent,
            may_advance: self.may_advance,
            lease_left: Duration::from_secs(5),
            why,
            return_to: value.return_to.clone(),
            now: false,
            aborted_by: None,
            order: Arc::new(Signed {
                value,
                body: Vec::new(),
                signature: Vec::new(),
                key_id: String::new(),
            }),
        })
    }
    fn incarnation(&self) -> Incarnation {
        Incarnation(1)
    }
    fn observe(&self, _: WorkloadStatus, _: u32, _: Tick) {}
    fn evidence(&self, _: &WorkloadRef, _: Evidence) {}
    fn changes(&self) -> watch::Receiver<u64> {
        watch::Sender::new(0).subscribe()
    }
}

fn a_drive(platform: Told, link: Link) -> Drive<Told, Link> {
    let clock = Clock::new();
    let initial = Revision {
        version: "1.0.0".into(),
        digest: None,
    };
    Drive {
        driver: WorkloadDriver::new(workload(), initial, Settings::default(), None, clock.now()),
        folder: platform.folder.clone(),
        platform: Arc::new(platform),
        link: Arc::new(link),
        hooks: HookClient::default(),
        queries: QueryClient::default(),
        workers: Arc::new(Semaphore::new(1)),
        tasks: TaskTracker::new(),
        counters: Counters::default(),
        tracer: Tracer::default(),
        clock,
        stop: CancellationToken::new(),
    }
}

fn workload() -> WorkloadRef {
    "shop/Deployment/checkout".parse().unwrap()
}

/// What the platform was told of a route that was decided on while it was allowed.
async fn told(direction: Direction, may_advance: bool) -> usize {
    let link = Link {
        intent: Intent::Run,
        may_advance,
    };
    let drive = a_drive(Told::default(), link);
    let route = Route {
        primary: "1.0.0".into(),
        canary: Some("1.1.0".into()),
        weight: Weight::saturating(10),
    };
    drive
        .act(&workload(), Action::SetRoute { route, direction })
        .await;
    drive.platform.acts.lock().unwrap().len()
}

#[tokio::test]
async fn trap_08_an_advance_asks_again_right_before_the_write_and_a_retreat_never_does() {
    assert_eq!(told(Direction::Advance, true).await, 1);
    assert_eq!(told(Direction::Advance, false).await, 0, "overtaken");
    assert_eq!(told(Direction::Retreat, false).await, 1);
}

/// A canary that nothing on disk tells of has a share, and its primary runs at a canary's scale.
fn forgotten_canary() -> Seen {
    let seen = VersionSeen {
        scale: Scale::Canary,
        wanted: 1,
        ready: 1,
        crash_loop: None,
        not_startable: None,
        in_flight: None,
    };
    Seen {
        initial: Revision {
            version: "1.0.0".into(),
            digest: None,
        },
        versions: [("1.0.0".to_owned(), seen)].into(),
        digests: BTreeMap::new(),
        route: RouteSeen {
            told: Some(Route {
                primary: "1.0.0".into(),
                canary: Some("1.1.0".into()),
                weight: Weight::saturating(20),
            }),
            ..RouteSeen::default()
        },
        totals: None,
        proxies: Vec::new(),
    }
}

#[tokio::test]
async fn p13_what_goes_back_does_not_wait_for_the_disk_and_all_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let platform = Told {
        acts: Mutex::default(),
        folder: folder.path().to_owned(),
        seen: Some(forgotten_canary()),
    };
    let link = Link {
        intent: Intent::Hold,
        may_advance: false,
    };
    let mut drive = a_drive(platform, link);
    let (answer, _answers) = mpsc::channel(1);
    drive
        .turn(&workload(), &mut Carry::default(), &answer)
        .await;
    let acts = drive.platform.acts.lock().unwrap();
    let told: Vec<_> = acts
        .iter()
        .map(|(act, is_stored)| (matches!(act, Act::SetRoute { .. }), *is_stored))
        .collect();
    assert_eq!(told, [(true, false), (false, true)], "{acts:?}");
}

#[tokio::test]
async fn p13_a_disk_that_does_not_answer_holds_no_retreat_up() {
    for (intent, ends) in [
        (Intent::Run, false),
        (Intent::Hold, false),
        (Intent::Retreat, true),
        (Intent::Remove, true),
    ] {
        let link = Link {
            intent,
            may_advance: false,
        };
        let mut drive = a_drive(Told::default(), link);
        let mut writing: Option<Writing> = Some(tokio::spawn(std::future::pending()));
        let workload = workload();
        let stored = drive.store(&workload, &mut writing, false);
        let ended = tokio::time::timeout(Duration::from_millis(50), stored).await;
        assert_eq!(ended.ok(), ends.then_some(false), "{intent:?}");
        assert!(writing.is_some(), "one write at a time");
    }
}

#[tokio::test]
async fn p13_a_turn_that_goes_back_waits_a_moment_for_the_disk_and_no_longer() {
    let link = Link {
        intent: Intent::Retreat,
        may_advance: false,
    };
    let mut drive = a_drive(Told::default(), link);
    let mut writing: Option<Writing> = Some(tokio::spawn(std::future::pending()));
    let workload = workload();
    let stored = drive.store(&workload, &mut writing, true);
    let ended = tokio::time::timeout(Duration::from_secs(5), stored).await;
    assert_eq!(ended.ok(), Some(false));
    assert!(writing.is_some(), "one write at a time");
}
