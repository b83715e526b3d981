//! Which route the status asks for, and whether it may be set: an advance needs permission, a retreat
//! never does, and drift is repaired upwards only under a live lease (P17).

use flagship_proto::{model::Weight, mutant};

use crate::{
    decision::{Action, Direction},
    observation::{Route, Share},
    work::Work,
};

impl Work<'_> {
    /// Asks for the route that the status says, unless it is set and seen to be so.
    pub(crate) fn route(&mut self) {
        let Some(primary) = self.next.primary.clone() else {
            return;
        };
        let Some(other) = self.next.other.clone() else {
            // A platform refuses to send to what it does not know yet.
            if self.version(&primary).is_some() {
                let route = Route {
                    primary: primary.version,
                    canary: None,
                    weight: Weight::ZERO,
                };
                self.set(route, Direction::Retreat);
            }
            return;
        };
        let swapped = self.next.swapped();
        let change = if swapped { &primary } else { &other };
        let seen = self.share(change);
        let Some(weight) = self.attainable(&change.version, seen) else {
            return;
        };
        let told = self
            .seen
            .route
            .told
            .as_ref()
            .map(|told| told.share(&change.version));
        let lowest = match (seen, told) {
            (Some(seen), Some(told)) => seen.min.min(told),
            (Some(seen), None) => seen.min,
            (None, Some(told)) => told,
            (None, None) => Weight::ZERO,
        };
        let direction = if weight > lowest {
            Direction::Advance
        } else {
            Direction::Retreat
        };
        let weight = if swapped { weight.rest() } else { weight };
        // It is named once it gets traffic, and until it is out of the way: before, it may not run.
        let is_named = weight > Weight::ZERO || self.is_told_of(&other.version);
        let route = Route {
            weight,
            primary: primary.version,
            canary: is_named.then_some(other.version),
        };
        self.set(route, direction);
    }

    /// Asks for a route, unless it is set and seen to be so.
    fn set(&mut self, route: Route, direction: Direction) {
        if self.drifted(&route) || self.seen.route.told.as_ref() != Some(&route) {
            self.actions.push(Action::SetRoute { route, direction });
        }
    }

    /// Whether the route that the platform serves names a version.
    fn is_told_of(&self, version: &str) -> bool {
        let told = self.seen.route.told.as_ref();
        told.is_some_and(|told| told.primary == version || told.canary.as_deref() == Some(version))
    }

    /// The share of the change that may be asked for now: the recorded one with permission, else no
    /// more than every proxy has and was told. Unknown counts as zero after a restart if the other
    /// version can take the traffic (S4), and as what was told otherwise. None: the proxies keep
    /// what they have until more is known.
    fn attainable(&self, change: &str, seen: Option<Share>) -> Option<Weight> {
        let recorded = self.next.weight;
        if self.may_advance() || recorded == Weight::ZERO || mutant("p17") {
            return Some(recorded);
        }
        let told = self.seen.route.told.as_ref().map(|told| told.share(change));
        let ceiling = match (seen.map(|share| share.min), told) {
            (Some(_), Some(told)) if mutant("p19") => told,
            (Some(seen), Some(told)) => seen.min(told),
            (Some(seen), None) => seen,
            (None, Some(told)) => told,
            (None, None) => {
                let base_ready = self
                    .base()
                    .and_then(|base| self.version(base))
                    .is_some_and(|base| base.ready > 0);
                if !base_ready {
                    return None;
                }
                Weight::ZERO
            }
        };
        Some(recorded.min(ceiling))
    }

    /// Whether the proxies have something else than this route.
    fn drifted(&self, route: &Route) -> bool {
        let seen = &self.seen.route;
        seen.known
            && seen
                .shares
                .iter()
                .any(|(version, share)| *share != Share::all(route.share(version)))
    }
}
