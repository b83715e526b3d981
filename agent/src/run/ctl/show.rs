//! What `flagship-agent ctl` prints for people.

use std::fmt::Write as _;

use flagship_proto::model::LocalVerb;

use super::{Answer, Done, StatusView, WorkloadView};

/// How the agent and its workloads stand.
pub(super) fn status(view: &StatusView, typed: &str) -> String {
    let mut text = String::new();
    let cluster = if view.cluster.is_empty() {
        "(not a member yet)"
    } else {
        &view.cluster
    };
    line(&mut text, &format!("Cluster {cluster}   hub: {}", view.hub));
    if let Some(complaint) = &view.audit {
        line(&mut text, &format!("AUDIT: {complaint}"));
    }
    for workload in &view.workloads {
        text.push('\n');
        text += &one(workload, typed);
    }
    if view.workloads.is_empty() {
        line(&mut text, "No workloads.");
    }
    text
}

fn one(view: &WorkloadView, typed: &str) -> String {
    let mut text = format!("Workload {}\n", view.workload);
    fact(
        &mut text,
        "Serves",
        view.primary.as_deref().unwrap_or("not known"),
    );
    if let Some(phase) = &view.phase {
        let version = view.version.as_deref().unwrap_or("-");
        let seen = match (view.weight, view.observed) {
            (Some(weight), Some(seen)) => format!(", {weight}% wanted, {seen}% seen"),
            (Some(weight), None) => format!(", {weight}% wanted, not read back"),
            (None, _) => String::new(),
        };
        fact(&mut text, "Canary", &format!("{version} {phase}{seen}"));
    }
    let intent = view.intent.as_deref().unwrap_or("Hold");
    fact(&mut text, "Now", &format!("{intent}: {}", view.why));
    if !view.message.is_empty() && !view.why.contains(&view.message) {
        fact(&mut text, "Why", &view.message);
    }
    if let Some(act) = &view.local {
        let kept = if view.kept {
            "kept"
        } else {
            "NOT kept: a restart forgets it"
        };
        fact(
            &mut text,
            "Local",
            &format!("{act} (since {}, {kept})", act.at.strftime("%F %H:%M:%SZ")),
        );
        fact(
            &mut text,
            "End it",
            &format!("{typed} release {} --reason …", view.workload),
        );
    }
    text
}

/// What was done, and what follows from it.
pub(super) fn done(verb: LocalVerb, answer: &Answer, typed: &str) -> String {
    let mut text = String::new();
    for done in &answer.done {
        let mut views = answer.status.workloads.iter();
        let view = views.find(|view| view.workload == done.workload);
        line(&mut text, &format!("{}: {}", done.workload, done.act));
        line(&mut text, &format!("  {}", durable(done)));
        line(&mut text, &format!("  {}", traffic(verb, view)));
        if verb != LocalVerb::Release {
            line(
                &mut text,
                &format!(
                    "  end it here: {typed} release {} --reason …",
                    done.workload
                ),
            );
            if !answer.status.removed {
                line(
                    &mut text,
                    &format!(
                        "  or on the hub: flagship cluster release {} {} --reason …",
                        answer.status.cluster, done.workload
                    ),
                );
            }
        }
    }
    text
}

fn durable(done: &Done) -> String {
    match &done.trouble {
        None => "in force, and kept: a restart of the agent does not forget it".to_owned(),
        Some(trouble) => format!(
            "in force, but NOT kept ({trouble}): a restart of the agent forgets it until it could be written; it is tried again each second"
        ),
    }
}

fn traffic(verb: LocalVerb, view: Option<&WorkloadView>) -> String {
    let share = view.and_then(|view| view.observed);
    let version = view
        .and_then(|view| view.version.as_deref())
        .unwrap_or("the change");
    match (verb, share) {
        (LocalVerb::Hold, Some(share)) => {
            format!(
                "traffic stays: {share}% on {version}; failed checks still take it back, and nothing starts"
            )
        }
        (LocalVerb::Hold, None) => "traffic stays, and nothing starts".to_owned(),
        (LocalVerb::Retreat, Some(0)) => {
            let serves = view.and_then(|view| view.primary.as_deref());
            let serves = serves.map_or_else(String::new, |version| format!(": {version} serves"));
            format!("no traffic is on {version}{serves}, and nothing starts until this is released")
        }
        (LocalVerb::Retreat, Some(share)) => {
            format!(
                "{share}% is on {version} and goes back now; nothing starts until this is released"
            )
        }
        (LocalVerb::Retreat, None) => {
            "what is in flight goes back now; nothing starts until this is released".to_owned()
        }
        (LocalVerb::Release, _) => {
            "nothing moves by that; the hub's orders count again, and advance only under its lease"
                .to_owned()
        }
    }
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn fact(text: &mut String, name: &str, value: &str) {
    // Writing to a text cannot fail.
    let _ = writeln!(text, "  {name:<8}{value}");
}

#[cfg(test)]
mod tests {
    use flagship_proto::model::{LocalAct, LocalActor};
    use jiff::Timestamp;

    use super::*;

    /// Its name may be another's by now.
    #[test]
    fn who_acts_in_a_cluster_that_was_removed_is_not_sent_to_the_hub() {
        let done_there = Done {
            workload: "shop/Deployment/checkout".to_owned(),
            act: LocalAct {
                id: "l-1".parse().unwrap(),
                verb: LocalVerb::Retreat,
                by: LocalActor::Hub {
                    actor: "ann".to_owned(),
                },
                at: Timestamp::UNIX_EPOCH,
                reason: String::new(),
            },
            kept: true,
            trouble: None,
        };
        let mut answer = Answer {
            status: StatusView {
                cluster: "eu-1".to_owned(),
                ..StatusView::default()
            },
            done: vec![done_there],
            refused: Vec::new(),
        };
        let said = |answer: &Answer| done(LocalVerb::Retreat, answer, "ctl");
        assert!(said(&answer).contains("flagship cluster release eu-1"));
        answer.status.removed = true;
        assert!(
            !said(&answer).contains("flagship cluster release"),
            "{}",
            said(&answer)
        );
    }
}
