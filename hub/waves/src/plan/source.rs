//! The text of a plan as a tree in which each value knows its line and column.
//!
//! What reads the tree: [`super::parse`], which makes the typed plan of it and says where a field
//! is wrong; lint, which says where a field stands. The parser's work is bounded, so that no short
//! text (aliases of aliases, deep nesting) can make it long.

use std::fmt;

use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Spanned, budget, options};

/// A place in a text, from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: u64,
    pub(super) column: u64,
}

/// One value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    place: Place,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Scalar(Value),
    List(Vec<Node>),
    Fields(Vec<(String, Place, Node)>),
}

/// A text that is no tree at all.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) place: Place,
    pub(super) message: String,
}

/// Reads YAML; JSON is YAML too.
pub(super) fn read(text: &str) -> Result<Node, Unreadable> {
    let mut options = options! {
        budget: budget! {
            max_events: 100_000,
            max_nodes: 50_000,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_recorded_anchor_events: 50_000,
            max_depth: 40,
            flow_nesting_limit: 40,
            max_documents: 2,
        },
        strict_booleans: true,
        with_snippet: false,
    };
    options.alias_limits.max_total_replayed_events = 20_000;
    options.alias_limits.max_replay_stack_depth = 8;
    options.alias_limits.max_alias_expansions_per_anchor = 200;
    serde_saphyr::from_str_with_options(text, options).map_err(|error| Unreadable {
        place: error.location().map(place_of).unwrap_or_default(),
        message: plain(&error.without_snippet().to_string()),
    })
}

/// The parser's first line, without its own "at line …".
fn plain(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let end = line.find(" at line ").unwrap_or(line.len());
    let end = line.find(" (line ").unwrap_or(end);
    line[..end].to_owned()
}

fn place_of(location: serde_saphyr::Location) -> Place {
    Place {
        line: location.line(),
        column: location.column(),
    }
}

impl Node {
    /// The tree without its places.
    pub(super) fn value(&self) -> Value {
        match &self.kind {
            Kind::Scalar(value) => value.clone(),
            Kind::List(items) => items.iter().map(Self::value).collect(),
            Kind::Fields(fields) => Value::Object(
                fields
                    .iter()
                    .map(|(key, _, node)| (key.clone(), node.value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// Where a field stands; where it is absent, the nearest thing around it.
    pub(super) fn place(&self, field: &str) -> Place {
        self.walk(field).0
    }

    /// Whether a field is in the text.
    pub(super) fn has(&self, field: &str) -> bool {
        self.find(field).is_some()
    }

    /// How many elements a list has; none if it is no list.
    pub(super) fn list_len(&self, field: &str) -> Option<usize> {
        match &self.find(field)?.kind {
            Kind::List(items) => Some(items.len()),
            Kind::Scalar(_) | Kind::Fields(_) => None,
        }
    }

    fn find(&self, field: &str) -> Option<&Self> {
        let (_, node, whole) = self.walk_to(field);
        whole.then_some(node)
    }

    fn walk(&self, field: &str) -> (Place, &Self) {
        let (place, node, _) = self.walk_to(field);
        (place, node)
    }

    /// The place of the last part that is there, its value, and whether that was the whole path.
    fn walk_to(&self, field: &str) -> (Place, &Self, bool) {
        let (mut place, mut node) = (self.place, self);
        let mut rest = field;
        while !rest.is_empty() {
            let Some((next_place, next, left)) = node.descend(rest) else {
                return (place, node, false);
            };
            (place, node, rest) = (next_place, next, left);
        }
        (place, node, true)
    }

    /// One part of a path: `[3]`, or the longest key that fits (keys may hold dots).
    fn descend<'n, 'p>(&'n self, path: &'p str) -> Option<(Place, &'n Self, &'p str)> {
        match &self.kind {
            Kind::Scalar(_) => None,
            Kind::List(items) => {
                let (index, left) = path.strip_prefix('[')?.split_once(']')?;
                let node = items.get(index.parse::<usize>().ok()?)?;
                Some((node.place, node, left.strip_prefix('.').unwrap_or(left)))
            }
            Kind::Fields(fields) => fields
                .iter()
                .filter_map(|(key, place, node)| {
                    let left = path.strip_prefix(key.as_str())?;
                    let ends = left.is_empty() || left.starts_with(['.', '[']);
                    ends.then(|| (*place, node, left.strip_prefix('.').unwrap_or(left)))
                })
                .min_by_key(|(_, _, left)| left.len()),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Kind>::deserialize(deserializer)?;
        Ok(Self {
            place: place_of(spanned.referenced),
            kind: spanned.value,
        })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> de::Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, a list or fields")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Kind, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("not a finite number"))?;
        Ok(Kind::Scalar(number.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Kind, E> {
        Ok(Kind::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        Kind::deserialize(deserializer)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Kind, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Kind::List(items))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let mut fields = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let node = map.next_value()?;
            fields.push((key.value, place_of(key.referenced), node));
        }
        Ok(Kind::Fields(fields))
    }
}
