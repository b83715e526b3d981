//! Rows that are views almost as they are: plans, tokens, audit entries, history.

use flagship_waves::{Plan, plan::ChangeSpec};
use jiff::Timestamp;

use crate::{
    api::types::{AuditEntryView, EnrolTokenView, HistoryView, PlanView, ProjectView, TokenView},
    audit::AuditRecord,
    records::{EnrolTokenRow, HistoryRow, PlanRow, ProjectRow, RolloutRow, Stored, TokenRow},
};

/// A project.
pub fn project(
    row: &ProjectRow,
    plans: &[Stored<PlanRow>],
    rollouts: &[Stored<RolloutRow>],
) -> ProjectView {
    let plans = plans.iter().filter(|plan| plan.id.project == row.project);
    let running = rollouts
        .iter()
        .filter(|rollout| !rollout.state.is_over() && rollout.project == row.project);
    ProjectView {
        name: row.project.to_string(),
        created_at: row.created,
        created_by: row.created_by.clone(),
        plans: plans.map(|plan| plan.id.name.to_string()).collect(),
        running: running.map(|rollout| rollout.id.to_string()).collect(),
    }
}

/// A plan; its text only on its own page.
pub fn plan(row: &PlanRow, rollouts: &[Stored<RolloutRow>], with_source: bool) -> PlanView {
    let running = rollouts
        .iter()
        .filter(|rollout| !rollout.state.is_over() && rollout.plan_ref() == row.id);
    PlanView {
        project: row.id.project.to_string(),
        name: row.id.name.to_string(),
        workload: row
            .plan
            .workload()
            .map_or_else(|_| String::new(), |found| found.to_string()),
        change: match &row.plan.spec.change {
            ChangeSpec::Version {} => "version",
            ChangeSpec::Image { .. } => "image",
            ChangeSpec::Patch(_) => "patch",
            ChangeSpec::Delivered { .. } => "delivered",
        }
        .to_owned(),
        digest: row.digest.to_string(),
        waves: waves(&row.plan),
        applied_at: row.applied,
        applied_by: row.applied_by.clone(),
        running: running.map(|rollout| rollout.id.to_string()).collect(),
        document: serde_json::to_value(&row.plan).unwrap_or_default(),
        source: with_source.then(|| row.source.clone()),
    }
}

fn waves(plan: &Plan) -> Vec<String> {
    let waves = plan.spec.waves.iter();
    waves
        .map(|wave| {
            let mut text = format!(
                "{}: {}, {} at once",
                wave.name, wave.clusters, wave.max_concurrent
            );
            if !wave.soak.time.is_zero() {
                text += &format!(", soaks {}", wave.soak.time);
            }
            text
        })
        .collect()
}

/// A token of the API.
pub fn token(row: &TokenRow, last_used: Option<Timestamp>) -> TokenView {
    TokenView {
        id: row.id.to_string(),
        name: row.name.clone(),
        certificate: row.is_for_certificates(),
        role: row.grants.role(),
        bindings: row.grants.0.iter().map(Into::into).collect(),
        created_at: row.created,
        created_by: row.created_by.clone(),
        expires_at: row.expires,
        last_used_at: last_used,
        revoked: row.revoked.is_some(),
    }
}

/// An enrolment token.
pub fn enrol_token(row: &EnrolTokenRow) -> EnrolTokenView {
    let used = u32::try_from(row.used.len()).unwrap_or(u32::MAX);
    EnrolTokenView {
        id: row.id.to_string(),
        cluster: row.pattern.clone(),
        labels: row.labels.clone(),
        uses_left: row.uses.saturating_sub(used),
        approval: row.approve,
        created_at: row.created,
        created_by: row.created_by.clone(),
        expires_at: row.expires,
        revoked: row.revoked,
    }
}

/// An audit entry.
pub fn audit(record: &AuditRecord) -> AuditEntryView {
    let entry = &record.entry;
    AuditEntryView {
        index: record.index,
        at: entry.at,
        actor: entry.actor.clone(),
        via: entry.via.clone(),
        action: entry.action.clone(),
        object: entry.object.clone(),
        reason: entry.reason.clone(),
        ticket: entry.ticket.clone(),
        hash: flagship_proto::digest::Digest::of(&record.to_bytes()).to_string(),
    }
}

/// A line of a rollout's history.
pub fn history(row: &HistoryRow) -> HistoryView {
    let weight = row.detail.get("weight").and_then(serde_json::Value::as_u64);
    HistoryView {
        seq: row.seq,
        at: row.at,
        cluster: row.cluster.as_ref().map(ToString::to_string),
        code: row.kind.clone(),
        message: row.message.clone(),
        weight: weight.and_then(|weight| u8::try_from(weight).ok()),
    }
}
