//! Lists narrowed by labels: `--selector KEY=VALUE`, the one place for every kind.

use std::collections::BTreeMap;

use flagship_proto::model::Selector;

use super::{client::pages, context::Session, exit::CliError, refs};
use crate::api::types::{ClusterView, List, PlanView, RolloutView};

/// The labels of a thing.
pub type Labels = BTreeMap<String, String>;

/// Which things are meant; nothing said is all of them.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Select {
    /// Only what has this label (plans, their rollouts, clusters); repeat it for more labels
    #[arg(long, short = 'l', value_name = "KEY=VALUE")]
    selector: Vec<String>,
}

impl Select {
    /// The labels that were typed; none where none were.
    pub fn wanted(&self) -> Result<Option<Wanted>, CliError> {
        if self.selector.is_empty() {
            return Ok(None);
        }
        refs::selector(&self.selector).map(|wanted| Some(Wanted(wanted)))
    }
}

/// Labels that something must have.
#[derive(Debug)]
pub struct Wanted(Selector);

impl Wanted {
    /// Whether these labels have all that is wanted.
    fn by(&self, labels: &Labels) -> bool {
        let mut wanted = self.0.match_labels.iter();
        wanted.all(|(key, value)| labels.get(key) == Some(value))
    }

    /// Clusters, by their labels.
    pub fn clusters(&self, list: &mut List<ClusterView>) {
        list.items.retain(|cluster| self.by(&cluster.labels));
    }

    /// Plans, by the labels of their metadata.
    pub fn plans(&self, list: &mut List<PlanView>) {
        list.items.retain(|plan| self.by(&labels(plan)));
    }

    /// Rollouts, by the labels of their plans.
    pub async fn rollouts(
        &self,
        session: &Session,
        list: &mut List<RolloutView>,
    ) -> Result<(), CliError> {
        let mut plans: List<PlanView> = pages(&session.client, "/api/v1/plans").await?;
        self.plans(&mut plans);
        let of = |rollout: &RolloutView, plan: &PlanView| {
            (&plan.project, &plan.name) == (&rollout.project, &rollout.plan)
        };
        list.items
            .retain(|rollout| plans.items.iter().any(|plan| of(rollout, plan)));
        Ok(())
    }
}

/// The labels of a plan's metadata.
pub fn labels(plan: &PlanView) -> Labels {
    let found = plan.document.pointer("/metadata/labels").cloned();
    found
        .and_then(|labels| serde_json::from_value(labels).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_is_meant_that_has_every_label() {
        let typed = |texts: &[&str]| Select {
            selector: texts.iter().map(ToString::to_string).collect(),
        };
        let has = Labels::from([("region".into(), "eu".into()), ("tier".into(), "1".into())]);
        let by = |texts: &[&str]| typed(texts).wanted().unwrap().unwrap().by(&has);
        assert!(by(&["region=eu"]));
        assert!(by(&["region=eu,tier=1"]));
        assert!(!by(&["region=eu", "tier=2"]));
        assert!(!by(&["zone=a"]));
        assert!(typed(&[]).wanted().unwrap().is_none());
        assert!(typed(&["region"]).wanted().is_err());
    }
}
