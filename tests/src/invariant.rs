//! The design's rules as checks over a World, one rule a file. They are asked after every event.

pub mod rule_1;
pub mod rule_3;
pub mod rule_4;

use crate::world::World;

/// A rule that holds in every history. It may remember what it saw.
pub trait Invariant {
    /// Which rule, in words.
    fn rule(&self) -> &'static str;

    /// Looks at the World now; words if the rule is broken.
    fn check(&mut self, world: &World) -> Result<(), String>;
}

/// All rules that a World can show.
pub fn all() -> Vec<Box<dyn Invariant>> {
    vec![
        Box::new(rule_1::Waves),
        Box::new(rule_3::Aborts::default()),
        Box::new(rule_4::Retreats::default()),
    ]
}
