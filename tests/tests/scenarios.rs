//! A fleet's life as text, and the decision log that follows from it as a snapshot.
//!
//! One command a line: `errors VERSION PERMILLE`, `crashes VERSION`, `start VERSION`, `run SECONDS`,
//! `until PHASE`, `traffic CLUSTER VERSION` (until it has some), `abort ID`, `lift ID`, `wish VERB`,
//! `freeze ID [for SECONDS | clusters KEY=VALUE]`, `unfreeze ID`,
//! `cut|mend CLUSTER`, `ctl CLUSTER VERB`, `kill|restart hub`, `kill|restart CLUSTER`.
//! Lines that begin with `#` say why.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use flagship_proto::model::{AbortMode, LocalVerb, ReturnTo, Scope, Selector, Weight};
use flagship_tests::world::{World, cluster::Behaviour, script::PLAN};
use flagship_waves::Wish;

const FLEET: &[(&str, &[(&str, &str)])] = &[
    ("pilot-1", &[("tier", "pilot"), ("region", "eu")]),
    ("eu-1", &[("region", "eu")]),
    ("us-1", &[("region", "us")]),
];

const LONG: Duration = Duration::from_secs(900);

fn play(script: &str) -> String {
    let mut world = World::new(42, FLEET);
    let mut started = 0;
    let mut ids = BTreeMap::new();
    for line in script
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
    {
        let words: Vec<&str> = line.split_whitespace().collect();
        let id = format!("checkout-{started}");
        match words.as_slice() {
            ["errors", version, per_mille] => {
                let errors_per_mille = per_mille.parse().expect("a number");
                behave(
                    &mut world,
                    version,
                    Behaviour {
                        errors_per_mille,
                        ..Behaviour::default()
                    },
                );
            }
            ["crashes", version] => {
                behave(
                    &mut world,
                    version,
                    Behaviour {
                        crashes: true,
                        ..Behaviour::default()
                    },
                );
            }
            ["start", version] => {
                started += 1;
                world.start(PLAN, version);
            }
            ["run", seconds] => world.run(Duration::from_secs(seconds.parse().expect("seconds"))),
            ["until", phase] => world.run_till(LONG, line, |w| w.phase(&id) == *phase),
            ["traffic", cluster, version] => world.run_till(LONG, line, |w| {
                w.agents[*cluster].cluster.share(version) > Weight::ZERO
            }),
            ["abort", name] => {
                let abort = world.abort(Scope::Fleet, AbortMode::Return);
                ids.insert((*name).to_owned(), abort);
            }
            ["lift", name] => world.lift(&ids[*name]),
            ["freeze", name] => {
                let freeze = world.freeze(Scope::Fleet, None);
                ids.insert((*name).to_owned(), freeze);
            }
            ["freeze", name, "for", seconds] => {
                let seconds = seconds.parse().expect("seconds");
                let freeze = world.freeze(Scope::Fleet, Some(seconds));
                ids.insert((*name).to_owned(), freeze);
            }
            ["freeze", name, "clusters", label] => {
                let (key, value) = label.split_once('=').expect("KEY=VALUE");
                let selector = Selector {
                    match_labels: [(key.to_owned(), value.to_owned())].into(),
                    ..Selector::default()
                };
                let freeze = world.freeze(Scope::Selector(selector), None);
                ids.insert((*name).to_owned(), freeze);
            }
            ["unfreeze", name] => world.unfreeze(&ids[*name]),
            ["wish", "pause"] => world
                .wish(&id, Wish::Pause)
                .expect("the script asks what may be asked"),
            ["wish", "resume"] => world
                .wish(&id, Wish::Resume)
                .expect("the script asks what may be asked"),
            ["wish", "retry"] => world
                .wish(&id, Wish::Retry)
                .expect("the script asks what may be asked"),
            ["wish", "accept"] => world
                .wish(&id, Wish::Accept)
                .expect("the script asks what may be asked"),
            ["wish", "retreat"] => {
                let wish = Wish::Retreat {
                    to: ReturnTo::LastPromoted,
                    now: false,
                };
                world
                    .wish(&id, wish)
                    .expect("the script asks what may be asked");
            }
            ["cut", cluster] => world.cut(cluster),
            ["mend", cluster] => world.mend(cluster),
            ["ctl", cluster, "hold"] => world.control(cluster, LocalVerb::Hold),
            ["ctl", cluster, "retreat"] => world.control(cluster, LocalVerb::Retreat),
            ["ctl", cluster, "release"] => world.control(cluster, LocalVerb::Release),
            ["kill", "hub"] => world.kill_hub(),
            ["restart", "hub"] => world.start_hub(),
            ["kill", cluster] => world.kill_agent(cluster),
            ["restart", cluster] => world.start_agent(cluster),
            _ => panic!("no such command: {line}"),
        }
    }
    world.log.join("\n")
}

fn behave(world: &mut World, version: &str, behaviour: Behaviour) {
    for agent in world.agents.values_mut() {
        agent
            .cluster
            .behaviour
            .insert(version.to_owned(), behaviour);
    }
}

#[test]
fn every_scenario_is_decided_as_its_snapshot_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut names: Vec<_> = fs::read_dir(&folder)
        .expect("scenarios are there")
        .filter_map(|entry| {
            entry
                .ok()
                .filter(|e| e.path().is_file())?
                .path()
                .file_stem()?
                .to_str()
                .map(str::to_owned)
        })
        .collect();
    names.sort();
    names.dedup();
    assert!(names.len() >= 6, "{names:?}");
    for name in names {
        let script = fs::read_to_string(folder.join(format!("{name}.txt"))).expect("a scenario");
        insta::with_settings!({snapshot_path => "scenarios/snapshots", prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!(name.clone(), play(&script));
        });
    }
}
