//! A plan's text (YAML, or JSON, which is YAML too) → [`Plan`], or what is wrong and where.

use flagship_proto::model::text::on_one_line;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use super::{Finding, Plan, Severity, lint, source::Node};

/// The longest text that is looked at.
pub const MAX_PLAN_BYTES: usize = 256 * 1024;

/// So many unknown fields are told at once.
const MOST_UNKNOWN: usize = 20;

/// A plan that can be stored, or findings of which at least one is an error. Not yet supported
/// parts are errors too: what this returns can be executed.
pub fn parse_plan(text: &str) -> Result<Plan, Vec<Finding>> {
    let (plan, findings) = check_plan(text);
    plan.ok_or(findings)
}

/// The plan, if nothing is wrong with it, and all findings, warnings and notes too.
pub fn check_plan(text: &str) -> (Option<Plan>, Vec<Finding>) {
    let (node, plan, mut findings) = read_plan(text);
    let readable = !lint::has_errors(&findings);
    if let (Some(node), Some(plan), true) = (&node, &plan, readable) {
        findings.extend(lint::form(plan, node));
    }
    if let Some(node) = &node {
        place(node, &mut findings);
    }
    for finding in &mut findings {
        // What is not known is told in the words of who wrote it, and takes no line of its own.
        finding.field = on_one_line(&finding.field);
        finding.message = on_one_line(&finding.message);
    }
    findings.sort_by_key(|finding| (finding.line, finding.column));
    let sound = !lint::has_errors(&findings);
    (plan.filter(|_| sound), findings)
}

/// Fills in line and column of findings about a plan that was made of this text.
pub fn locate(text: &str, findings: &mut [Finding]) {
    if text.len() <= MAX_PLAN_BYTES
        && let Ok(node) = super::source::read(text)
    {
        place(&node, findings);
    }
}

fn place(node: &Node, findings: &mut [Finding]) {
    for finding in findings.iter_mut().filter(|finding| finding.line == 0) {
        let place = node.place(&finding.field);
        finding.line = place.line;
        finding.column = place.column;
    }
}

fn read_plan(text: &str) -> (Option<Node>, Option<Plan>, Vec<Finding>) {
    if text.len() > MAX_PLAN_BYTES {
        let finding = Finding::error("", "the file is too long")
            .remedy(format!("use at most {} KiB", MAX_PLAN_BYTES / 1024));
        return (None, None, vec![finding]);
    }
    if text.trim().is_empty() {
        let finding = Finding::error("", "the file is empty")
            .remedy("write a plan: apiVersion, kind, metadata, spec");
        return (None, None, vec![finding]);
    }
    let node = match super::source::read(text) {
        Ok(node) => node,
        Err(unreadable) => {
            let finding = Finding {
                severity: Severity::Error,
                line: unreadable.place.line,
                column: unreadable.place.column,
                field: String::new(),
                message: unreadable.message,
                remedy: "write it as YAML or JSON, one document a file".to_owned(),
            };
            return (None, None, vec![finding]);
        }
    };
    let mut value = node.value();
    if !value.is_object() {
        let finding = Finding::error("", "a plan is fields, this is something else")
            .remedy("write apiVersion, kind, metadata, spec");
        return (Some(node), None, vec![finding]);
    }
    let mut findings = lint::before_types(&node, &mut value);
    loop {
        match serde_path_to_error::deserialize::<_, Plan>(&value) {
            Ok(plan) => return (Some(node), Some(plan), findings),
            Err(error) => {
                let field = field_of(error.path(), &value);
                let message = error.into_inner().to_string();
                let unknown = message.starts_with("unknown field");
                findings.push(explain(&field, &message));
                // Without the field the rest can be read, so all unknown ones are told at once.
                if !unknown || findings.len() >= MOST_UNKNOWN || !remove(&mut value, &field) {
                    return (Some(node), None, findings);
                }
            }
        }
    }
}

/// `spec.waves[1].soak.for`. A variant of an enum stands in the text as a key.
fn field_of(path: &Path, whole: &Value) -> String {
    let mut field = String::new();
    let mut value = Some(whole);
    for segment in path {
        match segment {
            Segment::Seq { index } => {
                field.push_str(&format!("[{index}]"));
                value = value.and_then(|value| value.get(index));
            }
            Segment::Map { key } | Segment::Enum { variant: key } => {
                let below = value.and_then(|value| value.get(key));
                if below.is_none() && matches!(segment, Segment::Enum { .. }) {
                    continue;
                }
                if !field.is_empty() {
                    field.push('.');
                }
                field.push_str(key);
                value = below;
            }
            Segment::Unknown => {}
        }
    }
    field
}

/// Says serde's error in the words of the file, with what can be written instead.
fn explain(field: &str, message: &str) -> Finding {
    let (said, expected) = match message.split_once(", expected ") {
        Some((said, expected)) => (said, Some(expected)),
        None => (message, None),
    };
    let remedy = match (said.starts_with("unknown"), expected) {
        (true, Some("one of ``")) | (true, None) => "remove it".to_owned(),
        (true, Some(expected)) => format!("use {}", expected.replace('`', "")),
        (false, Some(expected)) => format!("write {}", expected.replace('`', "")),
        (false, None) if said.starts_with("missing field") => "add it".to_owned(),
        (false, None) => String::new(),
    };
    let message = said
        .replace("invalid type: ", "wrong type: ")
        .replace("wrong type: map", "wrong type: fields")
        .replace("wrong type: sequence", "wrong type: a list");
    Finding::error(field, message).remedy(remedy)
}

/// Removes an unknown field; false if it is not there.
fn remove(value: &mut Value, field: &str) -> bool {
    let pointer: String = field
        .replace('[', ".")
        .replace(']', "")
        .split('.')
        .fold(String::new(), |pointer, part| format!("{pointer}/{part}"));
    let Some((parent, key)) = pointer.rsplit_once('/') else {
        return false;
    };
    value
        .pointer_mut(parent)
        .and_then(Value::as_object_mut)
        .is_some_and(|fields| fields.remove(key).is_some())
}
