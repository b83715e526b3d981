//! Quiet hours: when a message waits for the morning. What may never wait says so itself.

use jiff::{
    Timestamp, ToSpan as _, Zoned,
    civil::{Time, Weekday},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};

/// A time of day in which only what matters now is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuietHours {
    /// When it begins, local time (`22:00`).
    pub from: Time,
    /// When it ends; before `from` means the next day.
    pub to: Time,
    /// The time zone, by its IANA name (`Europe/Berlin`).
    pub timezone: String,
    /// The days on which it begins; every day unless told (`[mon, tue, …]`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Day>,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl QuietHours {
    /// What is wrong with it, in words.
    pub fn problem(&self) -> Option<String> {
        if let Err(error) = TimeZone::get(&self.timezone) {
            return Some(format!(
                "time zone {:?} is not known ({error}): use a name such as Europe/Berlin",
                self.timezone
            ));
        }
        (self.from == self.to).then(|| "from and to are the same: nothing is quiet".to_owned())
    }

    /// If it is quiet, when that ends. A zone that is not known is never quiet: a message that comes
    /// at night is better than one that does not come.
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        let zone = TimeZone::get(&self.timezone).ok()?;
        let here = now.to_zoned(zone);
        let yesterday = here.checked_sub(1.day()).ok()?;
        [yesterday, here]
            .into_iter()
            .filter_map(|day| self.window(&day))
            .find(|(begins, ends)| (*begins..*ends).contains(&now))
            .map(|(_, ends)| ends)
    }

    /// The window that begins on this day, if one does.
    fn window(&self, day: &Zoned) -> Option<(Timestamp, Timestamp)> {
        let begins = self.days.is_empty()
            || self
                .days
                .iter()
                .any(|known| known.weekday() == day.weekday());
        if !begins {
            return None;
        }
        let date = day.date();
        let last = if self.to > self.from {
            date
        } else {
            date.tomorrow().ok()?
        };
        let at = |date: jiff::civil::Date, time: Time| {
            let zoned = date.to_datetime(time).to_zoned(day.time_zone().clone());
            zoned.ok().map(|zoned| zoned.timestamp())
        };
        Some((at(date, self.from)?, at(last, self.to)?))
    }
}

impl Day {
    fn weekday(self) -> Weekday {
        match self {
            Self::Mon => Weekday::Monday,
            Self::Tue => Weekday::Tuesday,
            Self::Wed => Weekday::Wednesday,
            Self::Thu => Weekday::Thursday,
            Self::Fri => Weekday::Friday,
            Self::Sat => Weekday::Saturday,
            Self::Sun => Weekday::Sunday,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(from: &str, to: &str, days: &[Day]) -> QuietHours {
        QuietHours {
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            timezone: "Europe/Berlin".into(),
            days: days.to_vec(),
        }
    }

    fn until(hours: &QuietHours, now: &str) -> Option<String> {
        let now: Timestamp = now.parse().unwrap();
        hours.until(now).map(|at| at.to_string())
    }

    #[test]
    fn a_night_ends_in_the_morning_by_local_time() {
        // Berlin is at +01:00 in November and at +02:00 in July.
        let night = hours("22:00", "07:00", &[]);
        let table = [
            ("2026-11-25T20:59:59Z", None),
            ("2026-11-25T21:00:00Z", Some("2026-11-26T06:00:00Z")),
            ("2026-11-26T05:59:59Z", Some("2026-11-26T06:00:00Z")),
            ("2026-11-26T06:00:00Z", None),
            ("2026-07-01T20:30:00Z", Some("2026-07-02T05:00:00Z")),
            // The night in which clocks go back ends by the new time.
            ("2026-10-25T00:30:00Z", Some("2026-10-25T06:00:00Z")),
        ];
        for (now, expected) in table {
            assert_eq!(until(&night, now).as_deref(), expected, "at {now}");
        }
    }

    #[test]
    fn a_day_is_the_one_on_which_it_begins() {
        let friday = hours("22:00", "07:00", &[Day::Fri]);
        assert!(
            until(&friday, "2026-11-27T23:00:00Z").is_some(),
            "Friday night"
        );
        assert!(
            until(&friday, "2026-11-28T05:00:00Z").is_some(),
            "its morning"
        );
        assert!(
            until(&friday, "2026-11-28T23:00:00Z").is_none(),
            "Saturday night"
        );
        let noon = hours("12:00", "13:00", &[]);
        assert!(until(&noon, "2026-11-28T11:30:00Z").is_some());
    }

    #[test]
    fn a_zone_that_is_not_known_is_named_and_never_quiet() {
        let mut hours = hours("00:00", "23:59", &[]);
        hours.timezone = "Europe/Berlln".into();
        assert!(hours.problem().unwrap().contains("Europe/Berlln"));
        assert_eq!(until(&hours, "2026-11-28T11:30:00Z"), None);
    }
}
