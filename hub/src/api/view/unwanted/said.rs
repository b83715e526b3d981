//! The same in words, for who reads them: what is not seen is not named, and who may not act is told who may.

use std::collections::BTreeMap;

use flagship_proto::{
    command::{Command, OPEN},
    model::{RolloutId, WorkloadRef},
    words::{count, count_with},
};

use super::{super::Seen, Unwanted, Way, Why};
use crate::{
    api::{
        sight::Sight,
        types::{About, Banner},
    },
    auth::Right,
    ops::who_may,
    records::{PlanRow, RolloutRow, Stored, key},
    store::StoreError,
};

/// So many versions are told of.
const MOST: usize = 16;

/// So many clusters are named of each.
const NAMED: usize = 5;

impl Seen {
    /// All of it that is seen as banners, one a version of a workload and what can be done.
    pub fn unwanted_banners(&self, sight: &Sight<'_>) -> Result<Vec<Banner>, StoreError> {
        self.banners_of_unwanted(sight, |_| true)
    }

    /// The same of what serves in the clusters of a rollout that has ended.
    pub fn unwanted_after(
        &self,
        sight: &Sight<'_>,
        rollout: &RolloutRow,
    ) -> Result<Vec<Banner>, StoreError> {
        let clusters = &rollout.state.clusters;
        self.banners_of_unwanted(sight, |one| {
            let is_there = one.workload == rollout.workload && clusters.contains_key(&one.uid);
            rollout.state.is_over() && is_there
        })
    }

    fn banners_of_unwanted(
        &self,
        sight: &Sight<'_>,
        meant: impl Fn(&Unwanted) -> bool,
    ) -> Result<Vec<Banner>, StoreError> {
        let mut grouped: BTreeMap<(&WorkloadRef, &str, &Why, Way), Vec<&Unwanted>> =
            BTreeMap::new();
        let unwanted = self.unwanted()?.iter().filter(|one| {
            let row = self.clusters.get(&one.uid);
            let is_seen = row.is_some_and(|row| sight.cluster(row));
            meant(one) && is_seen && sight.workload(&one.workload)
        });
        for one in unwanted {
            let what = (&one.workload, one.version.as_str(), &one.why, one.way);
            grouped.entry(what).or_default().push(one);
        }
        if grouped.is_empty() {
            return Ok(Vec::new());
        }
        let plans: Vec<Stored<PlanRow>> = self.store.read_all(key::PLANS)?;
        let banner = |((workload, version, why, way), all): (_, Vec<&Unwanted>)| {
            let clusters = named(all.iter().map(|one| one.cluster.clone()).collect());
            let (kind, why) = self.said(sight, workload, why);
            Banner {
                kind: kind.to_owned(),
                id: format!("{workload} {version}"),
                text: format!("{version} of {workload} serves in {clusters}: {why}"),
                since: all
                    .iter()
                    .map(|one| one.since)
                    .min()
                    .unwrap_or(self.now.wall),
                remedy: remedy(sight, &plans, workload, way),
                about: About::Workload(workload.clone()),
            }
        };
        let more = grouped.len().saturating_sub(MOST);
        let mut banners: Vec<Banner> = grouped.into_iter().take(MOST).map(banner).collect();
        if more > 0 {
            banners.push(Banner {
                kind: "serving".to_owned(),
                id: "more".to_owned(),
                text: count_with(more, "more version", ["serves so", "serve so"]),
                since: self.now.wall,
                remedy: Command::flagship("get").of("clusters").that("says where"),
                about: About::Seen,
            });
        }
        Ok(banners)
    }

    /// The kind of a banner, and why nobody wants what it tells of. A rollout that is not seen is not named.
    fn said(&self, sight: &Sight<'_>, workload: &WorkloadRef, why: &Why) -> (&'static str, String) {
        let among_seen = |id: &RolloutId| {
            let rollouts = self.store.read_all::<RolloutRow>(key::ROLLOUTS);
            let mut rollouts = rollouts.unwrap_or_default().into_iter();
            rollouts.any(|row| row.id == *id && row.workload == *workload && sight.rollout(&row))
        };
        let seen = |id: &RolloutId| sight.is_whole() || among_seen(id);
        match why {
            Why::Left(id) => {
                let rollout = match seen(id) {
                    true => id.to_string(),
                    false => "the rollout that brought it".to_owned(),
                };
                ("serving", format!("as it stood when last heard, and {rollout} has ended"))
            }
            Why::TakenBack(id) => {
                let rollout = match seen(id) {
                    true => format!(" ({id})"),
                    false => String::new(),
                };
                let text = format!("which was taken back{rollout}, and no rollout is under way there");
                ("serving", text)
            }
            Why::Unknown => (
                "unknown",
                "history went back, and no rollout that this hub knows brought that; no stop takes it back".to_owned(),
            ),
        }
    }
}

/// What puts another version in the place of what serves, for who reads it.
fn remedy(
    sight: &Sight<'_>,
    plans: &[Stored<PlanRow>],
    workload: &WorkloadRef,
    way: Way,
) -> String {
    if way == Way::There {
        let there = Command::agent("retreat").of(workload).because();
        return there.that("on the machine of each cluster, which is not heard");
    }
    let meant = |row: &&Stored<PlanRow>| {
        sight.plan(row) && row.plan.workload().is_ok_and(|of| of == *workload)
    };
    let grants = sight.grants();
    let (may_ship, plan) = match plans.iter().find(meant) {
        Some(row) => (
            grants.decide(Right::Ship, row.object()).is_ok(),
            Some(&row.id),
        ),
        None => (grants.somewhere(Right::Ship).is_ok(), None),
    };
    if !may_ship {
        return who_may("start another version there");
    }
    let Some(plan) = plan else {
        let apply = Command::flagship("apply").of("-f").of(OPEN);
        return apply.that(&format!("a plan for {workload}; then start what is wanted"));
    };
    let start = Command::flagship("start").of(plan);
    let start = start.of("--to-version").of(OPEN).because();
    let what = "releases what is wanted in its place";
    match way {
        Way::StartLater => start.that(&format!("{what}, once heard again")),
        Way::Start | Way::There => start.that(what),
    }
}

fn named(mut clusters: Vec<String>) -> String {
    clusters.sort();
    let more = clusters.len().saturating_sub(NAMED);
    clusters.truncate(NAMED);
    match more {
        0 => clusters.join(", "),
        more => format!(
            "{} and {}",
            clusters.join(", "),
            count(more, "more cluster")
        ),
    }
}
