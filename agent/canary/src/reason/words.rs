//! The sentences of the reasons.

use std::fmt;

use flagship_proto::words::{after_colon, count};

use super::Reason;

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Initializing => f.write_str("starting"),
            Self::PrimaryStarting(ready) => write!(f, "waiting for the primary: {ready}"),
            Self::PrimaryDown { version, words } => {
                write!(f, "the primary {version} cannot serve: {words}")
            }
            Self::NoOrder => f.write_str("nothing is ordered"),
            Self::AlreadyThere { version } => {
                write!(f, "{version} is the primary already and has all traffic")
            }
            Self::Held { why } => write!(f, "on hold{}", after_colon(why)),
            Self::WaitingForLease { why } => {
                write!(f, "waiting for permission to advance{}", after_colon(why))
            }
            Self::Suspended => f.write_str("suspended by the canary's spec"),
            Self::AskingGate { gate } => write!(f, "asking {gate}"),
            Self::GateClosed { gate, words, .. } => {
                write!(f, "{gate} is closed{}", after_colon(words))
            }
            Self::CanaryStarting(ready) => write!(f, "waiting for the canary: {ready}"),
            Self::WeightPending {
                wanted,
                seen,
                trouble,
            } => {
                write!(
                    f,
                    "weight {wanted} is set and not read back from every proxy yet"
                )?;
                if let Some(seen) = seen {
                    write!(f, " (seen: {seen})")?;
                }
                f.write_str(&after_colon(trouble.as_deref().unwrap_or_default()))
            }
            Self::Soaking(place) => write!(f, "at {place}, until the next round of checks"),
            Self::Checking(place) => write!(f, "checking at {place}"),
            Self::CheckPassed {
                place,
                passed,
                needed,
            } => write!(f, "checks passed at {place}: {passed} of {needed} rounds"),
            Self::CheckFailed {
                words,
                failed,
                threshold,
            } => write!(f, "check failed ({failed} of {threshold}): {words}"),
            Self::CheckInconclusive { words, in_row } => {
                write!(f, "check inconclusive ({in_row} in a row): {words}")
            }
            Self::Advanced { from, place } => write!(f, "advanced from {from} to {place}"),
            Self::PromotionScaling(ready) => write!(f, "promoting: {ready}"),
            Self::PromotionShift { weight } => {
                write!(
                    f,
                    "promoting: traffic moves to the new version, now {weight}"
                )
            }
            Self::RolesSwapping => {
                f.write_str("promoting: the new version has all traffic and becomes the primary")
            }
            Self::Succeeded { version } => {
                write!(f, "{version} is promoted and has all traffic")
            }
            Self::Returning {
                to,
                seen,
                trouble,
                because,
            } => {
                if !because.is_empty() {
                    write!(f, "{because}; ")?;
                }
                write!(f, "returning traffic to {to}")?;
                if let Some(seen) = seen {
                    write!(f, " ({seen} is still on the change)")?;
                }
                f.write_str(&after_colon(trouble.as_deref().unwrap_or_default()))
            }
            Self::CannotReturn { to, words } => {
                write!(f, "cannot return to {to}{}", after_colon(words))
            }
            Self::ThresholdReached {
                words,
                failed,
                threshold,
            } => write!(
                f,
                "{failed} of {threshold} failed checks; the last: {words}"
            ),
            Self::FailedInRow { words, failed } => {
                let failed = count(*failed, "failed check");
                write!(f, "{failed} in a row; the last: {words}")
            }
            Self::FailedOfLast {
                words,
                failed,
                last,
            } => {
                let failed = count(*failed, "failed check");
                write!(f, "{failed} of the last {last}; the last: {words}")
            }
            Self::InconclusiveTooLong { words, rounds } => {
                write!(
                    f,
                    "{rounds} rounds in a row could not be judged; the last: {words}"
                )
            }
            Self::CrashLooping { version, words } => {
                write!(f, "{version} crashes again and again{}", after_colon(words))
            }
            Self::NotStartable { version, words } => {
                write!(f, "{version} cannot be started{}", after_colon(words))
            }
            Self::CanaryDown { version, weight } => {
                write!(
                    f,
                    "no instance of {version} is ready while it has {weight} of the traffic"
                )
            }
            Self::NotReadyInTime { readiness, seconds } => {
                write!(f, "not ready within {seconds} s: {readiness}")
            }
            Self::StageDeadline { stage, seconds } => {
                write!(f, "{stage} took longer than {seconds} s")
            }
            Self::RollbackHook { hook } => write!(f, "rollback hook {hook} asked for it"),
            Self::RetreatOrdered { why } => write!(f, "ordered back{}", after_colon(why)),
            Self::Superseded { by } => write!(f, "{by} takes its place"),
        }
    }
}
