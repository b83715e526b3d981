//! Carrying actions out: platform actions pass through; hooks and queries become calls, once each.

use std::{collections::BTreeMap, time::Duration};

use flagship_canary::{Action, Answer, Measurement, Revision, Severity};
use flagship_proto::model::{
    Tick, WorkloadRef,
    canary::{
        CompareTo, Metric, MetricSource, MetricTemplateSpec, TemplateRef, Webhook, WebhookType,
    },
};
use jiff::Timestamp;

use super::{Carried, Effect, Seen, WorkloadDriver};
use crate::{
    hook::{HookCall, Payload, event_metadata},
    platform::envoy::cluster_name,
    provider::{Builtin, Variables, envoy_query, render},
};

/// What a cluster's own configuration adds to an order.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Where built-in metrics and inline queries are asked; the proxies' own counters where absent.
    pub metrics_server: Option<String>,
    /// Templates of this cluster; they win over those that came with the order.
    pub templates: BTreeMap<String, MetricTemplateSpec>,
}

/// A query for a provider.
#[derive(Debug, Clone)]
pub struct QueryCall {
    /// The id to answer to.
    pub id: String,
    /// What to ask.
    pub asked: Asked,
    /// The canary's requests in the window, as the proxies counted them.
    pub requests: Option<u64>,
    /// The primary's.
    pub primary_requests: Option<u64>,
}

/// One or two PromQL queries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The server's base address.
    pub address: String,
    /// Headers of the request.
    pub headers: BTreeMap<String, Vec<String>>,
    /// Whether any certificate will do.
    pub insecure_skip_verify: bool,
    /// For the canary.
    pub canary: String,
    /// For the primary, where the metric is compared.
    pub primary: Option<String>,
    /// The moment that is asked about.
    pub at: Timestamp,
}

/// What names a version in the proxies' metrics.
pub(crate) fn metric_name(workload: &WorkloadRef, revision: &Revision) -> String {
    match revision.digest {
        Some(digest) => cluster_name(workload, &digest),
        None => format!("{}@{}", workload.name(), revision.version),
    }
}

impl WorkloadDriver {
    pub(super) fn carry_out(&mut self, action: Action, seen: &Seen, now: Tick) -> Carried {
        match action {
            Action::SetRoute { .. } | Action::EnsureVersion { .. } | Action::StopVersion { .. } => {
                Carried::Effects(vec![Effect::Act(action)])
            }
            Action::RunHook {
                id,
                kind,
                index,
                name: _,
            } => self.ask_hook(id, kind, index, seen),
            Action::Query {
                id,
                metric,
                window,
                delay,
            } => self.ask_metric(id, &metric, (window, delay), now),
            Action::Event {
                id,
                severity,
                code,
                message,
            } => self.tell(&id, severity, code, message, now),
        }
    }

    fn hooks(&self) -> &[Webhook] {
        let analysis = self.document.1.spec.analysis.as_ref();
        analysis
            .map(|analysis| analysis.webhooks.as_slice())
            .unwrap_or_default()
    }

    fn payload(&self, metadata: BTreeMap<String, String>) -> Payload {
        let change = self.status.change.as_ref();
        let checksum = change.map(|change| match change.digest {
            Some(digest) => digest.short(),
            None => change.version.clone(),
        });
        Payload {
            name: self.workload.name().to_owned(),
            namespace: self.workload.namespace().to_owned(),
            phase: self.status.phase,
            checksum: checksum.unwrap_or_default(),
            metadata,
        }
    }

    fn ask_hook(&mut self, id: String, kind: WebhookType, index: usize, _seen: &Seen) -> Carried {
        if !self.asked.insert(id.clone()) {
            return Carried::UnderWay;
        }
        let Some(hook) = self
            .hooks()
            .get(index)
            .filter(|hook| hook.kind == kind)
            .cloned()
        else {
            let words = format!("the canary has no {kind} hook at place {index} any more");
            self.answered(
                id,
                Answer::Hook {
                    passed: false,
                    words,
                },
            );
            return Carried::AnsweredAtOnce;
        };
        let payload = self.payload(hook.metadata.clone());
        Carried::Effects(vec![Effect::Hook(Box::new(HookCall { id, hook, payload }))])
    }

    fn ask_metric(
        &mut self,
        id: String,
        name: &str,
        (window, delay): (Duration, Duration),
        now: Tick,
    ) -> Carried {
        if !self.asked.insert(id.clone()) {
            return Carried::UnderWay;
        }
        match self.plan_query(name, (window, delay), now) {
            Planned::Measured(measurement) => {
                self.answered(id, Answer::Measured(measurement));
                Carried::AnsweredAtOnce
            }
            Planned::Ask {
                asked,
                requests,
                primary_requests,
            } => Carried::Effects(vec![Effect::Query(Box::new(QueryCall {
                id,
                asked,
                requests,
                primary_requests,
            }))]),
        }
    }

