//! Freezes as text: what is held, until when, and the command that ends it.

use flagship_proto::words::given;
use jiff::Timestamp;

use super::{
    abort::{joins, serving},
    words::{ago, clock},
};
use crate::{
    api::types::FreezeView,
    cli::output::{Look, Tone, table},
};

/// One line a freeze.
pub fn list(look: Look, freezes: &[FreezeView], now: Timestamp) -> String {
    let rows = freezes
        .iter()
        .map(|freeze| {
            vec![
                freeze.id.clone(),
                if freeze.standing { "stands" } else { "ended" }.to_owned(),
                freeze.scope.clone(),
                ends(freeze, now),
                ago(freeze.at, now),
                freeze.actor.clone(),
                look.cut(&freeze.reason, 48),
                look.cut(&freeze.summary, 72),
            ]
        })
        .collect();
    let head = [
        "FREEZE", "STATE", "SCOPE", "ENDS", "AGE", "BY", "REASON", "HOLDS",
    ];
    table(look, &head, rows)
}

fn ends(freeze: &FreezeView, now: Timestamp) -> String {
    match (&freeze.ended, freeze.until) {
        (Some(end), _) => clock(end.at, now),
        (None, Some(until)) => format!("{} (in {})", clock(until, now), ago(now, until)),
        (None, None) => "by unfreeze".to_owned(),
    }
}

/// One freeze's page.
pub fn page(look: Look, view: &FreezeView, now: Timestamp) -> String {
    let title = format!(
        "Freeze {} of {}: what is in flight holds its weight, nothing starts",
        view.id, view.scope
    );
    let mut text = format!("{}\n", look.paint(Tone::Strong, &title));
    text += &format!(
        "  ordered at {} by {}: {}\n",
        clock(view.at, now),
        view.actor,
        given(&view.reason)
    );
    if let Some(end) = &view.ended {
        let at = clock(end.at, now);
        text += &format!("  ended at {at} by {}: {}\n", end.actor, given(&end.reason));
        return text;
    }
    if !view.rollouts.is_empty() {
        text += &format!("  rollouts that wait: {}\n", view.rollouts.join(", "));
    }
    for line in &view.holds {
        text += &format!("  {line}\n");
    }
    for line in &view.outside {
        let line = format!("  outside the bound: {line}");
        text += &format!("{}\n", look.paint(Tone::Bad, &line));
    }
    text += &format!(
        "  nothing advances in its scope after {}, heard or not; checks go on, and a failure still goes back\n",
        clock(view.bound_at, now)
    );
    text += &joins(view.joins.as_ref());
    text += &match view.until {
        Some(until) => format!(
            "It ends by itself at {} (in {}), or by: flagship unfreeze {} --reason …\n",
            clock(until, now),
            ago(now, until),
            view.id
        ),
        None => format!(
            "It stands until somebody ends it: flagship unfreeze {} --reason …\n",
            view.id
        ),
    };
    text + &serving(
        look,
        "Frozen is not fixed",
        "was being released",
        &view.serving,
    )
}
