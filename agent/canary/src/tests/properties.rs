//! What must hold whatever happens: random orders, verdicts, crashes, restarts and proxies.

use std::time::Duration;

use flagship_proto::model::{Intent, Phase, ReturnTo, Weight};
use proptest::prelude::*;
use serde_json::json;

use super::plant::{Plant, spec};
use crate::{Action, Direction};

/// What may happen between two looks.
#[derive(Debug, Clone, Copy)]
enum Event {
    Look(u8),
    Good,
    Bad,
    Silent,
    Permit,
    LeaseEnds,
    Hold,
    Retreat,
    Restart,
    Gap,
    ProxyGone,
    ProxyBack,
    Drift(u8),
    Crash,
    BaseDown,
    BaseCrash,
    Elsewhere,
    Retry,
    Newer,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (1u8..30).prop_map(Event::Look),
        3 => Just(Event::Good),
        1 => Just(Event::Bad),
        1 => Just(Event::Silent),
        4 => Just(Event::Permit),
        1 => Just(Event::LeaseEnds),
        1 => Just(Event::Hold),
        1 => Just(Event::Retreat),
        1 => Just(Event::Restart),
        1 => Just(Event::Gap),
        1 => Just(Event::ProxyGone),
        2 => Just(Event::ProxyBack),
        1 => (0u8..=100).prop_map(Event::Drift),
        1 => Just(Event::Crash),
        1 => Just(Event::BaseDown),
        1 => Just(Event::BaseCrash),
        1 => Just(Event::Elsewhere),
        1 => Just(Event::Retry),
        1 => Just(Event::Newer),
    ]
}

const STEPS: [u8; 5] = [0, 10, 40, 70, 100];

fn plant() -> Plant {
    let mut plant = Plant::serving(spec(json!({
        "interval": "3s", "threshold": 2, "stepWeights": [10, 40], "stepWeightPromotion": 30,
        "metrics": [{"name": "request-success-rate", "thresholdRange": {"min": 99}}]
    })));
    plant.order("1.1.0", 1);
    plant
}

fn happen(plant: &mut Plant, event: Event, attempt: &mut u32) {
    let change = plant
        .target
        .as_ref()
        .map_or_else(String::new, |target| target.change.version.clone());
    match event {
        Event::Look(_) => {}
        Event::Good => {
            plant.rates.insert(change, 100.0);
        }
        Event::Bad => {
            plant.rates.insert(change, 50.0);
        }
        Event::Silent => {
            plant.rates.remove(&change);
        }
        Event::Permit => plant.permit(),
        Event::LeaseEnds => plant.permission.may_advance = false,
        Event::Hold => plant.intent(Intent::Hold, "hold"),
        Event::Retreat => plant.intent(Intent::Retreat, "retreat"),
        Event::Restart => plant.restart(),
        Event::Gap => plant.now = plant.now.plus(Duration::from_secs(3600)),
        Event::ProxyGone => plant.proxies[0].0 = false,
        Event::ProxyBack => plant.proxies[0].0 = true,
        Event::Drift(weight) => {
            let route = &mut plant.proxies[0].1;
            if route.canary.is_some() {
                route.weight = Weight::saturating(weight.into());
            }
        }
        Event::Crash => {
            if let Some(seen) = plant.versions.get_mut(&change) {
                seen.ready = 0;
            }
        }
        Event::BaseDown => {
            if let Some(seen) = plant.versions.get_mut("1.0.0") {
                seen.ready = 0;
            }
        }
        Event::BaseCrash => {
            if let Some(seen) = plant.versions.get_mut("1.0.0") {
                seen.ready = 0;
                seen.crash_loop = Some("crashed".to_owned());
            }
        }
        Event::Elsewhere => {
            if let Some(target) = &mut plant.target {
                target.return_to = ReturnTo::Version("0.9.0".to_owned());
            }
            plant.intent(Intent::Retreat, "elsewhere");
        }
        Event::Retry => {
            *attempt += 1;
            plant.order(&change, *attempt);
        }
        Event::Newer => {
            *attempt += 1;
            plant.order(&format!("1.{attempt}.0"), *attempt);
        }
    }
}

