//! Links made from templates: `https://grafana.example/d/1?var-cluster={{ cluster }}`.

use minijinja::{Environment, UndefinedBehavior, Value};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::message::{Link, Message};

/// A link that every message gets that knows all the names in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LinkTemplate {
    /// What is there (`dashboard`, `logs`, `trace`).
    pub name: String,
    /// The address; names stand in `{{ … }}`: project, plan, rollout, cluster, version, trace (the rollout's
    /// trace id), code, key, at (RFC 3339), at_ms (milliseconds since 1970), and labels as `labels.team`.
    /// Values are percent-encoded.
    pub url: String,
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
}

impl LinkTemplate {
    /// What is wrong with it, in words.
    pub fn problem(&self) -> Option<String> {
        if !self.url.starts_with("https://") && !self.url.starts_with("http://") {
            return Some("a link begins with https:// or http://".to_owned());
        }
        let error = environment().template_from_str(&self.url).err()?;
        Some(format!("the template cannot be read: {error}"))
    }

    /// The link for a message; none where the message lacks a name that the template needs.
    pub fn link(&self, message: &Message) -> Option<Link> {
        let url = environment().render_str(&self.url, names(message)).ok()?;
        Some(Link {
            name: self.name.clone(),
            url,
        })
    }
}

fn names(message: &Message) -> Value {
    let safe = |text: &str| Value::from(utf8_percent_encode(text, NON_ALPHANUMERIC).to_string());
    let subject = &message.subject;
    let known = [
        ("project", &subject.project),
        ("plan", &subject.plan),
        ("rollout", &subject.rollout),
        ("cluster", &subject.cluster),
        ("version", &subject.version),
        ("trace", &subject.trace),
    ];
    let labels = subject
        .labels
        .iter()
        .map(|(name, value)| (name.as_str(), safe(value)));
    let mut names: Vec<(&str, Value)> = known
        .into_iter()
        .filter_map(|(name, value)| value.as_deref().map(|value| (name, safe(value))))
        .collect();
    names.push(("code", safe(&message.code)));
    names.push(("key", safe(&message.key)));
    names.push(("at", safe(&message.at.to_string())));
    names.push(("at_ms", message.at.as_millisecond().into()));
    names.push(("labels", Value::from_pairs(labels)));
    Value::from_pairs(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::tests::message;

    fn template(url: &str) -> LinkTemplate {
        LinkTemplate {
            name: "dashboard".into(),
            url: url.into(),
        }
    }

    #[test]
    fn a_link_carries_the_messages_names_percent_encoded() {
        let mut message = message();
        message.subject.cluster = Some("eu 1&x=y".into());
        message.subject.trace = Some("01ab".into());
        let link = template(
            "https://g.example/{{ trace }}?c={{ cluster }}&t={{ labels.team }}&at={{ at_ms }}",
        );
        assert_eq!(
            link.link(&message).unwrap().url,
            "https://g.example/01ab?c=eu%201%26x%3Dy&t=payments&at=1790000000000"
        );
    }

    #[test]
    fn a_message_that_lacks_a_name_gets_no_broken_link() {
        let mut message = message();
        message.subject.cluster = None;
        assert_eq!(
            template("https://g.example/{{ cluster }}").link(&message),
            None
        );
    }

    #[test]
    fn a_template_that_cannot_be_read_is_a_problem_of_the_settings() {
        assert!(template("https://g.example/{{ cluster").problem().is_some());
        assert!(template("javascript:alert(1)").problem().is_some());
        assert_eq!(template("https://g.example/{{ cluster }}").problem(), None);
    }
}
