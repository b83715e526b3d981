//! The agent's configuration file: where the hub is, what runs here, and where its errors are.

mod hub;

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use flagship_proto::model::{ClusterName, MetricTemplateSpec, Problem, canary::MetricProvider};
use serde::Deserialize;

pub use hub::{HubAddress, InvalidAddress};

use crate::platform::envoy::{EnvoyConfig, EnvoyPlatformConfig, WorkloadConfig};

/// The file, as people write it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentConfig {
    /// Where the agent keeps its identity, its releases and the state of what it runs.
    pub data: PathBuf,
    /// Where the hub is.
    pub hub: HubConfig,
    /// Where the built-in metrics and inline queries are asked (Prometheus); the statistics of the
    /// proxies where absent.
    #[serde(default)]
    pub metrics_server: Option<String>,
    /// What is released here.
    #[serde(default)]
    pub workloads: Vec<WorkloadConfig>,
    /// The proxies that carry the traffic.
    #[serde(default)]
    pub envoy: EnvoyConfig,
    /// Metric templates of this cluster; they win over those that come with an order.
    #[serde(default)]
    pub metric_templates: Vec<NamedTemplate>,
}

/// Where the hub is, and by which name this cluster joins.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HubConfig {
    /// `host:port` of the hub's port for agents.
    pub address: String,
    /// The name that the hub's certificate is for, where it is not the host.
    #[serde(default)]
    pub server_name: Option<String>,
    /// The cluster's name; needed only with a token that serves several.
    #[serde(default)]
    pub cluster: Option<ClusterName>,
}

/// A metric template with its name.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamedTemplate {
    /// What `templateRef.name` says.
    pub name: String,
    /// Where the query goes.
    pub provider: MetricProvider,
    /// The query.
    pub query: String,
}

/// What is wrong with a configuration file. One line a finding, with the place and the remedy.
#[derive(Debug)]
pub enum ConfigError {
    /// It cannot be read.
    Read {
        /// Which file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// It is not what the schema says.
    Parse {
        /// Which file.
        path: PathBuf,
        /// Line and column, from 1, where they are known.
        place: Option<(u64, u64)>,
        /// What is wrong.
        message: String,
    },
    /// It says what makes no sense.
    Invalid {
        /// Which file.
        path: PathBuf,
        /// Each with its field and its remedy.
        problems: Vec<Problem>,
    },
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, source } => {
                write!(f, "cannot read {}: {source}", path.display())
            }
            Self::Parse {
                path,
                place: Some((line, column)),
                message,
            } => write!(f, "{}:{line}:{column}: {message}", path.display()),
            Self::Parse {
                path,
                place: None,
                message,
            } => write!(f, "{}: {message}", path.display()),
            Self::Invalid { path, problems } => {
                for (index, problem) in problems.iter().enumerate() {
                    let end = if index == 0 { "" } else { "\n" };
                    write!(
                        f,
                        "{end}{}: {}: {}; {}",
                        path.display(),
                        problem.field,
                        problem.message,
                        problem.remedy
                    )?;
                }
                Ok(())
            }
        }
    }
}

impl AgentConfig {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, path)
    }

    /// Checks a text; `path` is for the errors.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let config: Self = serde_saphyr::from_str(text).map_err(|error| {
            let place = error.location().map(|place| (place.line(), place.column()));
            let line = place.and_then(|(line, _)| {
                let before = usize::try_from(line).ok()?.checked_sub(1)?;
                text.lines().nth(before)
            });
            let mut message = error.without_snippet().to_string();
            if line.is_some_and(|line| line.contains("${")) {
                message += "; write a value in place of each word in ${…}";
            }
            ConfigError::Parse {
                path: path.to_owned(),
                place,
                message,
            }
        })?;
        let problems = config.problems();
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(ConfigError::Invalid {
                path: path.to_owned(),
                problems,
            })
        }
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = self.platform().validate();
        if let Err(error) = self.hub_address() {
            problems.push(Problem::new(
                "hub.address",
                error.to_string(),
                "write host:port of the hub's port for agents",
            ));
        }
        let mut names = BTreeMap::new();
        for (index, template) in self.metric_templates.iter().enumerate() {
            if let Some(first) = names.insert(&template.name, index) {
                problems.push(Problem::new(
                    format!("metricTemplates[{index}].name"),
                    format!("{:?} is already metricTemplates[{first}]", template.name),
                    "give each template its own name",
                ));
            }
        }
        problems
    }

    /// The part of the Envoy platform.
    pub fn platform(&self) -> EnvoyPlatformConfig {
        EnvoyPlatformConfig {
            data: self.data.clone(),
            workloads: self.workloads.clone(),
            envoy: self.envoy.clone(),
        }
    }

    /// Where the hub is.
    pub fn hub_address(&self) -> Result<HubAddress, InvalidAddress> {
        HubAddress::new(&self.hub.address, self.hub.server_name.as_deref())
    }

    /// The templates by name.
    pub fn templates(&self) -> BTreeMap<String, MetricTemplateSpec> {
        let spec = |template: &NamedTemplate| MetricTemplateSpec {
            provider: template.provider.clone(),
            query: template.query.clone(),
        };
        self.metric_templates
            .iter()
            .map(|template| (template.name.clone(), spec(template)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../deploy/example/agent.yaml");

    fn parse(text: &str) -> Result<AgentConfig, String> {
        AgentConfig::parse(text, Path::new("agent.yaml")).map_err(|error| error.to_string())
    }

    fn filled() -> String {
        EXAMPLE
            .replace("${DATA}", "data")
            .replace("${HUB}", "127.0.0.1:7443")
            .replace("${SAMPLE}", "flagship-sample")
            .replace("${PORT}", "8080")
            .replace("${ENVOY}", "envoy")
    }

    #[test]
    fn the_example_is_a_configuration() {
        let config = parse(&filled()).unwrap();
        assert_eq!(config.workloads.len(), 1);
        assert_eq!(config.hub_address().unwrap().to_string(), "127.0.0.1:7443");
    }

    #[test]
    fn an_unknown_field_is_named_with_line_and_column() {
        let text = filled().replace("hub:\n", "hub:\n  adress: x\n");
        let error = parse(&text).unwrap_err();
        let line = text
            .lines()
            .position(|line| line.contains("adress"))
            .unwrap()
            + 1;
        assert!(error.starts_with(&format!("agent.yaml:{line}:")), "{error}");
        assert!(error.contains("adress"), "{error}");
    }

    #[test]
    fn an_example_that_was_not_filled_in_says_what_is_to_be_done() {
        let error = parse(EXAMPLE).unwrap_err();
        assert!(error.contains("write a value in place of"), "{error}");
    }

    #[test]
    fn a_version_that_no_hub_takes_is_refused_before_a_session_ends_for_it() {
        let config = parse(&filled()).unwrap();
        let mut platform = config.platform();
        let longest = flagship_proto::model::LONGEST_VERSION;
        platform.workloads[0].version = "v".repeat(longest);
        assert_eq!(platform.validate(), []);
        platform.workloads[0].version.push('v');
        let problems = platform.validate();
        assert!(problems[0].field.ends_with("version"), "{problems:?}");
    }

    #[test]
    fn an_address_without_a_port_is_refused_with_a_remedy() {
        let error = parse(&filled().replace("127.0.0.1:7443", "hub.example.com")).unwrap_err();
        assert!(
            error.contains("hub.address") && error.contains("host:port"),
            "{error}"
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = AgentConfig::load(Path::new("none/agent.yaml")).unwrap_err();
        assert!(error.to_string().contains("none/agent.yaml"), "{error}");
    }
}
