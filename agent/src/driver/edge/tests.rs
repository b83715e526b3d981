//! Right before a write: the permission is asked again for an Advance, and never for a Retreat.

use std::sync::Mutex;

use flagship_canary::Route;
use flagship_proto::model::{Signed, Weight};

use super::*;
use crate::{
    driver::{Settings, tests::order},
    platform::{ActError, Seen},
};

/// Takes over what it is told, and remembers it.
#[derive(Debug, Default)]
struct Told(Mutex<Vec<Act>>);

impl Platform for Told {
    fn workloads(&self) -> Vec<WorkloadRef> {
        Vec::new()
    }
    fn observe(&self, _: &WorkloadRef) -> Option<Seen> {
        None
    }
    async fn identify(&self, _: &WorkloadRef, version: &str) -> Result<Revision, ActError> {
        Err(ActError::Refused(version.to_owned()))
    }
    async fn act(&self, _: &WorkloadRef, act: Act) -> Result<(), ActError> {
        self.0.lock().unwrap().push(act);
        Ok(())
    }
    fn changes(&self) -> watch::Receiver<u64> {
        watch::Sender::new(0).subscribe()
    }
}

/// A link whose lease ended, or whose abort came, after the decision.
struct Link {
    may_advance: bool,
}

impl LinkPort for Link {
    fn permission(&self, _: &WorkloadRef, _: Tick) -> Option<link::Permission> {
        let value = order(serde_json::json!({"spec": {}}));
        let why = link::Why::Ordered {
            reason: "now".into(),
        };
        Some(link::Permission {
            intent: Intent::Run,
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
    fn observe(&self, _: WorkloadStatus, _: u32, _: Tick) {}
    fn evidence(&self, _: &WorkloadRef, _: Evidence) {}
    fn changes(&self) -> watch::Receiver<u64> {
        watch::Sender::new(0).subscribe()
    }
}

/// What the platform was told of a route that was decided on while it was allowed.
async fn told(direction: Direction, may_advance: bool) -> usize {
    let workload: WorkloadRef = "shop/Deployment/checkout".parse().unwrap();
    let clock = Clock::new();
    let initial = Revision {
        version: "1.0.0".into(),
        digest: None,
    };
    let drive = Drive {
        driver: WorkloadDriver::new(
            workload.clone(),
            initial,
            Settings::default(),
            None,
            clock.now(),
        ),
        folder: PathBuf::new(),
        platform: Arc::new(Told::default()),
        link: Arc::new(Link { may_advance }),
        hooks: HookClient::default(),
        queries: QueryClient::default(),
        workers: Arc::new(Semaphore::new(1)),
        tasks: TaskTracker::new(),
        clock,
        stop: CancellationToken::new(),
    };
    let route = Route {
        primary: "1.0.0".into(),
        canary: Some("1.1.0".into()),
        weight: Weight::saturating(10),
    };
    drive
        .act(&workload, Action::SetRoute { route, direction })
        .await;
    drive.platform.0.lock().unwrap().len()
}

#[tokio::test]
async fn trap_08_an_advance_asks_again_right_before_the_write_and_a_retreat_never_does() {
    assert_eq!(told(Direction::Advance, true).await, 1);
    assert_eq!(told(Direction::Advance, false).await, 0, "overtaken");
    assert_eq!(told(Direction::Retreat, false).await, 1);
}
