//! Makes a history that breaks a rule shorter while it breaks the same rule: fewer steps, less time.

use super::{Failure, History};
use crate::invariant::Broken;

/// So often at most a history is played again.
const TRIES: usize = 400;

/// What a history breaks, with its log; none if it breaks nothing.
pub(super) type Outcome = Option<(Broken, Vec<String>)>;

/// The shortest history found that breaks the rule that `history` breaks; none if it breaks none.
pub fn shrink(history: &History, play: impl Fn(&History) -> Outcome) -> Option<Failure> {
    let (broken, log) = play(history)?;
    let best = Failure {
        history: history.clone(),
        drawn: history.steps.len(),
        broken,
        log,
    };
    let mut shrinking = Shrinking {
        best,
        play,
        tries: 0,
    };
    shrinking.drop_steps();
    shrinking.shorten_waits();
    shrinking.drop_steps();
    Some(shrinking.best)
}

struct Shrinking<P> {
    best: Failure,
    play: P,
    tries: usize,
}

impl<P: Fn(&History) -> Outcome> Shrinking<P> {
    /// Whether it breaks the same rule; then it is the best one now.
    fn try_this(&mut self, history: History) -> bool {
        self.tries += 1;
        if self.tries > TRIES {
            return false;
        }
        match (self.play)(&history) {
            Some((broken, log)) if broken.rule == self.best.broken.rule => {
                let drawn = self.best.drawn;
                self.best = Failure {
                    history,
                    drawn,
                    broken,
                    log,
                };
                true
            }
            Some(_) | None => false,
        }
    }

    /// Leaves out halves, then quarters, then single steps.
    fn drop_steps(&mut self) {
        let mut size = self.best.history.steps.len() / 2;
        while size > 0 {
            let mut at = 0;
            while at < self.best.history.steps.len() {
                let mut shorter = self.best.history.clone();
                let end = (at + size).min(shorter.steps.len());
                shorter.steps.drain(at..end);
                if !self.try_this(shorter) {
                    at += size;
                }
            }
            size /= 2;
        }
    }

    /// No time after a step, or half of it.
    fn shorten_waits(&mut self) {
        for at in 0..self.best.history.steps.len() {
            let whole = self.best.history.steps[at].1;
            for less in [0, whole / 2] {
                let mut shorter = self.best.history.clone();
                shorter.steps[at].1 = less;
                if less < whole && self.try_this(shorter) {
                    break;
                }
            }
        }
    }
}
