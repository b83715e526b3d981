//! Looks at the real proxies all along, and holds what they do against the rules: nothing that the hub or
//! an agent says of itself is believed here.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::inside::Inside;
use crate::load::unix_millis;

/// Between two looks at one proxy.
const EVERY: Duration = Duration::from_millis(150);
/// A proxy that was stopped does not answer at all.
const PATIENCE: Duration = Duration::from_secs(1);

/// What one proxy was seen to do. Times are Unix milliseconds.
#[derive(Debug, Clone)]
struct Sample {
    began: u64,
    ended: u64,
    cluster: String,
    /// Share of traffic by Envoy cluster, which is a version.
    shares: BTreeMap<String, u64>,
}

/// A weight that grew where it must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Growth {
    pub(super) at: u64,
    pub(super) from: u64,
    pub(super) to: u64,
}

/// Everything that was seen of all proxies since the last [`Watch::begin`].
#[derive(Debug)]
pub(super) struct Watch {
    samples: Arc<Mutex<Vec<Sample>>>,
    /// What served before the change, by cluster: what is not of it is of the change (P17).
    bases: BTreeMap<String, String>,
    stop: CancellationToken,
}

impl Watch {
    /// Looks from now on at the proxies of agents with these folders of data, by cluster.
    pub(super) fn start(agents: BTreeMap<String, PathBuf>) -> Self {
        let watch = Self {
            samples: Arc::default(),
            bases: BTreeMap::new(),
            stop: CancellationToken::new(),
        };
        for (cluster, data) in agents {
            let look = look(cluster, Inside::of(&data), Arc::clone(&watch.samples));
            let stop = watch.stop.clone();
            tokio::spawn(async move { stop.run_until_cancelled(look).await });
        }
        watch
    }

    /// Forgets what was seen, and takes what serves now as what served before the change.
    ///
    /// # Errors
    /// A proxy cannot be read, or sends to more than one version.
    pub(super) async fn begin(&mut self, clusters: &[&str]) -> anyhow::Result<()> {
        self.lock().clear();
        let deadline = time::Instant::now() + Duration::from_secs(20);
        self.bases.clear();
        while self.bases.len() < clusters.len() {
            self.take_bases();
            anyhow::ensure!(
                time::Instant::now() < deadline,
                "the proxies cannot be read, or are not settled"
            );
            time::sleep(EVERY).await;
        }
        Ok(())
    }

    fn take_bases(&mut self) {
        let samples = self.samples.lock().expect("no holder panics");
        for sample in samples.iter() {
            let mut shares = sample.shares.iter().filter(|(_, share)| **share > 0);
            if let (Some((base, _)), None) = (shares.next(), shares.next()) {
                let (cluster, base) = (sample.cluster.clone(), base.clone());
                self.bases.insert(cluster, base);
            }
        }
    }

    /// When the share of the change in a cluster was first seen to be at least `weight`.
    pub(super) fn first(&self, cluster: &str, weight: u64) -> Option<u64> {
        let weights = self.weights(cluster);
        weights
            .into_iter()
            .find(|(_, _, seen)| *seen >= weight)
            .map(|(_, ended, _)| ended)
    }

    /// The share of the change in a cluster, as last seen.
    pub(super) fn last(&self, cluster: &str) -> Option<u64> {
        self.weights(cluster).last().map(|(_, _, weight)| *weight)
    }

    /// Whether the share of the change grew in a cluster between two moments, both wholly inside.
    pub(super) fn grew(&self, cluster: &str, from: u64, to: u64) -> Option<Growth> {
        let mut inside = self.weights(cluster);
        inside.retain(|(began, ended, _)| *began >= from && *ended <= to);
        inside.windows(2).find_map(|pair| {
            let ((_, _, before), (_, at, after)) = (pair[0], pair[1]);
            (after > before).then_some(Growth {
                at,
                from: before,
                to: after,
            })
        })
    }

    /// How often a cluster was seen between two moments.
    pub(super) fn looks(&self, cluster: &str, from: u64, to: u64) -> usize {
        let inside = |(began, ended, _): &(u64, u64, u64)| *began >= from && *ended <= to;
        self.weights(cluster).into_iter().filter(inside).count()
    }

    fn weights(&self, cluster: &str) -> Vec<(u64, u64, u64)> {
        let Some(base) = self.bases.get(cluster) else {
            return Vec::new();
        };
        let weight = |sample: &Sample| {
            let base = sample.shares.get(base).copied().unwrap_or_default();
            (sample.began, sample.ended, 100_u64.saturating_sub(base))
        };
        let samples = self.lock();
        let of_cluster = samples.iter().filter(|sample| sample.cluster == cluster);
        of_cluster.map(weight).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Sample>> {
        self.samples.lock().expect("no holder panics")
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn look(cluster: String, inside: Inside, samples: Arc<Mutex<Vec<Sample>>>) {
    let client = reqwest::Client::builder().timeout(PATIENCE).build();
    let client = client.expect("a client without settings can be made");
    loop {
        time::sleep(EVERY).await;
        let Ok(admin) = inside.admin() else { continue };
        let began = unix_millis();
        let url = format!("http://{admin}/config_dump?resource=dynamic_route_configs");
        let Ok(answer) = client.get(url).send().await else {
            continue;
        };
        let Ok(dump) = answer.json::<Value>().await else {
            continue;
        };
        let mut shares = BTreeMap::new();
        add_shares(&dump, &mut shares);
        if !shares.is_empty() {
            let sample = Sample {
                began,
                ended: unix_millis(),
                cluster: cluster.clone(),
                shares,
            };
            samples.lock().expect("no holder panics").push(sample);
        }
    }
}

/// The shares of the clusters that the rules name; the harness gives a workload one rule.
fn add_shares(value: &Value, shares: &mut BTreeMap<String, u64>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::Array(weighted)) = value.pointer("/weighted_clusters/clusters") {
                for one in weighted {
                    let name = one.get("name").and_then(Value::as_str).unwrap_or_default();
                    let weight = one
                        .get("weight")
                        .and_then(Value::as_u64)
                        .unwrap_or_default();
                    shares.insert(name.to_owned(), weight);
                }
                return;
            }
            if let Some(Value::String(name)) = fields.get("cluster") {
                shares.insert(name.clone(), 100);
            }
            fields.values().for_each(|inner| add_shares(inner, shares));
        }
        Value::Array(items) => items.iter().for_each(|inner| add_shares(inner, shares)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
