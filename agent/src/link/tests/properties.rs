//! Properties over arbitrary histories: whatever comes in whatever order, with crashes and full disks.

use std::collections::BTreeSet;

use flagship_proto::model::LocalVerb;
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Event {
    Order {
        seq: u64,
        intent: Intent,
    },
    Abort {
        id: u8,
        seq: u64,
        provisional: bool,
        mode: AbortMode,
    },
    Lift {
        id: u8,
        seq: u64,
    },
    AskAndGrant {
        watermark: u64,
        abort: Option<(u8, u64)>,
    },
    Local {
        verb: LocalVerb,
    },
    Sync,
    DiskFull,
    Disconnect,
    Connect,
    Restart,
    Wait {
        millis: u64,
    },
    Observe {
        phase: Phase,
        weight: u32,
    },
}

fn intent() -> impl Strategy<Value = Intent> {
    prop_oneof![
        4 => Just(Intent::Run),
        1 => Just(Intent::Hold),
        1 => Just(Intent::Retreat)
    ]
}

fn mode() -> impl Strategy<Value = AbortMode> {
    prop_oneof![
        Just(AbortMode::Return),
        Just(AbortMode::Hold),
        Just(AbortMode::RetreatDone)
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1..60u64, intent()).prop_map(|(seq, intent)| Event::Order { seq, intent }),
        2 => (0..4u8, 1..60u64, any::<bool>(), mode())
            .prop_map(|(id, seq, provisional, mode)| Event::Abort { id, seq, provisional, mode }),
        1 => (0..4u8, 1..90u64).prop_map(|(id, seq)| Event::Lift { id, seq }),
        6 => (0..60u64, proptest::option::of((0..4u8, 1..60u64)))
            .prop_map(|(watermark, abort)| Event::AskAndGrant { watermark, abort }),
        1 => prop_oneof![
            Just(LocalVerb::Hold),
            Just(LocalVerb::Retreat),
            Just(LocalVerb::Release)
        ]
        .prop_map(|verb| Event::Local { verb }),
        5 => Just(Event::Sync),
        1 => Just(Event::DiskFull),
        1 => Just(Event::Disconnect),
        3 => Just(Event::Connect),
        1 => Just(Event::Restart),
        4 => (1..40_000u64).prop_map(|millis| Event::Wait { millis }),
        2 => (prop_oneof![Just(Phase::Progressing), Just(Phase::Succeeded), Just(Phase::Failed)], 0..100u32)
            .prop_map(|(phase, weight)| Event::Observe { phase, weight }),
    ]
}

fn name(id: u8) -> String {
    format!("a{id}")
}

/// What a perfect observer knows.
struct Model {
    bench: Bench,
    now: Tick,
    run: u64,
    /// Aborts that were taken and not lifted since.
    standing: BTreeSet<u8>,
    /// The local control that stands.
    local: Option<LocalVerb>,
    /// The highest position of an abort that was taken: Run orders below are void for ever.
    void_below: u64,
    /// Until when the newest grant can be good, on the clock that counts sleep.
    lease_until: Option<Mono>,
}

impl Model {
    fn new() -> Self {
        Self {
            bench: Bench::new(),
            now: secs(0),
            run: 1,
            standing: BTreeSet::new(),
            local: None,
            void_below: 0,
            lease_until: None,
        }
    }

    fn apply(&mut self, event: &Event) {
        let now = self.now;
        match event {
            Event::Order { seq, intent } => {
                let _ = self.bench.order(order(*seq, *intent), now);
            }
            Event::Abort {
                id,
                seq,
                provisional,
                mode,
            } => {
                let seq = (!provisional).then_some(*seq);
                self.took_abort(*id, abort(&name(*id), seq, *mode));
            }
            Event::Lift { id, seq } => {
                if self.bench.lift(lift(&name(*id), *seq), now).is_ok() {
                    self.standing.remove(id);
                }
            }
            Event::AskAndGrant {
                watermark,
                abort: of,
            } => {
                let Some(nonce) = self.bench.ask(now) else {
                    return;
                };
                let listed =
                    of.map(|(id, seq)| (id, abort(&name(id), Some(seq), AbortMode::Return)));
                let aborts = listed.iter().map(|(_, abort)| abort.clone()).collect();
                self.bench.grant(nonce, *watermark, aborts, now);
                if let Some((id, abort)) = listed {
                    self.took_abort(id, abort);
                }
                self.lease_until = Some(now.mono.plus(LEASE));
            }
            Event::Local { verb } => {
                let number = self.now.mono.millis;
                let said = super::local::wanted(&format!("l{number}"), *verb);
                if self.bench.link.control(said, now).is_ok() {
                    self.local = Some(*verb).filter(|verb| *verb != LocalVerb::Release);
                }
            }
            Event::Sync => self.bench.sync(now),
            Event::DiskFull => self.bench.disk_full(now),
            Event::Disconnect => self.bench.link.disconnected(),
            Event::Connect => {
                self.bench.link.disconnected();
                let _ = self.bench.meet(1, "h1", now);
            }
            Event::Restart => self.restart(),
            Event::Wait { millis } => self.now = now.plus(Duration::from_millis(*millis)),
            Event::Observe { phase, weight } => {
                let seen = status(*phase, *weight, Some(*weight), Intent::Run);
                self.bench.link.observe(seen, 1, now);
            }
        }
        self.bench.link.tick(self.now);
    }