/// Looks once and checks what must hold between the status before and after.
fn checked_look(plant: &mut Plant) -> Result<(), TestCaseError> {
    let before = plant.status.clone();
    let seen = plant.observe();
    let decision = plant.look();
    let after = &decision.next;
    let may = plant.permission.may_advance && plant.permission.intent == Intent::Run;
    let same_change = after.change == before.change;
    let same_run =
        after.run.as_ref().map(|run| run.attempt) == before.run.as_ref().map(|run| run.attempt);

    if same_run && same_change && after.weight > before.weight {
        prop_assert!(may, "the weight grew without permission");
        let at = STEPS.iter().position(|step| *step == before.weight.get());
        let next = at.and_then(|at| STEPS.get(at + 1)).copied();
        prop_assert_eq!(Some(after.weight.get()), next, "one step at a time");
        let everywhere = seen.route.share(&before.change.clone().unwrap().version);
        prop_assert_eq!(
            everywhere,
            Some(crate::Share::all(before.weight)),
            "from what was read back"
        );
    }
    if !same_run && after.phase != Phase::Succeeded && after.returning.is_none() {
        let first = if may { STEPS[1] } else { STEPS[0] };
        prop_assert!(
            after.weight.get() <= first,
            "a new run begins at its first step"
        );
    }
    if after.tally.failed > before.tally.failed || after.phase == Phase::Failed {
        prop_assert!(
            !same_change || after.weight <= before.weight,
            "a failure only lowers"
        );
    }
    for action in &decision.actions {
        let Action::SetRoute { route, direction } = action else {
            continue;
        };
        let Some(change) = after.change.as_ref().map(|change| change.version.as_str()) else {
            continue;
        };
        let share = route.share(change);
        prop_assert!(
            share <= after.weight || route.canary.is_none(),
            "never above the recorded weight"
        );
        if *direction == Direction::Advance {
            prop_assert!(may, "an advance without permission");
        } else if let Some(seen) = seen.route.share(change)
            && route.canary.is_some()
        {
            prop_assert!(share <= seen.min, "a retreat raised a weight");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        // A failing case is kept as a named test, not as a file beside the sources.
        failure_persistence: None, cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_only_permission_raises_and_failures_only_lower(events in proptest::collection::vec(event(), 1..60)) {
        let mut plant = plant();
        let mut attempt = 1;
        for event in events {
            happen(&mut plant, event, &mut attempt);
            let looks = if let Event::Look(looks) = event { looks } else { 1 };
            for _ in 0..looks {
                checked_look(&mut plant)?;
            }
        }
    }

    #[test]
    fn whatever_happened_a_retreat_ends_with_no_traffic_on_the_change(events in proptest::collection::vec(event(), 1..40)) {
        let mut plant = plant();
        let mut attempt = 1;
        for event in events {
            happen(&mut plant, event, &mut attempt);
            if let Event::Look(looks) = event {
                plant.run_for(Duration::from_millis(500) * u32::from(looks));
            }
        }
        plant.proxies[0].0 = true;
        for seen in plant.versions.values_mut() {
            seen.crash_loop = None;
        }
        plant.intent(Intent::Retreat, "retreat");
        for _ in 0..40 {
            checked_look(&mut plant)?;
        }
        let change = plant.target.clone().unwrap().change.version;
        prop_assert_eq!(plant.live(&change), 0, "{}", plant.log.join("\n"));
        prop_assert!(plant.status.returning.is_none());
        let serving: u32 = plant.versions.keys().map(|version| u32::from(plant.live(version))).sum();
        prop_assert_eq!(serving, 100, "all traffic is on versions that run");
    }

    #[test]
    fn a_restart_at_any_point_advances_nothing_early(at in proptest::collection::vec(1u8..12, 1..12)) {
        let quiet = {
            let mut plant = plant();
            plant.rates.insert("1.1.0".to_owned(), 100.0);
            plant.run_to(Phase::Succeeded);
            plant.now.wall
        };
        let mut plant = plant();
        plant.rates.insert("1.1.0".to_owned(), 100.0);
        for looks in at {
            for _ in 0..looks {
                checked_look(&mut plant)?;
            }
            let wall = plant.now.wall;
            let step = plant.status.step;
            plant.restart();
            checked_look(&mut plant)?;
            prop_assert_eq!(plant.status.step, step);
            plant.permit();
            prop_assert!(plant.now.wall > wall);
        }
        plant.run_to(Phase::Succeeded);
        prop_assert!(plant.now.wall >= quiet, "restarts only ever make it later");
    }
}
