//! Many agents in one process: the real link, files and sessions of each, with canaries that pass at once.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Context as _;
use flagship_agent::{
    config::HubAddress,
    link::{Keys, Link, Seal, handle::LinkHandle, identity::IdentityFolder, run::SessionTask},
    metrics::Counters,
    release::files::Files,
};
use flagship_proto::{
    model::{
        Abort, Fence, Inventory, InventoryWorkload, Lift, LocalRelease, Order, Receipt, Signed,
        SignedReceipt, WorkloadRef,
    },
    process::{Clock, traces::Tracer},
    sign::SignError,
};
use serde::{Deserialize, Serialize};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    canary::{Canaries, INITIAL, digest},
    child, members,
};

/// Which agents.
#[derive(Debug, Clone, clap::Args)]
pub struct Agents {
    /// Where their folders are.
    #[arg(long)]
    agents: PathBuf,
    /// How many.
    #[arg(long)]
    count: usize,
    /// Workloads of each.
    #[arg(long, default_value_t = 1)]
    workloads: usize,
    /// Where the hub listens for agents.
    #[arg(long)]
    hub: String,
}

/// What they answer to every question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Agents whose hub of this session has granted a lease that is live.
    pub consistent: usize,
    /// Orders that came, over all of them and from the start.
    pub orders: u64,
    /// Those of them that were held already, or are older than what is held.
    pub again: u64,
}

/// The workload with this number, the same in every agent.
pub fn workload(number: usize) -> WorkloadRef {
    let name = format!("shop/Deployment/w{number:03}");
    name.parse().expect("a name of digits and letters")
}

impl Agents {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let hub = HubAddress::new(&self.hub, None)?;
        let workloads: Vec<WorkloadRef> = (0..self.workloads).map(workload).collect();
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let orders = Arc::new(Orders::default());
        let mut links = Vec::with_capacity(self.count);
        for number in 0..self.count {
            let data = self.agents.join(members::name(number));
            let agent = Agent {
                hub: &hub,
                workloads: &workloads,
                orders: &orders,
                stop: &stop,
            };
            let link = agent.start(&data, &tasks);
            links.push(link.with_context(|| format!("agent in {}", data.display()))?);
        }
        child::answer(async |_| Count {
            consistent: links.iter().filter(|link| link.is_consistent()).count(),
            orders: orders.came.load(Ordering::Relaxed),
            again: orders.again.load(Ordering::Relaxed),
        })
        .await?;
        stop.cancel();
        Ok(())
    }
}

struct Agent<'a> {
    hub: &'a HubAddress,
    workloads: &'a [WorkloadRef],
    orders: &'a Arc<Orders>,
    stop: &'a CancellationToken,
}

impl Agent<'_> {
    fn start(&self, data: &Path, tasks: &TaskTracker) -> anyhow::Result<LinkHandle> {
        let (files, kept) = Files::open(data)?;
        let folder = IdentityFolder::new(data);
        let identity = folder.load()?.context("it is not enrolled")?;
        let link = LinkHandle::new(Clock::new());
        let seal = Counting {
            keys: identity.keys()?,
            held: Mutex::default(),
            orders: Arc::clone(self.orders),
        };
        let member = identity.member.clone();
        link.install(Link::new(member, kept, self.inventory(), Box::new(seal)));
        let canaries = Canaries {
            link: link.clone(),
            workloads: self.workloads.to_vec(),
        };
        tasks.spawn(canaries.run(self.stop.clone()));
        let (keeping, stop) = (link.clone(), self.stop.clone());
        tasks.spawn(async move { keeping.keep(files, stop).await });
        let session = SessionTask {
            counters: Counters::default(),
            tracer: Tracer::default(),
            link: link.clone(),
            hub: self.hub.clone(),
            identity,
            folder,
            shutdown: self.stop.clone(),
        };
        tasks.spawn(session.run());
        Ok(link)
    }

    fn inventory(&self) -> Inventory {
        let workloads = self.workloads.iter().map(|workload| InventoryWorkload {
            workload: workload.clone(),
            version: Some(INITIAL.to_owned()),
            digest: Some(digest(INITIAL)),
            initial: None,
        });
        Inventory {
            agent: env!("CARGO_PKG_VERSION").to_owned(),
            platform: "envoy".to_owned(),
            features: vec!["change.version".to_owned(), "router.weight".to_owned()],
            workloads: workloads.collect(),
            ..Inventory::default()
        }
    }
}

/// Orders over all agents.
#[derive(Debug, Default)]
struct Orders {
    came: AtomicU64,
    again: AtomicU64,
}

/// An agent's keys; every order is seen here before anything is decided about it.
struct Counting {
    keys: Keys,
    held: Mutex<BTreeMap<WorkloadRef, Fence>>,
    orders: Arc<Orders>,
}

impl Seal for Counting {
    fn check_order(&self, order: &Signed<Order>) -> Result<(), SignError> {
        self.orders.came.fetch_add(1, Ordering::Relaxed);
        let Order {
            workload, fence, ..
        } = &order.value;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.get(workload).is_some_and(|held| held >= fence) {
            self.orders.again.fetch_add(1, Ordering::Relaxed);
        }
        held.insert(workload.clone(), *fence);
        drop(held);
        self.keys.check_order(order)
    }

    fn check_abort(&self, abort: &Signed<Abort>) -> Result<(), SignError> {
        self.keys.check_abort(abort)
    }

    fn check_lift(&self, lift: &Signed<Lift>) -> Result<(), SignError> {
        self.keys.check_lift(lift)
    }

    fn check_local_release(&self, release: &Signed<LocalRelease>) -> Result<(), SignError> {
        self.keys.check_local_release(release)
    }

    fn sign_receipt(&self, receipt: Receipt) -> Result<SignedReceipt, SignError> {
        self.keys.sign_receipt(receipt)
    }
}
