//! How answers are printed: for people, as the API's own JSON or YAML, or only what a path picks.

use std::{fmt, str::FromStr};

use serde::Serialize;
use serde_json::Value;
use serde_json_path::JsonPath;

use crate::cli::exit::{CliError, Exit};

/// How answers are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For people, with more columns and nothing cut.
    Wide,
    /// The API's own answer.
    Json,
    /// The same as YAML.
    Yaml,
    /// What a path picks out of it, one a line.
    Path(Pick),
}

/// A JSONPath (RFC 9535). A command line has one, and keeps it to its end.
#[derive(Clone, Copy)]
pub struct Pick(&'static JsonPath);

impl Format {
    /// The words that can be typed, for help and completion.
    pub const WORDS: &[&str] = &["table", "wide", "json", "yaml", "jsonpath="];

    /// Whether it is a text for people.
    pub fn for_people(self) -> bool {
        match self {
            Self::Table | Self::Wide => true,
            Self::Json | Self::Yaml | Self::Path(_) => false,
        }
    }

    /// A value in this form; `text` makes the form for people.
    pub fn encode<T: Serialize>(
        self,
        value: &T,
        text: impl FnOnce() -> String,
    ) -> Result<String, CliError> {
        match self {
            Self::Table | Self::Wide => Ok(text()),
            Self::Json => serde_json::to_string_pretty(value)
                .map(|json| json + "\n")
                .map_err(cannot),
            Self::Yaml => serde_saphyr::to_string(value).map_err(cannot),
            Self::Path(pick) => pick.of(value),
        }
    }

    /// A value on one line of its own, for what goes on and on; YAML would need separators that nobody
    /// splits.
    pub fn line<T: Serialize>(self, value: &T) -> Result<String, CliError> {
        match self {
            Self::Path(pick) => pick.of(value),
            Self::Table | Self::Wide | Self::Json | Self::Yaml => serde_json::to_string(value)
                .map(|json| json + "\n")
                .map_err(cannot),
        }
    }
}

fn cannot(error: impl fmt::Display) -> CliError {
    CliError::new(Exit::Error, format!("cannot encode: {error}"))
}

impl Pick {
    fn of<T: Serialize>(self, value: &T) -> Result<String, CliError> {
        let value = serde_json::to_value(value).map_err(cannot)?;
        let found = self.0.query(&value);
        Ok(found.iter().map(|node| plain(node) + "\n").collect())
    }
}

/// A text without its quotes, anything else as JSON.
fn plain(node: &Value) -> String {
    match node {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            node.to_string()
        }
    }
}

impl fmt::Debug for Pick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pick({})", self.0)
    }
}

impl PartialEq for Pick {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Pick {}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table => f.write_str("table"),
            Self::Wide => f.write_str("wide"),
            Self::Json => f.write_str("json"),
            Self::Yaml => f.write_str("yaml"),
            Self::Path(pick) => write!(f, "jsonpath={}", pick.0),
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "table" => Ok(Self::Table),
            "wide" => Ok(Self::Wide),
            "json" => Ok(Self::Json),
            "yaml" => Ok(Self::Yaml),
            _ => match text.split_once('=') {
                Some(("jsonpath", path)) => pick(path).map(Self::Path),
                Some(_) | None => Err("use table, wide, json, yaml or jsonpath=PATH".to_owned()),
            },
        }
    }
}

/// Reads a path as RFC 9535 has it, and as kubectl does: `$.items[*].name`, `{.items[*].name}`.
fn pick(text: &str) -> Result<Pick, String> {
    let bare = text
        .trim()
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
        .unwrap_or(text.trim());
    let rooted = if bare.starts_with('$') {
        bare.to_owned()
    } else if bare.starts_with(['.', '[']) {
        format!("${bare}")
    } else {
        format!("$.{bare}")
    };
    let path = JsonPath::parse(&rooted)
        .map_err(|error| format!("{text:?} is not a path: {error}; write it as $.items[*].name"))?;
    Ok(Pick(Box::leak(Box::new(path))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn picked(path: &str) -> String {
        let value = json!({"items": [
            {"name": "eu-1", "connected": true, "labels": {"region": "eu"}},
            {"name": "us-1", "connected": false, "labels": {"region": "us"}},
        ]});
        let format: Format = format!("jsonpath={path}").parse().unwrap();
        format.encode(&value, String::new).unwrap()
    }

    #[test]
    fn a_path_picks_values_a_line_each_texts_without_quotes() {
        assert_eq!(picked("$.items[*].name"), "eu-1\nus-1\n");
        assert_eq!(picked("{.items[*].name}"), "eu-1\nus-1\n");
        assert_eq!(picked("items[0].connected"), "true\n");
        assert_eq!(picked("$.items[0].labels"), "{\"region\":\"eu\"}\n");
        assert_eq!(picked("$.items[?@.connected==false].name"), "us-1\n");
        assert_eq!(picked("$.nothing"), "");
    }

    #[test]
    fn what_is_no_format_is_answered_with_those_that_are() {
        let error = "xml".parse::<Format>().unwrap_err();
        assert!(error.contains("jsonpath=PATH"), "{error}");
        let error = "jsonpath=$.items[".parse::<Format>().unwrap_err();
        assert!(error.contains("$.items[*].name"), "{error}");
        for word in ["table", "wide", "json", "yaml"] {
            assert_eq!(word.parse::<Format>().unwrap().to_string(), word);
        }
    }
}