    fn took_abort(&mut self, id: u8, abort: Abort) {
        let position = abort.position;
        self.bench.abort(abort, self.now).unwrap();
        let held = self.bench.link.hello().aborts;
        if held.iter().any(|(held, _)| held.as_str() == name(id)) {
            self.standing.insert(id);
            // A second abort of one id with a position replaces a provisional one only.
            let _ = position;
        }
        for kept in self.bench.link.aborts.value().standing.values() {
            let position = kept
                .signed
                .value
                .position
                .map_or(0, |position| position.seq);
            self.void_below = self.void_below.max(position);
        }
    }

    fn restart(&mut self) {
        self.run += 1;
        let link = &self.bench.link;
        let was_kept = link.is_local_kept(link.local_generation());
        self.bench = self.bench.restart();
        let record = self.bench.link.local_record(&workload());
        let stands = record
            .and_then(|record| record.standing())
            .map(|act| act.verb);
        assert!(
            !was_kept || stands == self.local,
            "{:?} was kept",
            self.local
        );
        self.local = stands;
        self.now.mono = Mono {
            run: self.run,
            millis: 1,
        };
        self.lease_until = None;
        // A crash may lose what was never on disk; whoever was told so was told "not durable".
        let held = self.bench.link.hello().aborts;
        self.standing
            .retain(|id| held.iter().any(|(held, _)| held.as_str() == name(*id)));
        self.void_below = self
            .bench
            .disk
            .aborts
            .standing
            .values()
            .chain(
                self.bench
                    .disk
                    .aborts
                    .lifted
                    .values()
                    .filter_map(|of| of.abort.as_ref()),
            )
            .filter_map(|kept| kept.signed.value.position)
            .map(|position| position.seq)
            .max()
            .unwrap_or(0);
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let Some(may) = self.bench.link.permission(&workload(), self.now) else {
            return Ok(());
        };
        if !may.may_advance {
            return Ok(());
        }
        let fence = may.order().fence;
        prop_assert_eq!(may.intent, Intent::Run);
        prop_assert_eq!(may.order().intent, Intent::Run);
        prop_assert!(self.local.is_none(), "{:?} on the spot", self.local);
        prop_assert!(self.standing.is_empty(), "p09: {:?} stand", self.standing);
        prop_assert!(
            fence.revision.seq >= self.void_below,
            "p08: {fence} is void"
        );
        let kept = self.bench.disk.releases.get(&workload());
        prop_assert!(
            kept.is_some_and(|kept| kept.order().fence >= fence),
            "p13: the order is not on disk"
        );
        let until = self.lease_until;
        prop_assert!(
            until.is_some_and(
                |until| self.now.mono.run == until.run && self.now.mono.millis < until.millis
            ),
            "p05: no lease can be live"
        );
        prop_assert!(may.lease_left > Duration::ZERO);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_advances_without_lease_kept_order_and_absence_of_aborts(
        events in proptest::collection::vec(event(), 1..80)
    ) {
        let mut model = Model::new();
        for event in &events {
            model.apply(event);
            model.check()?;
        }
    }

    #[test]
    fn what_was_said_to_be_durable_survives_a_crash(
        events in proptest::collection::vec(event(), 1..60)
    ) {
        let mut model = Model::new();
        for event in &events {
            model.apply(event);
        }
        if !matches!(model.bench.link.session(), crate::link::Session::Welcomed { .. }) {
            model.apply(&Event::Connect);
        }
        let now = model.now;
        let durable: Vec<_> = model
            .bench
            .receipts(now)
            .into_iter()
            .filter(|receipt| receipt.durable)
            .map(|receipt| receipt.abort)
            .collect();
        let again = model.bench.restart();
        let held: Vec<_> = again.link.hello().aborts.into_iter().map(|(id, _)| id).collect();
        for abort in durable {
            prop_assert!(held.contains(&abort), "p07: {abort} is lost");
        }
    }

    #[test]
    fn the_held_revision_never_goes_back(events in proptest::collection::vec(event(), 1..80)) {
        let mut model = Model::new();
        let mut highest = Fence::default();
        for event in &events {
            model.apply(event);
            let fence = model.bench.link.permission(&workload(), model.now).map(|may| may.order().fence);
            if matches!(event, Event::Restart) {
                // Only what was in force for a Run had to be on disk.
                highest = fence.unwrap_or_default();
            } else if let Some(fence) = fence {
                prop_assert!(fence >= highest, "p12: {fence} after {highest}");
                highest = fence;
            }
        }
    }
}
