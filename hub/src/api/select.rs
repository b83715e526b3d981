//! Selectors of lists as text, written as Kubernetes writes them: `state!=Succeeded,project in (shop,pay)`.
//! What is selected by are the fields that a list names, and labels where its items have any.

use flagship_proto::model::scope::{Expression, Operator};

use super::{error::ApiError, listed::Listed};

/// The longest selector that is read.
const LONGEST: usize = 4000;

/// All of these must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Select(Vec<Expression>);

impl Select {
    /// Reads a selector over the items of one list.
    pub fn read<I: Listed>(text: &str) -> Result<Self, ApiError> {
        if text.len() > LONGEST {
            return Err(refusal(format!(
                "the selector has more than {LONGEST} bytes"
            )));
        }
        let terms = terms(text).into_iter().map(term);
        let expressions = terms.collect::<Result<Vec<Expression>, ApiError>>()?;
        let knows = |key: &str| I::LABELS || I::FIELDS.iter().any(|(name, _)| *name == key);
        match expressions.iter().find(|one| !knows(&one.key)) {
            None => Ok(Self(expressions)),
            Some(unknown) => {
                let names: Vec<&str> = I::FIELDS.iter().map(|(name, _)| *name).collect();
                let what = format!("{} are not selected by {:?}", I::LIST, unknown.key);
                Err(refusal(what).remedy(&format!("use {}", names.join(", "))))
            }
        }
    }

    /// Whether an item is meant.
    pub fn matches<I: Listed>(&self, item: &I) -> bool {
        self.0.iter().all(|one| {
            let field = I::FIELDS.iter().find(|(name, _)| *name == one.key);
            let value = match field {
                Some((_, value)) => value(item),
                None => item
                    .labels()
                    .and_then(|labels| labels.get(&one.key))
                    .cloned(),
            };
            one.holds(value.as_ref())
        })
    }
}

/// Splits at the commas that are outside parentheses.
fn terms(text: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    text.split(move |letter| {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    })
    .collect()
}

fn term(text: &str) -> Result<Expression, ApiError> {
    let text = text.trim();
    let (key, operator, values) = if let Some((key, value)) = text.split_once("!=") {
        (key, Operator::NotIn, vec![value])
    } else if let Some((key, value)) = text.split_once("==") {
        (key, Operator::In, vec![value])
    } else if let Some((key, value)) = text.split_once('=') {
        (key, Operator::In, vec![value])
    } else if let Some((key, values)) = set(text, " notin") {
        (key, Operator::NotIn, values)
    } else if let Some((key, values)) = set(text, " in") {
        (key, Operator::In, values)
    } else if let Some(key) = text.strip_prefix('!') {
        (key, Operator::DoesNotExist, Vec::new())
    } else {
        (text, Operator::Exists, Vec::new())
    };
    let key = key.trim();
    let is_odd =
        |letter: char| letter.is_whitespace() || letter.is_control() || "()!=,".contains(letter);
    if key.is_empty() || key.contains(is_odd) {
        return Err(refusal(format!("{text:?} is no part of a selector")));
    }
    Ok(Expression {
        key: key.to_owned(),
        operator,
        values: values.iter().map(|value| value.trim().to_owned()).collect(),
    })
}

/// `KEY in (A,B)`, taken apart.
fn set<'a>(text: &'a str, word: &str) -> Option<(&'a str, Vec<&'a str>)> {
    let (head, list) = text.strip_suffix(')')?.split_once('(')?;
    let key = head.trim_end().strip_suffix(word)?;
    Some((key, list.split(',').collect()))
}

fn refusal(what: String) -> ApiError {
    ApiError::bad("query.selector", what)
        .field("selector")
        .remedy("write key=value, key!=value, key in (a,b), key notin (a,b), key or !key, with commas between")
}
