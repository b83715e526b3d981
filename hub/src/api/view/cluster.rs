//! A cluster as a view: whether it takes part, when it was heard, what it runs.

use flagship_proto::{
    command::Command,
    model::{ClusterName, InventoryWorkload, LocalAct, WorkloadRef},
};

use super::{
    Seen,
    named::{counted, shared},
};
use crate::{
    api::types::{About, Banner, ClusterView, LocalView, REMOVED, Why, WorkloadView},
    records::{ClusterRow, ClusterState, LeftCanary, ReportRow},
};

/// The word for a cluster in which nothing advances until a person has looked.
pub const QUARANTINED: &str = "Quarantined";

/// The view.
pub fn view(seen: &Seen, row: &ClusterRow, quarantine: Option<String>) -> ClusterView {
    let connected = seen.connected(&row.uid);
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let (state, mut text) = standing(row, quarantine, connected);
    let may_advance = seen.may_advance_until(&row.uid);
    if let (ClusterState::Active, false, None, Some(until)) =
        (&row.state, connected, row.unconfirmed, may_advance)
    {
        let until = until.strftime("%H:%M:%SZ");
        text = format!("not heard: it may advance under its lease until {until}");
    }
    let live_key = row.keys.iter().find(|key| !key.revoked);
    ClusterView {
        name: row.name.to_string(),
        uid: row.uid.to_string(),
        labels: row.labels.clone(),
        state,
        text,
        unconfirmed: row.unconfirmed.is_some(),
        connected,
        last_heard: seen.last_heard(&row.uid),
        unheard_since: seen.unheard_since(&row.uid),
        enrolled_at: Some(row.enrolled.at),
        certificate_ends: live_key.map(|key| key.not_after),
        agent: some(&row.inventory.agent),
        platform: some(&row.inventory.platform),
        workloads: row
            .inventory
            .workloads
            .iter()
            .map(|has| match left(row, &has.workload) {
                Some(left) => left_there(has, left),
                None => workload(&row.name, has, seen.report(&row.uid, &has.workload)),
            })
            .chain(unlisted(row))
            .collect(),
    }
}

/// What was in flight when a cluster was removed.
fn left<'a>(row: &'a ClusterRow, workload: &WorkloadRef) -> Option<&'a LeftCanary> {
    match &row.state {
        ClusterState::Removed { left, .. } => left.iter().find(|one| one.workload == *workload),
        ClusterState::Pending | ClusterState::Active | ClusterState::Quarantined { .. } => None,
    }
}

/// Those of workloads that its inventory did not name.
fn unlisted(row: &ClusterRow) -> Vec<WorkloadView> {
    let ClusterState::Removed { left, .. } = &row.state else {
        return Vec::new();
    };
    let left = left.iter().filter(|one| !row.has_workload(&one.workload));
    let has = |left: &LeftCanary| InventoryWorkload {
        workload: left.workload.clone(),
        version: None,
        digest: None,
        initial: None,
    };
    left.map(|left| left_there(&has(left), left)).collect()
}

/// The same as a view.
fn left_there(has: &InventoryWorkload, left: &LeftCanary) -> WorkloadView {
    let there = Command::agent("retreat").of(&left.workload).because();
    let until = left.until.strftime("%H:%M:%SZ");
    let message = format!(
        "it could advance until {until} at the latest; to take it back, on its machine now: {there}"
    );
    WorkloadView {
        workload: left.workload.to_string(),
        version: has.version.clone(),
        digest: has.digest.map(|digest| digest.to_string()),
        phase: Some(left.phase.to_string()),
        weight: Some(left.weight.get()),
        rollout: left.rollout.as_ref().map(ToString::to_string),
        why: Why {
            code: REMOVED.to_owned(),
            message,
            since: None,
        },
        local: None,
    }
}

/// Its state in one word, and in words with what to do.
pub fn standing(row: &ClusterRow, quarantine: Option<String>, connected: bool) -> (String, String) {
    if let (ClusterState::Active, Some(reason)) = (&row.state, quarantine) {
        return (QUARANTINED.to_owned(), amiss(row, &reason));
    }
    let text = match &row.state {
        ClusterState::Pending => {
            let approve = Command::flagship("cluster approve").of(&row.name);
            format!("waits for approval: {approve}")
        }
        ClusterState::Active if row.unconfirmed.is_some() => format!(
            "history went back and nobody has confirmed it since, so nothing advances there: {}",
            Command::flagship("cluster confirm").of(&row.name).because()
        ),
        ClusterState::Active if connected => "connected".to_owned(),
        ClusterState::Active => {
            "not connected: nothing advances there; what serves goes on".to_owned()
        }
        ClusterState::Quarantined { reason } => amiss(row, reason),
        ClusterState::Removed { at, left } => {
            let at = at.strftime("%F %H:%M:%SZ");
            let left = match left.iter().map(|left| left.until).max() {
                None => String::new(),
                Some(until) => format!(
                    "; what was in flight there could advance until {} at the latest, and nobody orders it back",
                    until.strftime("%F %H:%M:%SZ")
                ),
            };
            format!("since {at}; its certificates are refused{left}")
        }
    };
    (row.state.word().to_owned(), text)
}

