//! Prometheus: one instant query, one number.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::Deserialize;

use super::Answer;
use crate::outside::unreachable;

/// Time for one query.
const DEADLINE: Duration = Duration::from_secs(5);

/// Most bytes of an answer; one number needs few.
const LARGEST_ANSWER: usize = 1024 * 1024;

/// Why a query has no answer. The address stays out: it may hold credentials.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// No connection, no answer in time.
    #[error("prometheus cannot be reached: {0}")]
    Unreachable(String),
    /// Prometheus refused the query, in its own words.
    #[error("prometheus answered {status}: {said}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Its words.
        said: String,
    },
    /// The answer is not one of the query API.
    #[error("prometheus gave an answer that cannot be read: {0}")]
    Malformed(String),
    /// The query gives more than one series: which one was meant?
    #[error("the query gives {0} series, one is needed: aggregate them, for example with sum()")]
    ManySeries(usize),
    /// The address is not an address.
    #[error("the address of prometheus is not valid: {0}")]
    Address(String),
}

/// A Prometheus server.
#[derive(Debug, Clone)]
pub struct Prometheus {
    client: reqwest::Client,
    base: reqwest::Url,
    headers: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct Envelope {
    status: String,
    #[serde(default)]
    error: String,
    data: Option<Data>,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Vector(Vec<Series>),
    Scalar((f64, String)),
    Matrix(serde::de::IgnoredAny),
    String(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct Series {
    value: (f64, String),
}

impl Prometheus {
    /// A server by its base address, with headers for every query.
    pub fn new(
        client: reqwest::Client,
        address: &str,
        headers: BTreeMap<String, Vec<String>>,
    ) -> Result<Self, QueryError> {
        let mut base =
            reqwest::Url::parse(address).map_err(|e| QueryError::Address(e.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(QueryError::Address(format!(
                "{}: use http or https",
                base.scheme()
            )));
        }
        let path = format!("{}/api/v1/query", base.path().trim_end_matches('/'));
        base.set_path(&path);
        Ok(Self {
            client,
            base,
            headers,
        })
    }

    /// The query's one number at one moment. NaN, and no series at all, are no data.
    pub async fn query(&self, query: &str, at: Timestamp) -> Result<Answer, QueryError> {
        tokio::time::timeout(DEADLINE, self.ask(query, at))
            .await
            .unwrap_or_else(|_| {
                Err(QueryError::Unreachable(format!(
                    "no answer within {DEADLINE:?}"
                )))
            })
    }

    async fn ask(&self, query: &str, at: Timestamp) -> Result<Answer, QueryError> {
        let mut url = self.base.clone();
        url.query_pairs_mut()
            .append_pair("query", query)
            .append_pair("time", &at.to_string());
        let mut request = self.client.get(url);
        for (name, values) in &self.headers {
            for value in values {
                request = request.header(name, value);
            }
        }
        let unreachable = |error| QueryError::Unreachable(unreachable(error));
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST_ANSWER {
                return Err(QueryError::Malformed(format!(
                    "longer than {LARGEST_ANSWER} bytes"
                )));
            }
        }
        read(status, &body)
    }
}

/// [`read`], for the table of decoders.
pub(crate) fn decode(status: u16, body: &[u8]) -> Result<(), String> {
    flagship_proto::decoders::verdict(read(status, body))
}

/// Reads an answer of the query API; total on any bytes.
pub(super) fn read(status: u16, body: &[u8]) -> Result<Answer, QueryError> {
    let envelope: Envelope = match serde_json::from_slice(body) {
        Ok(envelope) => envelope,
        Err(_) if status >= 300 => {
            let said = String::from_utf8_lossy(body).chars().take(200).collect();
            return Err(QueryError::Refused { status, said });
        }
        Err(error) => return Err(QueryError::Malformed(error.to_string())),
    };
    if envelope.status != "success" {
        let said = envelope.error.chars().take(300).collect();
        return Err(QueryError::Refused { status, said });
    }
    let number = match envelope.data {
        Some(Data::Vector(series)) => match series.as_slice() {
            [] => return Ok(Answer::NoData("the query gives no series".into())),
            [one] => one.value.1.clone(),
            many => return Err(QueryError::ManySeries(many.len())),
        },
        Some(Data::Scalar((_, number))) => number,
        Some(Data::Matrix(_) | Data::String(_)) => {
            return Err(QueryError::Malformed(
                "the query must give one number at one time".into(),
            ));
        }
        None => return Err(QueryError::Malformed("no data in it".into())),
    };
    match number.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Answer::Value(value)),
        Ok(value) => Ok(Answer::NoData(format!("the query gives {value}"))),
        Err(_) => Err(QueryError::Malformed(format!("{number:?} is not a number"))),
    }
}
