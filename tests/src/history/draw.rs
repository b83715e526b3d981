//! From a seed to a history. Some seeds draw one trouble after another, some let a fault grow old:
//! a cut that outlasts a lease, an abort that is past its bound.

use flagship_proto::model::{AbortMode, LocalVerb};

use super::{History, Plans, Step, Where};
use crate::world::Way;

/// Clusters that are there from the beginning.
pub(super) const FLEET: &[(&str, &[(&str, &str)])] = &[
    ("pilot-1", &[("tier", "pilot"), ("region", "eu")]),
    ("eu-1", &[("region", "eu")]),
    ("eu-2", &[("region", "eu")]),
    ("us-1", &[("region", "us")]),
];

const NAMES: [&str; 4] = ["pilot-1", "eu-1", "eu-2", "us-1"];

/// Steps in a history, about.
const STEPS: u64 = 16;

/// Longer than any lease and its bound.
const PAST_THE_BOUND: u64 = 45;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 >> 33) ^ (self.0 >> 47);
        mixed % sides
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        let length = u64::try_from(all.len()).unwrap_or(1);
        all[usize::try_from(self.roll(length)).unwrap_or_default()]
    }
}

impl History {
    /// The history of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d);
        for _ in 0..3 {
            dice.roll(2);
        }
        let mut steps = Vec::new();
        match dice.roll(6) {
            0 => steps.push((Step::Fault("1.1.0", Some(100)), 0)),
            1 => steps.push((Step::Fault("1.1.0", None), 0)),
            2 => steps.push((Step::Fault("1.2.0", Some(100)), 0)),
            _ => {}
        }
        if dice.roll(8) == 0 {
            steps.push((Step::Traffic(dice.of(&NAMES), 0), 0));
        }
        let plan = dice.of(&[Plans::Quick, Plans::Slow, Plans::Patient, Plans::Nervous]);
        let start = Step::Start {
            version: "1.1.0",
            plan,
            supersede: false,
        };
        steps.push((start, 2 + dice.roll(12)));
        for _ in 0..STEPS {
            let step = draw_step(&mut dice, plan);
            let wait = match dice.roll(16) {
                0 => PAST_THE_BOUND,
                1 | 2 => 12 + dice.roll(12),
                _ => dice.roll(6),
            };
            steps.push((step, wait));
        }
        Self { seed, steps }
    }
}

fn draw_step(dice: &mut Dice, plan: Plans) -> Step {
    let name = dice.of(&NAMES);
    match dice.roll(72) {
        0..4 => Step::Cut(name),
        4 => Step::CutWay(name, Way::Up),
        5 => Step::CutWay(name, Way::Down),
        6 => Step::Slow(name, dice.of(&[500, 3_000])),
        7 => Step::Break(name),
        8..14 => Step::Mend(name),
        14..16 => Step::Agent(name, false),
        16..19 => Step::Agent(name, true),
        19..21 => Step::Hub(false),
        21..25 => Step::Hub(true),
        25 => Step::Disk(name, true),
        26 => Step::Disk(name, false),
        27 => Step::HubDisk(true),
        28..30 => Step::HubDisk(false),
        30 => Step::Proxy(name, false),
        31 => Step::Proxy(name, true),
        32 => Step::Clock(name, dice.of(&[-3600, -40, 40, 3600])),
        33 => Step::HubClock(dice.of(&[-3600, -40, 40, 3600])),
        34 => Step::Join(dice.of(&["eu-3", "ap-1", "eu-1"])),
        35 => Step::Leave(dice.of(&["eu-1", "eu-2", "us-1", "eu-3"])),
        36 | 67 => Step::Copy,
        37 | 68 => Step::PutBack,
        38..43 => Step::Abort(draw_scope(dice), draw_mode(dice)),
        43..46 => Step::Lift(None),
        46 => Step::Lift(Some(draw_scope(dice))),
        47..49 => Step::Pause,
        49..51 => Step::Resume,
        51..53 => Step::Retry,
        53 => Step::Accept,
        54..56 => Step::Retreat {
            now: dice.roll(2) == 0,
        },
        56..59 => Step::Start {
            version: dice.of(&["1.2.0", "1.3.0"]),
            plan,
            supersede: dice.roll(2) == 0,
        },
        59..61 => Step::Freeze(draw_scope(dice), dice.of(&[None, Some(10), Some(60)])),
        61..63 => Step::Unfreeze,
        63 => Step::Spot(name, LocalVerb::Hold),
        64 => Step::Spot(name, LocalVerb::Retreat),
        65..67 => Step::Spot(name, LocalVerb::Release),
        69..71 => Step::Recover,
        _ => Step::Wait,
    }
}

fn draw_scope(dice: &mut Dice) -> Where {
    match dice.roll(10) {
        0..4 => Where::Fleet,
        4 => Where::Project,
        5 => Where::Plan,
        6 => Where::Rollout,
        7 => Where::Workload,
        8 => Where::Region("eu"),
        _ => Where::Region("us"),
    }
}

fn draw_mode(dice: &mut Dice) -> AbortMode {
    dice.of(&[
        AbortMode::Return,
        AbortMode::Return,
        AbortMode::Hold,
        AbortMode::RetreatDone,
    ])
}
