//! Asking a provider: one query for the canary, one for the primary where the metric is compared.

use std::collections::BTreeMap;

use flagship_canary::{Answer, Measurement};

use super::QueryCall;
use crate::{
    outside::Clients,
    provider::{self, Prometheus, QueryError},
};

/// The HTTP clients of all queries of an agent.
#[derive(Debug, Clone)]
pub struct QueryClient(Clients);

impl Default for QueryClient {
    fn default() -> Self {
        Self(Clients::new(true))
    }
}

impl QueryClient {
    /// The answer, errors included: an error is Inconclusive with words, never a pass.
    pub async fn ask(&self, call: &QueryCall) -> Answer {
        let measurement = self
            .measure(call)
            .await
            .unwrap_or_else(|error| Measurement {
                error: Some(error.to_string()),
                ..Measurement::default()
            });
        Answer::Measured(Measurement {
            requests: call.requests,
            primary_requests: call.primary_requests,
            ..measurement
        })
    }

    async fn measure(&self, call: &QueryCall) -> Result<Measurement, QueryError> {
        let asked = &call.asked;
        let client = self
            .0
            .get(asked.insecure_skip_verify)
            .map_err(QueryError::Unreachable)?;
        let headers: BTreeMap<String, Vec<String>> = asked.headers.clone();
        let server = Prometheus::new(client.clone(), &asked.address, headers)?;
        let canary = server.query(&asked.canary, asked.at).await?;
        let primary = match &asked.primary {
            Some(query) => Some(server.query(query, asked.at).await?),
            None => None,
        };
        Ok(Measurement {
            canary: number(&canary),
            primary: primary.as_ref().and_then(number),
            ..Measurement::default()
        })
    }
}

fn number(answer: &provider::Answer) -> Option<f64> {
    match answer {
        provider::Answer::Value(value) => Some(*value),
        provider::Answer::NoData(_) => None,
    }
}
