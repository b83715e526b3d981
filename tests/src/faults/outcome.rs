//! What came of a row, for people and for scripts.

use serde::Serialize;

/// How a row ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Passed,
    Failed,
    Skipped,
}

/// One row of the table that is printed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Outcome {
    pub(super) fault: String,
    pub(super) phase: String,
    pub(super) state: State,
    /// How the release ended, or what was not as it must be, or what is missing on this machine.
    pub(super) outcome: String,
    /// Requests that users saw fail; all of them are excused where the row passed.
    pub(super) failed: u64,
    /// Of these, those that were under way at the blow.
    pub(super) in_flight: u64,
    /// Which failures the fault excuses.
    pub(super) excused: String,
    /// From the end of the fault until all was as it must be.
    pub(super) converged_ms: Option<u64>,
}

/// The heads of the columns.
pub(super) fn head() -> String {
    line(
        "",
        "fault",
        "phase",
        "failed",
        "in flight",
        "converged",
        "outcome",
    )
}

impl Outcome {
    /// The row as a line for people.
    pub(super) fn line(&self) -> String {
        let state = match self.state {
            State::Passed => "ok",
            State::Failed => "FAILED",
            State::Skipped => "skipped",
        };
        let seconds = |ms: u64| format!("{}.{} s", ms / 1000, ms % 1000 / 100);
        let converged = self.converged_ms.map_or_else(|| "-".to_owned(), seconds);
        let mut outcome = self.outcome.clone();
        if self.failed > 0 {
            outcome = format!("{outcome}; {}", self.excused);
        }
        let (failed, in_flight) = (self.failed.to_string(), self.in_flight.to_string());
        line(
            state,
            &self.fault,
            &self.phase,
            &failed,
            &in_flight,
            &converged,
            &outcome,
        )
    }
}

fn line(
    state: &str,
    fault: &str,
    phase: &str,
    failed: &str,
    in_flight: &str,
    converged: &str,
    outcome: &str,
) -> String {
    format!("{state:<8}{fault:<36}{phase:<19}{failed:>6}{in_flight:>11}{converged:>11}  {outcome}")
}
