//! The settings file: channels by name, routes, links. It holds no secret, only where each is kept.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    channel::Channel,
    message::{Link, Message},
    route::{self, Place, Route},
    template::LinkTemplate,
};

/// All that is told to whom.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// Where messages can go, by name.
    #[serde(default)]
    pub channels: BTreeMap<String, Channel>,
    /// Which go where.
    #[serde(default)]
    pub routes: Vec<Route>,
    /// Links that messages carry.
    #[serde(default)]
    pub links: Vec<LinkTemplate>,
}

/// The settings cannot be used: what, where, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SettingsError {
    /// Line and column, where the text itself cannot be read.
    pub place: Option<(u64, u64)>,
    /// One line a problem.
    pub problems: Vec<String>,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.place {
            write!(f, "line {line}, column {column}: ")?;
        }
        f.write_str(&self.problems.join("; "))
    }
}

impl Settings {
    /// Reads YAML and checks it.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let settings: Self = serde_saphyr::from_str(text).map_err(|error| SettingsError {
            place: error.location().map(|at| (at.line(), at.column())),
            problems: vec![
                error
                    .without_snippet()
                    .to_string()
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
            ],
        })?;
        let problems = settings.problems();
        if problems.is_empty() {
            return Ok(settings);
        }
        Err(SettingsError {
            place: None,
            problems,
        })
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, channel) in &self.channels {
            for (field, words) in channel.problems() {
                let kind = channel.kind();
                problems.push(format!("channels.{name}.{kind}.{field}: {words}"));
            }
        }
        for (index, route) in self.routes.iter().enumerate() {
            if route.to.is_empty() {
                problems.push(format!("routes[{index}].to: name at least one channel"));
            }
            for name in route
                .to
                .iter()
                .filter(|name| !self.channels.contains_key(*name))
            {
                let known: Vec<&str> = self.channels.keys().map(String::as_str).collect();
                problems.push(format!(
                    "routes[{index}].to: there is no channel {name:?}; there are: {}",
                    known.join(", ")
                ));
            }
            if let Some(words) = route.quiet_hours.as_ref().and_then(|hours| hours.problem()) {
                problems.push(format!("routes[{index}].quietHours: {words}"));
            }
        }
        for (index, link) in self.links.iter().enumerate() {
            if let Some(words) = link.problem() {
                problems.push(format!("links[{index}].url: {words}"));
            }
        }
        problems
    }

    /// Channels by name for a message, and until when each waits.
    pub fn places(&self, message: &Message, now: Timestamp) -> BTreeMap<String, Place> {
        route::places(&self.routes, message, now)
    }

    /// The links that a message gets.
    pub fn links(&self, message: &Message) -> Vec<Link> {
        self.links
            .iter()
            .filter_map(|template| template.link(message))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_everything_is_read() {
        let text = "
channels:
  room: {slack: {url: {file: /run/secrets/slack}, room: '#payments'}}
  pager: {pagerduty: {key: {env: PAGERDUTY_KEY}}}
  post: {email: {host: mail.example, from: 'Flagship <f@example.com>', to: [a@example.com]}}
routes:
  - {to: [room], quietHours: {from: '22:00', to: '07:00', timezone: Europe/Berlin, days: [mon, tue]}}
  - {minSeverity: critical, to: [pager, post]}
links:
  - {name: dashboard, url: 'https://grafana.example/d/1?c={{ cluster }}'}
";
        let settings = Settings::parse(text).unwrap();
        assert_eq!(settings.channels.len(), 3);
        let again = serde_json::to_string(&settings).unwrap();
        assert_eq!(
            Settings::parse(&again).unwrap(),
            settings,
            "JSON is YAML too"
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place_and_remedy() {
        let unknown = Settings::parse("channels:\n  a: {slack: {uri: {file: x}}}\n").unwrap_err();
        assert_eq!(unknown.place.map(|(line, _)| line), Some(2), "{unknown}");
        let table = [
            ("routes: [{to: [b]}]", "there is no channel \"b\""),
            ("routes: [{to: []}]", "name at least one channel"),
            (
                "channels: {a: {email: {host: h, from: f, to: []}}}",
                "channels.a.email.to",
            ),
            (
                "channels: {a: {email: {host: h, from: f, to: [x], tls: none, username: u, password: {env: P}}}}",
                "without TLS",
            ),
            ("links: [{name: x, url: 'ftp://x'}]", "links[0].url"),
        ];
        for (text, expected) in table {
            let error = Settings::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
