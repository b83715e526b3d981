//! Makes the members of a fleet: real enrolment with tokens, keys and requests, straight into the
//! store of a hub that does not run. Only the network is left out.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use flagship_agent::link::identity::IdentityFolder;
use flagship_hub::{
    ca::Ca,
    enrol::{Enrol, Enrolled},
    ops::{Caller, CreateEnrolToken, Ops},
    records::{FleetMeta, Stored, key},
    run::Folder,
    store::Store,
};
use flagship_proto::{model::Labels, process::Clock, wire};

/// How many clusters enrol with one token.
const A_TOKEN: usize = 50;

/// Who enrols where.
#[derive(Debug, Clone, clap::Args)]
pub struct Members {
    /// The hub's data folder; no hub may run on it.
    #[arg(long)]
    data: PathBuf,
    /// Where the agents' folders are made.
    #[arg(long)]
    agents: PathBuf,
    /// How many.
    #[arg(long)]
    count: usize,
}

/// The name of an agent, and of its folder.
pub fn name(number: usize) -> String {
    format!("c{number:05}")
}

/// The wave that an agent's label names: a tenth, then three tenths, then the rest.
fn wave(number: usize, count: usize) -> &'static str {
    match number * 10 / count.max(1) {
        0 => "first",
        1..=3 => "second",
        _ => "third",
    }
}

struct Office {
    enrol: Enrol,
    ops: Ops,
    ca: Arc<Ca>,
    hub_keys: HashMap<String, Vec<u8>>,
    clock: Clock,
}

impl Members {
    pub(super) async fn enrol(self) -> anyhow::Result<()> {
        let folder = Folder::new(&self.data);
        let store = Store::open(folder.path())?;
        let ca = Arc::new(Ca::open(folder.path())?);
        let meta: Option<Stored<FleetMeta>> = store.read(&key::fleet())?;
        let meta = meta.context("the folder holds no fleet")?;
        let sign_key = folder.sign_key()?;
        let office = Office {
            enrol: Enrol::new(
                store.clone(),
                ca.clone(),
                meta.fleet.clone(),
                &meta.trust_domain,
            ),
            ops: Ops::new(store),
            ca,
            hub_keys: HashMap::from([(sign_key.id().to_owned(), sign_key.public())]),
            clock: Clock::new(),
        };
        let mut groups: HashMap<&str, Vec<usize>> = HashMap::new();
        for number in 0..self.count {
            let group = groups.entry(wave(number, self.count)).or_default();
            group.push(number);
        }
        let batches = groups.iter().flat_map(|(label, numbers)| {
            numbers
                .chunks(A_TOKEN)
                .map(|batch| (*label, batch.to_vec()))
        });
        for (label, batch) in batches {
            office.admit(label, batch, &self.agents).await?;
        }
        Ok(())
    }
}

impl Office {
    async fn admit(&self, label: &str, batch: Vec<usize>, agents: &Path) -> anyhow::Result<()> {
        let labels: Labels = [("wave".to_owned(), label.to_owned())].into();
        let args = CreateEnrolToken {
            pattern: "c*".to_owned(),
            labels,
            uses: Some(u32::try_from(batch.len())?),
            ttl: None,
            approve: false,
        };
        let home = flagship_hub::limit::Origin::of([127, 0, 0, 1].into());
        let now = self.clock.now();
        let caller = Caller::new("bench").because("members for a bench");
        let created = self.ops.create_enrol_token(&caller, args, now).await?;
        let token = created.token(self.ca.hash())?.to_string();
        for number in batch {
            let name = name(number);
            let folder = IdentityFolder::new(&agents.join(&name));
            let key = folder.key()?;
            let csr = rcgen::CertificateParams::default().serialize_request(key.pair())?;
            let now = self.clock.now();
            let enrolled = self
                .enrol
                .enroll(&token, csr.der(), &name, home, now)
                .await?;
            let Enrolled::Issued {
                certificate,
                cluster,
                uid,
            } = enrolled
            else {
                anyhow::bail!("{name} waits for approval");
            };
            let issued = wire::Issued {
                chain_pem: certificate.chain_pem,
                ca_pem: self.ca.pem().to_owned(),
                cluster: cluster.to_string(),
                uid: uid.to_string(),
                fleet: self.enrol.fleet().to_string(),
                trust_domain: self.enrol.trust_domain().to_owned(),
                hub_keys: self.hub_keys.clone(),
            };
            folder.store(issued, &key, None, now.wall)?;
        }
        Ok(())
    }
}
