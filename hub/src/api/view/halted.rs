//! That a hub gives no orders, or none to members whom nobody has confirmed: after history went back nothing
//! advances, and who starts something is to know that.

use flagship_proto::command::{Command, OPEN};
use jiff::Timestamp;

use super::{
    Seen,
    cluster::{local_banners, shared_out, unconfirmed_banner},
};
use crate::{
    api::{
        sight::Sight,
        types::{About, Banner},
    },
    records::RolloutRow,
};

/// What a hub that is behind does not do (P22).
pub const NO_ORDERS: &str = "the hub gives no orders and no leases";

impl Seen {
    /// That the hub is behind what agents have seen, with the command that ends that for a folder of data.
    pub fn behind_banner(&self, sight: &Sight<'_>, data: &str) -> Option<Banner> {
        let behind = self.behind.as_ref()?;
        let recover = Command::hub("recover").of("--data").of(data).because();
        let banner = behind_banner(&behind.why, sight.is_whole(), &recover, behind.since);
        Some(banner)
    }

    /// The same over a rollout, that some of its clusters wait to be confirmed, and what people on the spot hold.
    pub(super) fn halted_banners(&self, sight: &Sight<'_>, rollout: &RolloutRow) -> Vec<Banner> {
        if rollout.state.is_over() {
            return Vec::new();
        }
        let mut clusters = rollout.state.clusters.keys();
        let waits = clusters.any(|uid| self.is_unconfirmed(uid));
        let unconfirmed = waits.then(|| unconfirmed_banner(self)).flatten();
        let unconfirmed = unconfirmed.filter(|banner| sight.banner(banner));
        let mut banners: Vec<Banner> = self.behind_banner(sight, OPEN).into_iter().collect();
        banners.extend(unconfirmed);
        banners.extend(shared_out(&self.local_over(sight, rollout)));
        banners
            .into_iter()
            .map(|banner| sight.offer(banner))
            .collect()
    }

    /// Holds and retreats of people on the spot in its clusters.
    fn local_over(&self, sight: &Sight<'_>, rollout: &RolloutRow) -> Vec<Banner> {
        let has = |name: &str| {
            let mut clusters = rollout.state.clusters.values();
            clusters.any(|cluster| cluster.name.as_str() == name)
        };
        let of_it = About::Workload(rollout.workload.clone());
        let mut banners = local_banners(self);
        banners.retain(|one| one.about == of_it && has(&one.id) && sight.banner(one));
        banners
    }
}

/// That the hub's store is older than what agents hold. Why names clusters and workloads, which only who
/// sees all is told.
fn behind_banner(why: &str, sees_all: bool, recover: &Command, since: Timestamp) -> Banner {
    let cause = match sees_all {
        true => why,
        false => "its store lacks something that was ordered",
    };
    Banner {
        kind: "behind".to_owned(),
        id: "behind".to_owned(),
        text: format!("{NO_ORDERS}: {cause}"),
        since,
        remedy: format!(
            "stop the hub; put back a newer copy of its data folder if there is one, else: {recover}"
        ),
        about: About::Seen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_store_lacks_is_told_to_who_sees_all_and_that_it_lacks_something_to_everybody() {
        let why = "cluster eu-1 holds a signed order for pay/Deployment/ledger";
        let recover = Command::hub("recover");
        let text = |sees_all| behind_banner(why, sees_all, &recover, Timestamp::UNIX_EPOCH).text;
        assert!(text(true).ends_with(why), "{}", text(true));
        let cut = text(false);
        assert!(
            cut.starts_with("the hub gives no orders and no leases: "),
            "{cut}"
        );
        assert!(!cut.contains("eu-1") && !cut.contains("ledger"), "{cut}");
    }
}
