//! Which channels a message goes to, and from when on.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    message::{Message, Severity},
    quiet::QuietHours,
};

/// A rule. All rules that match count; a channel gets a message once, by the rule that sends soonest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Route {
    /// Only these projects; all unless told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub projects: Vec<String>,
    /// Only plans with all these labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Only what begins with one of these (`abort`, `rollout.failed`); everything unless told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<String>,
    /// Only what matters at least so much.
    #[serde(default)]
    pub min_severity: Severity,
    /// Names of channels.
    pub to: Vec<String>,
    /// When messages wait; an abort and a cluster that could not stop never do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<QuietHours>,
}

impl Route {
    fn matches(&self, message: &Message) -> bool {
        let subject = &message.subject;
        // What concerns the whole fleet concerns every project in it.
        let is_for_all = message.never_muted && subject.project.is_none();
        let project = self.projects.is_empty()
            || is_for_all
            || subject
                .project
                .as_ref()
                .is_some_and(|project| self.projects.contains(project));
        let labels = is_for_all
            || self
                .match_labels
                .iter()
                .all(|(name, value)| subject.labels.get(name) == Some(value));
        let code = self.codes.is_empty()
            || self.codes.iter().any(|known| {
                let rest = message.code.strip_prefix(known.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            });
        project && labels && code
    }
}

/// When a channel gets a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// It matters too little for this channel, and goes there only to close a story that was opened
    /// there.
    pub only_closes: bool,
    /// Until when it waits; none is at once.
    pub until: Option<Timestamp>,
}

/// Channels by name, and when each gets the message.
pub fn places(routes: &[Route], message: &Message, now: Timestamp) -> BTreeMap<String, Place> {
    let mut places = BTreeMap::new();
    for route in routes.iter().filter(|route| route.matches(message)) {
        let only_closes = message.severity < route.min_severity;
        if only_closes && !message.resolves {
            continue;
        }
        let hours = route.quiet_hours.as_ref().filter(|_| !message.never_muted);
        let place = Place {
            only_closes,
            until: hours.and_then(|hours| hours.until(now)),
        };
        for channel in &route.to {
            let known = places.entry(channel.clone()).or_insert(place);
            // `false` and `None` sort first: for certain, and at once.
            *known = (*known).min(place);
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::tests::message;

    fn routes(text: &str) -> Vec<Route> {
        serde_saphyr::from_str(text).unwrap()
    }

    fn to(routes: &[Route], message: &Message) -> Vec<String> {
        places(routes, message, message.at).into_keys().collect()
    }

    #[test]
    fn a_message_goes_where_project_labels_code_and_severity_match() {
        let routes = routes(
            "[{to: [all]}, {projects: [shop], to: [shop]}, {projects: [bank], to: [bank]}, \
             {matchLabels: {team: payments}, to: [team]}, {matchLabels: {team: search}, to: [other]}, \
             {codes: [rollout], to: [rollouts]}, {codes: [roll], to: [half]}, \
             {minSeverity: critical, to: [pager]}]",
        );
        assert_eq!(to(&routes, &message()), ["all", "rollouts", "shop", "team"]);
        let critical = Message {
            severity: Severity::Critical,
            ..message()
        };
        assert!(to(&routes, &critical).contains(&"pager".into()));
        let resolved = Message {
            resolves: true,
            ..message()
        };
        assert!(places(&routes, &resolved, resolved.at)["pager"].only_closes);
    }

    #[test]
    fn quiet_hours_never_mute_an_abort_and_what_concerns_all_reaches_all() {
        let routes = routes(
            "[{projects: [bank], to: [bank], \
              quietHours: {from: '00:00', to: '23:59', timezone: UTC}}]",
        );
        let mut message = message();
        message.subject.project = Some("bank".into());
        let waits = places(&routes, &message, message.at);
        assert!(waits["bank"].until.is_some_and(|until| until > message.at));
        message.never_muted = true;
        assert_eq!(places(&routes, &message, message.at)["bank"].until, None);
        message.subject.project = None;
        assert_eq!(to(&routes, &message), ["bank"], "an abort of the fleet");
    }

    #[test]
    fn a_channel_gets_a_message_once_by_the_rule_that_sends_soonest() {
        let routes = routes(
            "[{to: [a], quietHours: {from: '00:00', to: '23:59', timezone: UTC}}, {to: [a]}]",
        );
        let message = message();
        assert_eq!(places(&routes, &message, message.at)["a"].until, None);
    }
}
