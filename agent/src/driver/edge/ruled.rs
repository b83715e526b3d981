//! What was last told of a ruling: an order that came into force, a lease that was lost or came back, an
//! abort. Each is told once, in the words that the link gives for it.

use flagship_proto::model::{Fence, Intent, WorkloadRef};

use crate::link;

/// The ruling that was last told: for which order, what counted, and its word.
#[derive(Debug, Default)]
pub(super) struct Ruled(Option<(Fence, Intent, &'static str)>);

impl Ruled {
    /// Tells a ruling that differs from the last one.
    pub(super) fn tell(&mut self, workload: &WorkloadRef, ruling: Option<&link::Permission>) {
        let now = ruling.map(|ruling| (ruling.order().fence, ruling.intent, ruling.why.word()));
        if self.0 == now {
            return;
        }
        self.0 = now;
        match ruling {
            Some(ruling) => {
                let (order, code) = (ruling.order(), ruling.why.word());
                let (rollout, intent, reason) = (&order.rollout, ruling.intent, &ruling.why);
                tracing::info!(%workload, %rollout, %intent, code, %reason, "ruled");
            }
            None => tracing::info!(%workload, code = "NoOrder", "ruled"),
        }
    }
}
