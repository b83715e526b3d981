//! Generated histories of a World: a seed makes a list of steps, the steps make a fleet's life with
//! people and faults, and the rules are asked after every event. One that breaks a rule is shrunk.

mod draw;
mod live;
mod many;
mod settle;
mod shrink;
mod step;

use std::fmt;

pub use live::{Life, live};
pub use many::{Tally, run_many};
pub use shrink::shrink;
pub use step::{Plans, Step, Where};

use crate::invariant::Broken;

/// A fleet's life, as it is played: steps, each followed by a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// What it was drawn from; it also decides how long messages take.
    pub seed: u64,
    /// What happens, and how many seconds pass after it.
    pub steps: Vec<(Step, u64)>,
}

/// A history that broke a rule, as short as it could be made.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The history.
    pub history: History,
    /// How many steps it had before.
    pub drawn: usize,
    /// What it broke.
    pub broken: Broken,
    /// What happened in it.
    pub log: Vec<String>,
}

/// So many lines of a log are printed, the last ones.
const LINES: usize = 60;

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (step, seconds) in &self.steps {
            writeln!(f, "    {step}, then {seconds} s")?;
        }
        Ok(())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seed = self.history.seed;
        writeln!(f, "seed {seed}: rule {} is broken", self.broken.rule)?;
        writeln!(f, "    {}", self.broken.what)?;
        let (left, drawn) = (self.history.steps.len(), self.drawn);
        writeln!(f, "the history, {left} of {drawn} steps:")?;
        write!(f, "{}", self.history)?;
        writeln!(f, "what happened:")?;
        for line in &self.log[self.log.len().saturating_sub(LINES)..] {
            writeln!(f, "  {line}")?;
        }
        write!(f, "replay it with FLAGSHIP_SEED={seed}")
    }
}

#[cfg(test)]
mod tests;
