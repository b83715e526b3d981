//! The smaller things as text: plans, tokens, audit entries, history, findings of a check.

use jiff::Timestamp;

use super::words::{ago, clock, fact};
use crate::{
    api::types::{
        AccessView, AuditEntryView, BindingView, ChannelView, EnrolTokenView, HistoryView,
        LintLevel, LintNote, NoticeState, NoticeView, PlanView, TokenView,
    },
    cli::output::{Look, Tone, table},
};

/// One line a plan.
pub fn plans(look: Look, plans: &[PlanView], now: Timestamp) -> String {
    let rows = plans
        .iter()
        .map(|plan| {
            vec![
                format!("{}/{}", plan.project, plan.name),
                plan.workload.clone(),
                plan.change.clone(),
                plan.waves.len().to_string(),
                if plan.running.is_empty() {
                    "-".to_owned()
                } else {
                    plan.running.join(", ")
                },
                ago(plan.applied_at, now),
                plan.applied_by.clone(),
            ]
        })
        .collect();
    let head = [
        "PLAN", "WORKLOAD", "CHANGE", "WAVES", "RUNNING", "APPLIED", "BY",
    ];
    table(look, &head, rows)
}

/// One plan's page, with the text that was applied.
pub fn plan(view: &PlanView, now: Timestamp) -> String {
    let mut page = fact("Plan", &format!("{}/{}", view.project, view.name));
    page += &fact(
        "Releases",
        &format!("the {} of {}", view.change, view.workload),
    );
    page += &fact("Digest", &view.digest);
    page += &fact(
        "Applied",
        &format!(
            "{} ({} ago) by {}",
            clock(view.applied_at, now),
            ago(view.applied_at, now),
            view.applied_by
        ),
    );
    page += &fact("Running", &view.running.join(", "));
    page += "\nWaves:\n";
    for (place, wave) in view.waves.iter().enumerate() {
        page += &format!("  {}. {wave}\n", place + 1);
    }
    if let Some(source) = &view.source {
        page += &format!("\n{}\n", source.trim_end());
    }
    page
}

/// One line a token of the API.
pub fn tokens(look: Look, tokens: &[TokenView], now: Timestamp) -> String {
    let rows = tokens
        .iter()
        .map(|token| {
            vec![
                token.id.clone(),
                if token.certificate {
                    format!("{} (certificate)", token.name)
                } else {
                    token.name.clone()
                },
                in_words(&token.bindings),
                ago_or_never(token.last_used_at, now),
                validity(token.revoked, token.expires_at, now),
                ago(token.created_at, now),
                token.created_by.clone(),
            ]
        })
        .collect();
    table(
        look,
        &["TOKEN", "NAME", "MAY", "USED", "VALID", "AGE", "BY"],
        rows,
    )
}

/// One line a role that somebody holds.
pub fn access(look: Look, held: &[AccessView], now: Timestamp) -> String {
    if held.is_empty() {
        return "Nobody holds a role there.\n".to_owned();
    }
    let rows = held.iter().map(|held| {
        vec![
            held.who.clone(),
            held.role.to_string(),
            held.may.join(", "),
            held.place.clone(),
            held.via.clone(),
            validity(false, held.expires_at, now),
            ago_or_never(held.last_used_at, now),
            held.granted_by.clone(),
        ]
    });
    let head = [
        "WHO",
        "ROLE",
        "MAY",
        "WHERE",
        "VIA",
        "VALID",
        "USED",
        "GRANTED BY",
    ];
    table(look, &head, rows.collect())
}

fn ago_or_never(at: Option<Timestamp>, now: Timestamp) -> String {
    at.map_or_else(|| "never".to_owned(), |at| ago(at, now))
}

/// Roles, and where they hold.
pub fn in_words(bindings: &[BindingView]) -> String {
    let words: Vec<&str> = bindings.iter().map(|one| one.text.as_str()).collect();
    words.join("; ")
}