fn amiss(row: &ClusterRow, reason: &str) -> String {
    format!(
        "{reason}: look into it, then {}, or enrol it anew",
        Command::flagship("cluster approve").of(&row.name).because()
    )
}

/// A hold or retreat of a person on the spot, in words.
fn local(cluster: &ClusterName, workload: &WorkloadRef, act: &LocalAct) -> LocalView {
    LocalView {
        verb: act.verb.word().to_owned(),
        by: act.by.to_string(),
        reason: act.reason.clone(),
        since: act.at,
        text: act.to_string(),
        remedy: {
            let release = Command::flagship("cluster release").of(cluster);
            release.of(workload).because().into()
        },
    }
}

/// Members that wait to be confirmed after history went back, as one banner.
pub fn unconfirmed_banner(seen: &Seen) -> Option<Banner> {
    let members = seen.clusters.values().filter(|row| row.state.is_member());
    let mut waiting: Vec<_> = members
        .filter_map(|row| Some((row.name.to_string(), row.unconfirmed?)))
        .collect();
    waiting.sort();
    let since = waiting.iter().map(|(_, since)| *since).min()?;
    let names: Vec<&str> = waiting
        .iter()
        .take(NAMED)
        .map(|(name, _)| name.as_str())
        .collect();
    let more = match waiting.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(Banner {
        kind: "unconfirmed".to_owned(),
        id: "unconfirmed".to_owned(),
        text: format!(
            "history went back: nothing advances in {}{more} until a person confirms that they are members",
            names.join(", ")
        ),
        since,
        remedy: Command::flagship("cluster confirm")
            .of("--all")
            .because()
            .that("after a look at flagship get clusters"),
        about: About::Fleet,
    })
}

/// So many are named.
const NAMED: usize = 5;

/// What stands in members of the fleet by people on the spot, as banners.
pub fn local_banners(seen: &Seen) -> Vec<Banner> {
    let members = seen.clusters.values().filter(|row| row.state.is_member());
    let mut banners: Vec<Banner> = members
        .flat_map(|row| {
            let workloads = row.inventory.workloads.iter();
            workloads.filter_map(|has| {
                let report = seen.report(&row.uid, &has.workload)?;
                let act = report.status.local_control()?;
                let view = local(&row.name, &has.workload, act);
                Some(Banner {
                    kind: "local".to_owned(),
                    id: row.name.to_string(),
                    text: format!("{} in {}: {}", has.workload, row.name, view.text),
                    since: view.since,
                    remedy: view.remedy,
                    about: About::Workload(has.workload.clone()),
                })
            })
        })
        .collect();
    banners.sort_by(|a, b| a.text.cmp(&b.text));
    banners
}

/// Some of these, and how many more there are: no cluster's hide what others say.
pub fn shared_out(banners: &[Banner]) -> Vec<Banner> {
    let (named, rest) = shared(banners.iter().collect(), MOST, |one| (one.id.as_str(), ()));
    let since = rest.iter().map(|one| one.since);
    let remedy = Command::flagship("get").of("clusters").that("says where");
    let more = counted(("local", "more"), "more local control", since, remedy);
    named.into_iter().cloned().chain(more).collect()
}

/// So many acts of local control are named above everything else.
const MOST: usize = 16;

fn workload(
    cluster: &ClusterName,
    has: &InventoryWorkload,
    report: Option<&ReportRow>,
) -> WorkloadView {
    let status = report.map(|report| &report.status);
    WorkloadView {
        workload: has.workload.to_string(),
        version: status
            .and_then(|status| status.primary_version.clone())
            .or_else(|| has.version.clone()),
        digest: status
            .and_then(|status| status.primary_digest)
            .or(has.digest)
            .map(|digest| digest.to_string()),
        phase: status.map(|status| status.phase.to_string()),
        weight: status.map(|status| status.weight.get()),
        rollout: status.and_then(|status| status.rollout.as_ref().map(ToString::to_string)),
        why: status.map_or_else(Why::default, |status| Why {
            code: status.reason.clone(),
            message: status.message.clone(),
            since: Some(status.since),
        }),
        local: status
            .and_then(|status| status.local_control())
            .map(|act| local(cluster, &has.workload, act)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_acts_of_local_control_each_cluster_has_some_named() {
        let of = |cluster: &str, number: usize| Banner {
            kind: "local".to_owned(),
            id: cluster.to_owned(),
            text: format!("w{number} in {cluster}"),
            since: jiff::Timestamp::UNIX_EPOCH,
            remedy: String::new(),
            about: About::Seen,
        };
        let many = (0..3000).map(|number| of("a-1", number));
        let all: Vec<Banner> = many.chain([of("z-1", 0)]).collect();
        let few: Vec<Banner> = all[..MOST].to_vec();
        assert_eq!(shared_out(&few), few);
        let said = shared_out(&all);
        assert_eq!(said.len(), MOST + 1);
        assert!(said.iter().any(|banner| banner.id == "z-1"), "{said:?}");
        assert_eq!(said[MOST].text, "2985 more local controls stand");
    }
}
