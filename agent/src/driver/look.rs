//! Puts together what the state machine sees: the link's ruling and the platform's observation.

use flagship_canary::Permission;
use flagship_proto::{
    digest::Digest,
    model::{Incarnation, Intent, ReturnTo},
};

use super::Seen;
use crate::{link, platform};

/// One moment of one workload. `digest` identifies the order's version here, where that is known; `incarnation` is
/// the agent's at this moment.
pub fn look(
    seen: platform::Seen,
    ruling: Option<&link::Permission>,
    digest: Option<Digest>,
    incarnation: Incarnation,
) -> Seen {
    let permission = ruling.map_or_else(
        || Permission::hold("nothing is ordered"),
        |ruling| Permission {
            intent: ruling.intent,
            may_advance: ruling.may_advance,
            why: ruling.why.to_string(),
        },
    );
    let order = ruling.filter(|ruling| ruling.is_ours()).map(|ruling| {
        let mut order = ruling.order().clone();
        // The intent that counts may be stronger than the order's; where it goes comes with it.
        order.return_to = match ruling.intent {
            Intent::Retreat => ruling.return_to.clone(),
            Intent::Run | Intent::Hold | Intent::Remove => ReturnTo::LastPromoted,
        };
        order.now = ruling.now;
        order
    });
    Seen {
        incarnation,
        permission,
        order,
        aborted_by: ruling.and_then(|ruling| ruling.aborted_by.clone()),
        change_digest: digest,
        versions: seen.versions,
        route: seen.route,
        totals: seen.totals,
    }
}
