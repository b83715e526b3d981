//! Counts rounds, and says when failures or doubt end the canary: Flagger's cumulative `threshold`,
//! and beside it failures in a row, n of the last m, and rounds that could not be judged.

use std::time::Duration;

use flagship_proto::model::canary::{Analysis, InconclusiveThen};

use crate::{ask::Closed, judge::Verdict, reason::Reason, status::Tally};

impl Tally {
    /// Counts a failed round (a hook before the first traffic counts too).
    fn count(&mut self, verdict: Verdict, remembered: usize) {
        match verdict {
            Verdict::Pass => {
                self.failed_in_row = 0;
                self.inconclusive_in_row = 0;
                self.passed = self.passed.saturating_add(1);
            }
            Verdict::Inconclusive => {
                self.inconclusive_in_row = self.inconclusive_in_row.saturating_add(1);
            }
            Verdict::Fail => {
                self.failed = self.failed.saturating_add(1);
                self.failed_in_row = self.failed_in_row.saturating_add(1);
                self.inconclusive_in_row = 0;
            }
        }
        self.last_passed = verdict == Verdict::Pass;
        self.recent.push(verdict == Verdict::Fail);
        let surplus = self.recent.len().saturating_sub(remembered);
        self.recent.drain(..surplus);
    }

    /// A new step: passes count from zero, failures stay.
    pub(crate) fn new_step(&mut self) {
        self.passed = 0;
        self.last_passed = false;
    }

    /// Whether the step has its passes, the last round among them.
    pub(crate) fn step_passed(&self, analysis: &Analysis) -> bool {
        self.last_passed && self.passed >= analysis.success_threshold()
    }
}

/// Counts a round; the reason if it ends the canary. `unjudged` is the time without a round that
/// could be judged.
pub(crate) fn round(
    tally: &mut Tally,
    analysis: &Analysis,
    closed: &Closed,
    unjudged: Duration,
) -> Option<Reason> {
    let remembered = analysis.failures_of.map_or(1, |rule| rule.m.clamp(1, 1000));
    tally.count(
        closed.verdict,
        usize::try_from(remembered).unwrap_or(usize::MAX),
    );
    match closed.verdict {
        Verdict::Pass => None,
        Verdict::Fail => failed(tally, analysis, &closed.words),
        Verdict::Inconclusive => doubtful(tally, analysis, &closed.words, unjudged),
    }
}

fn failed(tally: &Tally, analysis: &Analysis, words: &str) -> Option<Reason> {
    let words = words.to_owned();
    if tally.failed >= analysis.threshold() {
        return Some(Reason::ThresholdReached {
            words,
            failed: tally.failed,
            threshold: analysis.threshold(),
        });
    }
    if analysis
        .consecutive_failures
        .is_some_and(|most| tally.failed_in_row >= most.max(1))
    {
        return Some(Reason::FailedInRow {
            words,
            failed: tally.failed_in_row,
        });
    }
    let rule = analysis.failures_of?;
    let among = tally.recent.iter().filter(|failed| **failed).count();
    let among = u32::try_from(among).unwrap_or(u32::MAX);
    (among >= rule.n.max(1)).then_some(Reason::FailedOfLast {
        words,
        failed: among,
        last: rule.m,
    })
}

fn doubtful(tally: &Tally, analysis: &Analysis, words: &str, unjudged: Duration) -> Option<Reason> {
    let rounds = tally.inconclusive_in_row;
    let over = match analysis.on_inconclusive {
        None => rounds >= analysis.threshold(),
        Some(rule) => match rule.then {
            InconclusiveThen::Hold => false,
            InconclusiveThen::Fail => {
                let by_time = rule.after.is_some_and(|after| unjudged >= after.0);
                let by_count = match (rule.count, rule.after) {
                    (Some(count), _) => rounds >= count.max(1),
                    (None, Some(_)) => false,
                    (None, None) => rounds >= analysis.threshold(),
                };
                by_time || by_count
            }
        },
    };
    over.then(|| Reason::InconclusiveTooLong {
        words: words.to_owned(),
        rounds,
    })
}