    fn plan_query(&self, name: &str, (window, delay): (Duration, Duration), now: Tick) -> Planned {
        let failed = |why: String| {
            Planned::Measured(Measurement {
                error: Some(why),
                ..Measurement::default()
            })
        };
        let analysis = self.document.1.spec.analysis.as_ref();
        let metric = analysis.and_then(|analysis| analysis.metrics.iter().find(|m| m.name == name));
        let (Some(metric), Some(change)) = (metric, self.status.change.as_ref()) else {
            return failed(format!("the canary has no metric {name}"));
        };
        let primary = self
            .status
            .primary
            .as_ref()
            .filter(|primary| !primary.is(change));
        let counted = |builtin| {
            let versions = (change.version.as_str(), primary.map(|p| p.version.as_str()));
            self.samples
                .measure(builtin, versions, (window, delay), now.mono)
        };
        let builtin = match metric.source() {
            Some(MetricSource::SuccessRate) => Some(Builtin::SuccessRate),
            Some(MetricSource::Duration) => Some(Builtin::Duration),
            Some(MetricSource::Query(_) | MetricSource::Template(_)) | None => None,
        };
        let server = self
            .document
            .1
            .spec
            .metrics_server
            .as_ref()
            .or(self.settings.metrics_server.as_ref());
        if let (Some(builtin), None) = (builtin, server) {
            return Planned::Measured(counted(builtin));
        }
        // How many requests there were is the proxies' to say, whoever answers the rest.
        let counts = counted(Builtin::SuccessRate);
        match self.asked(metric, builtin, server, (change, primary), window) {
            Ok(mut asked) => {
                asked.at = now.wall.checked_sub(delay).unwrap_or(now.wall);
                Planned::Ask {
                    asked,
                    requests: counts.requests,
                    primary_requests: counts.primary_requests,
                }
            }
            Err(why) => failed(why),
        }
    }

    fn asked(
        &self,
        metric: &Metric,
        builtin: Option<Builtin>,
        server: Option<&String>,
        (change, primary): (&Revision, Option<&Revision>),
        window: Duration,
    ) -> Result<Asked, String> {
        let primary = match metric.compare_to {
            Some(CompareTo::Primary) => primary,
            None => None,
        };
        let name = |revision: &Revision| metric_name(&self.workload, revision);
        let (template, query) = match (metric.source(), builtin) {
            (_, Some(builtin)) => {
                let address = server.cloned().unwrap_or_default();
                return Ok(Asked {
                    address,
                    headers: BTreeMap::new(),
                    insecure_skip_verify: false,
                    canary: envoy_query(builtin, &name(change), window),
                    primary: primary.map(|p| envoy_query(builtin, &name(p), window)),
                    at: Timestamp::UNIX_EPOCH,
                });
            }
            (Some(MetricSource::Template(wanted)), None) => {
                let template = self.template(wanted)?;
                (Some(template), template.query.as_str())
            }
            (Some(MetricSource::Query(query)), None) => (None, query),
            (Some(MetricSource::SuccessRate | MetricSource::Duration) | None, None) => {
                return Err(format!(
                    "metric {} is not built in and has no templateRef",
                    metric.name
                ));
            }
        };
        let provider = template.map(|template| &template.provider);
        let address = provider
            .and_then(|provider| provider.address.as_ref())
            .or(server);
        let address = address.cloned().ok_or_else(|| {
            format!("metric {} has no server to ask: set the template's provider.address, or metricsServer", metric.name)
        })?;
        let fill = |revision: &Revision| {
            let variables = Variables {
                name: self.workload.name().to_owned(),
                namespace: self.workload.namespace().to_owned(),
                target: self.workload.name().to_owned(),
                service: self.workload.name().to_owned(),
                version: name(revision),
                interval: window,
                variables: metric.template_variables.clone(),
            };
            render(&metric.name, query, &variables).map_err(|error| error.to_string())
        };
        Ok(Asked {
            address,
            headers: provider
                .map(|provider| provider.headers.clone())
                .unwrap_or_default(),
            insecure_skip_verify: provider.is_some_and(|provider| provider.insecure_skip_verify),
            canary: fill(change)?,
            primary: primary.map(fill).transpose()?,
            at: Timestamp::UNIX_EPOCH,
        })
    }

    fn template(&self, wanted: &TemplateRef) -> Result<&MetricTemplateSpec, String> {
        let template = self
            .settings
            .templates
            .get(&wanted.name)
            .or_else(|| self.document.1.template(wanted))
            .ok_or_else(|| {
                format!(
                    "metric template {} is neither in the agent's configuration nor in the plan",
                    wanted.name
                )
            })?;
        if template.provider.kind != "prometheus" {
            return Err(format!(
                "metric template {}: provider {} is not yet supported, use prometheus",
                wanted.name, template.provider.kind
            ));
        }
        Ok(template)
    }

    /// Events go to the log and to every `event` hook, once an id.
    fn tell(
        &mut self,
        id: &str,
        severity: Severity,
        code: &'static str,
        message: String,
        now: Tick,
    ) -> Carried {
        if !self.told.insert(id.to_owned()) {
            return Carried::UnderWay;
        }
        let warning = match severity {
            Severity::Normal => false,
            Severity::Warning => true,
        };
        let listeners = self
            .hooks()
            .iter()
            .filter(|hook| hook.kind == WebhookType::Event);
        let calls = listeners.map(|hook| HookCall {
            id: format!("{id}/{}", hook.name),
            hook: hook.clone(),
            payload: self.payload(event_metadata(hook, &message, warning, now.wall)),
        });
        let mut effects: Vec<Effect> = calls.map(|call| Effect::Hook(Box::new(call))).collect();
        effects.push(Effect::Event {
            warning,
            code,
            message,
        });
        Carried::Effects(effects)
    }
}

enum Planned {
    Measured(Measurement),
    Ask {
        asked: Asked,
        requests: Option<u64>,
        primary_requests: Option<u64>,
    },
}
