//! The design's rules as checks over a World, one rule a file. They are asked after every event.

pub mod rule_1;
pub mod rule_3;
pub mod rule_4;
pub mod rule_5;
pub mod rule_6;
pub mod rule_7;
pub mod rule_9;

use crate::{eyes::Eyes, world::World};

/// A rule that holds in every history. It may remember what it saw.
pub trait Invariant {
    /// Which rule, in words.
    fn rule(&self) -> &'static str;

    /// Looks at the World now; words if the rule is broken.
    fn check(&mut self, eyes: &Eyes, world: &World) -> Result<(), String>;
}

/// A rule that is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub rule: String,
    /// How.
    pub what: String,
}

/// All rules that a World can show, with the eyes that they share.
pub struct Rules {
    eyes: Eyes,
    all: Vec<Box<dyn Invariant>>,
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.all.iter().map(|rule| rule.rule()))
            .finish()
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            eyes: Eyes::default(),
            all: vec![
                Box::new(rule_1::Waves::default()),
                Box::new(rule_3::Aborts::default()),
                Box::new(rule_4::Retreats::default()),
                Box::new(rule_5::Evidence::default()),
                Box::new(rule_6::OneWriter),
                Box::new(rule_7::Membership::default()),
                Box::new(rule_9::Success::default()),
            ],
        }
    }
}

impl Rules {
    /// Asks all of them.
    pub fn check(&mut self, world: &World) -> Result<(), Broken> {
        self.eyes.look(world);
        for rule in &mut self.all {
            rule.check(&self.eyes, world).map_err(|what| Broken {
                rule: rule.rule().to_owned(),
                what,
            })?;
        }
        Ok(())
    }
}