/// One line an enrolment token.
pub fn enrol_tokens(look: Look, tokens: &[EnrolTokenView], now: Timestamp) -> String {
    let rows = tokens
        .iter()
        .map(|token| {
            let valid = if token.uses_left == 0 {
                "used".to_owned()
            } else {
                validity(token.revoked, Some(token.expires_at), now)
            };
            vec![
                token.id.clone(),
                token.cluster.clone(),
                valid,
                token.uses_left.to_string(),
                if token.approval { "yes" } else { "no" }.to_owned(),
                ago(token.created_at, now),
                token.created_by.clone(),
            ]
        })
        .collect();
    let head = [
        "TOKEN",
        "CLUSTER",
        "VALID",
        "USES LEFT",
        "APPROVAL",
        "AGE",
        "BY",
    ];
    table(look, &head, rows)
}

fn validity(revoked: bool, end: Option<Timestamp>, now: Timestamp) -> String {
    match end {
        _ if revoked => "revoked".to_owned(),
        Some(end) if end <= now => "expired".to_owned(),
        Some(end) => format!("for {}", ago(now, end)),
        None => "always".to_owned(),
    }
}

/// One line an audit entry.
pub fn audit(look: Look, entries: &[AuditEntryView], now: Timestamp) -> String {
    let rows = entries
        .iter()
        .map(|entry| {
            vec![
                entry.index.to_string(),
                clock(entry.at, now),
                entry.actor.clone(),
                entry.action.clone(),
                entry.object.clone(),
                entry.ticket.clone().unwrap_or_else(|| "-".to_owned()),
                look.cut(&entry.reason, 60),
            ]
        })
        .collect();
    let head = ["#", "AT", "WHO", "ACTION", "OBJECT", "TICKET", "REASON"];
    table(look, &head, rows)
}

/// One line a message and channel.
pub fn notices(look: Look, notices: &[NoticeView], now: Timestamp) -> String {
    let rows = notices
        .iter()
        .map(|notice| {
            let state = match notice.state {
                NoticeState::Delivered => "delivered".to_owned(),
                NoticeState::Overtaken => "overtaken".to_owned(),
                NoticeState::GivenUp => look.paint(Tone::Bad, "given up"),
                NoticeState::Waiting if notice.error.is_some() => look.paint(Tone::Warn, "failing"),
                NoticeState::Waiting => "waiting".to_owned(),
            };
            vec![
                clock(notice.at, now),
                notice.channel.clone(),
                notice.severity.clone(),
                state,
                look.cut(&notice.title, 70),
                look.cut(notice.error.as_deref().unwrap_or("-"), 60),
            ]
        })
        .collect();
    let head = ["AT", "CHANNEL", "SEVERITY", "STATE", "MESSAGE", "ERROR"];
    table(look, &head, rows)
}

/// One line a channel.
pub fn channels(look: Look, channels: &[ChannelView]) -> String {
    let rows = channels
        .iter()
        .map(|channel| vec![channel.name.clone(), channel.kind.clone()])
        .collect();
    table(look, &["CHANNEL", "KIND"], rows)
}

/// A rollout's history, oldest first.
pub fn history(look: Look, lines: &[HistoryView], now: Timestamp) -> String {
    let rows = lines
        .iter()
        .map(|line| {
            vec![
                clock(line.at, now),
                line.cluster.clone().unwrap_or_else(|| "-".to_owned()),
                line.weight
                    .map_or_else(|| "-".to_owned(), |weight| format!("{weight}%")),
                line.code.clone(),
                line.message.clone(),
            ]
        })
        .collect();
    table(look, &["AT", "CLUSTER", "WEIGHT", "WHAT", "WHY"], rows)
}

/// Findings of a check, one a line: `file:line:column: error: what; remedy`.
pub fn findings(look: Look, file: &str, notes: &[LintNote]) -> String {
    notes.iter().map(|note| finding(look, file, note)).collect()
}

fn finding(look: Look, file: &str, note: &LintNote) -> String {
    let place = if note.line > 0 {
        format!("{file}:{}:{}", note.line, note.column)
    } else {
        file.to_owned()
    };
    let level = match note.level {
        LintLevel::Error => look.paint(Tone::Bad, "error"),
        LintLevel::Warning => look.paint(Tone::Warn, "warning"),
        LintLevel::Note => look.paint(Tone::Dim, "note"),
    };
    let field = match &note.field {
        Some(field) if !note.message.contains(field.as_str()) => format!("{field}: "),
        Some(_) | None => String::new(),
    };
    let remedy = match &note.remedy {
        Some(remedy) => format!("; {remedy}"),
        None => String::new(),
    };
    format!("{place}: {level}: {field}{}{remedy}\n", note.message)
}
