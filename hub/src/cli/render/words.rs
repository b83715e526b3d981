//! Small texts that every page uses: times, ages, bars, banners, a heading with its value.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::{
    api::types::{Banner, ClusterView, MORE, MORE_ABORTS, NotHeardView, RolloutCluster, Why},
    cli::output::{Look, Tone},
};

/// A duration in its two largest units: `42s`, `3m05s`, `2h10m`, `4d03h`.
pub fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 if duration.as_millis() > 0 => format!("{}ms", duration.as_millis()),
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// The same from milliseconds.
pub fn millis(milliseconds: u64) -> String {
    span(Duration::from_millis(milliseconds))
}

/// How long ago something was; a clock that lies ahead gives `0s`.
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    let past = now.duration_since(then);
    let past = if past < SignedDuration::ZERO {
        Duration::ZERO
    } else {
        past.unsigned_abs()
    };
    span(Duration::from_secs(past.as_secs()))
}

/// When an agent was last heard, as a view says it.
#[derive(Debug, Clone, Copy)]
pub struct Heard {
    /// When, as far as is known.
    pub last: Option<Timestamp>,
    /// When the hub began, if it has not heard it since.
    pub unheard_since: Option<Timestamp>,
}

/// `3m05s ago`, or `never`; of a hub that has not heard it since it began, that, and what it knows
/// from before.
pub fn heard(heard: Heard, now: Timestamp) -> String {
    match (heard.last, heard.unheard_since) {
        (None, _) => "never".to_owned(),
        (Some(last), None) => format!("{} ago", ago(last, now)),
        (Some(last), Some(began)) => format!(
            "not since the hub started at {}; before that at {}",
            clock(began, now),
            clock(last, now)
        ),
    }
}

macro_rules! can_be_heard {
    ($($view:ty),*) => {$(
        impl $view {
            pub(in crate::cli) fn heard(&self) -> Heard {
                Heard {
                    last: self.last_heard,
                    unheard_since: self.unheard_since,
                }
            }
        }
    )*};
}

can_be_heard!(ClusterView, RolloutCluster, NotHeardView);

/// A time of day in UTC, with the date where it is not today.
pub fn clock(then: Timestamp, now: Timestamp) -> String {
    let form = if then.strftime("%F").to_string() == now.strftime("%F").to_string() {
        "%H:%M:%SZ"
    } else {
        "%F %H:%M:%SZ"
    };
    then.strftime(form).to_string()
}

/// A bar of `width` cells for a share in per cent.
pub fn bar(per_cent: u8, width: usize) -> String {
    let full = (usize::from(per_cent) * width).div_ceil(100).min(width);
    let full = if per_cent < 100 && full == width && width > 1 {
        width - 1
    } else {
        full
    };
    format!("{}{}", "█".repeat(full), "░".repeat(width - full))
}

/// A reason and since when it holds: `waits for x, since 10:00:00Z (3m05s)`.
pub fn why(reason: &Why, now: Timestamp) -> String {
    let message = if reason.message.is_empty() {
        &reason.code
    } else {
        &reason.message
    };
    match reason.since {
        Some(since) if !message.is_empty() => {
            format!(
                "{message}, since {} ({})",
                clock(since, now),
                ago(since, now)
            )
        }
        Some(_) | None => message.clone(),
    }
}

/// The word above everything else: what is so.
pub fn banner_word(banner: &Banner) -> &'static str {
    match banner.kind.as_str() {
        "freeze" | MORE => "FROZEN",
        "behind" => "HALTED",
        "serving" => "NOT FIXED",
        "stays" => "STAYS",
        "unknown" => "UNKNOWN",
        _ => "STOPPED",
    }
}

/// What the command under it does.
pub fn banner_remedy(banner: &Banner) -> &'static str {
    match banner.kind.as_str() {
        "serving" => "to take it back",
        "stays" => "to take it back too",
        "lifted" => "to see it",
        MORE | MORE_ABORTS => "to see them",
        _ => "to end it",
    }
}

/// Standing aborts and freezes, above everything else.
pub fn banners(look: Look, banners: &[Banner], now: Timestamp) -> String {
    banners
        .iter()
        .map(|banner| {
            let line = format!(
                "{:<8} {} (since {}, {})",
                banner_word(banner),
                banner.text,
                clock(banner.since, now),
                ago(banner.since, now)
            );
            let mut remedies = banner.remedy.lines();
            let first = remedies.next().unwrap_or_default();
            let more: String = remedies
                .map(|more| format!("         or: {more}\n"))
                .collect();
            format!(
                "{}\n         {}: {first}\n{more}",
                look.paint(Tone::Bad, &line),
                banner_remedy(banner)
            )
        })
        .collect()
}

/// `name` and its value in a page of facts.
pub fn fact(name: &str, value: &str) -> String {
    if value.is_empty() {
        return String::new();
    }
    format!("{:<12} {value}\n", format!("{name}:"))
}

/// The tone in which a state is shown.
pub fn tone(state: &str) -> Tone {
    match state {
        "Succeeded" | "Done" | "Active" | "Accepted" | "Returned" => Tone::Good,
        "Progressing" | "Running" | "Ordered" | "Soaking" | "Promoting" | "Finalising" => {
            Tone::Busy
        }
        "Paused" | "Pending" | "Retreating" | "RolledBack" | "Skipped" | "Unreachable"
        | "Superseded" | "Quarantined" | "Left" => Tone::Warn,
        "Failed" | "Aborted" | "Removed" => Tone::Bad,
        _ => Tone::Dim,
    }
}

/// A state padded to a column and painted.
pub fn state(look: Look, text: &str, width: usize) -> String {
    look.paint(tone(text), &format!("{text:<width$}"))
}

/// So many names are read in a sentence; of more, the rest is counted.
const NAMED: usize = 12;

/// Names in a sentence; of many only the first, unless nothing may be cut.
pub fn several(look: Look, names: &[String]) -> String {
    if names.len() <= NAMED || look.is_whole() {
        return names.join(", ");
    }
    let (first, rest) = names.split_at(NAMED);
    format!("{} and {} more", first.join(", "), rest.len())
}
