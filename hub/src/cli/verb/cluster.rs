//! `flagship cluster list | approve | confirm | release | remove`.

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::get::Get;
use crate::{
    api::types::{ClusterView, Empty, List, REMOVED, ReleaseLocalRequest},
    cli::{
        client::segment,
        common::Why,
        complete,
        context::Session,
        exit::{CliError, Exit},
        output::show,
        refs::Kind,
        render::words,
    },
};

/// Examples for the help.
pub const EXAMPLES: &str = "\
Examples:
  flagship cluster list
  flagship cluster approve eu-7 --reason 'racked today'
  flagship cluster confirm --all --reason 'looked at the list after recover'
  flagship cluster release eu-1 shop/Deployment/checkout --reason 'false alarm there'
  flagship cluster remove eu-1 --reason 'moved to eu-7'";

/// What can be typed after `cluster`.
#[derive(Debug, Args)]
pub struct Cluster {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Who is in the fleet, and when each was last heard
    List,
    /// Let a cluster in that waits for it
    Approve {
        /// Its name
        #[arg(add = complete::of(Kind::Cluster))]
        name: String,
        #[command(flatten)]
        why: Why,
    },
    /// Confirm members after the hub's history went back (flagship-hub recover, restore)
    Confirm {
        /// Their names
        #[arg(
            required_unless_present = "all",
            conflicts_with = "all",
            value_name = "NAME",
            add = complete::of(Kind::Cluster)
        )]
        names: Vec<String>,
        /// All that wait to be confirmed
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        why: Why,
    },
    /// End the hold or retreat of a person on the spot; moves nothing by itself
    Release {
        /// Its name
        #[arg(add = complete::of(Kind::Cluster))]
        name: String,
        /// Which workload: NAMESPACE/KIND/NAME, or NAME where only one has it
        workload: String,
        #[command(flatten)]
        why: Why,
    },
    /// Close its sessions and refuse its certificate from now on
    Remove {
        /// Its name
        #[arg(add = complete::of(Kind::Cluster))]
        name: String,
        /// Also while a release is in flight there; its workloads stay as they are
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        why: Why,
    },
}

impl Cluster {
    /// Does it.
    pub async fn run(self, session: &Session) -> Result<Exit, CliError> {
        match self.verb {
            Verb::List => return Get::all_of("clusters").run(session).await,
            Verb::Approve { name, why } => {
                let path = format!("/api/v1/clusters/{}/approve", segment(&name));
                let view: ClusterView = session
                    .client
                    .post(&path, &Empty {}, &why.because())
                    .await?;
                show(session.format, &view, || {
                    format!("cluster {} is approved\n", view.name)
                })?;
            }
            Verb::Confirm { names, all, why } => {
                let names = if all {
                    unconfirmed(session).await?
                } else {
                    names
                };
                let mut confirmed = Vec::new();
                for name in &names {
                    let path = format!("/api/v1/clusters/{}/approve", segment(name));
                    let view: ClusterView = session
                        .client
                        .post(&path, &Empty {}, &why.because())
                        .await?;
                    confirmed.push(view);
                }
                show(session.format, &confirmed, || match names.len() {
                    0 => "no member waits to be confirmed\n".to_owned(),
                    _ => format!("confirmed: {}\n", names.join(", ")),
                })?;
            }
            Verb::Release {
                name,
                workload,
                why,
            } => {
                let path = format!("/api/v1/clusters/{}/release", segment(&name));
                let asked = ReleaseLocalRequest {
                    workload: workload.clone(),
                };
                let view: ClusterView = session.client.post(&path, &asked, &why.because()).await?;
                show(session.format, &view, || {
                    released(&view, &workload, session.now())
                })?;
            }
            Verb::Remove { name, force, why } => {
                session.confirm(&format!(
                    "Remove cluster {name}? Its certificate is refused from then on."
                ))?;
                let path = format!("/api/v1/clusters/{}?force={force}", segment(&name));
                let view: ClusterView = session.client.delete(&path, &why.because()).await?;
                show(session.format, &view, || removed(&view))?;
            }
        }
        Ok(Exit::Done)
    }
}

/// What was stored, and what is known of the cluster: that its agent obeyed is not known yet.
fn released(view: &ClusterView, workload: &str, now: Timestamp) -> String {
    let name = &view.name;
    let then = "Nothing moves by that: its orders count again, and advance only under a lease";
    if view.connected {
        return format!(
            "the end of local control over {workload} in {name} is stored, and its agent is told now. {then}\n\
             see it obey: flagship describe cluster {name}\n"
        );
    }
    format!(
        "the end of local control over {workload} in {name} is stored; its agent does NOT know yet: it is not heard \
         (last: {}). Until it is heard again the hold or retreat goes on standing there. {then}\n\
         to end it there now: flagship-agent ctl release {workload} --reason …\n",
        words::heard(view.heard(), now)
    )
}

/// What was in flight in a cluster that nothing orders back any more.
fn removed(view: &ClusterView) -> String {
    let mut text = format!("cluster {} is removed\n", view.name);
    for left in view.workloads.iter().filter(|has| has.why.code == REMOVED) {
        text += &format!(
            "  {} was {} at {}% on the change when last heard: {}\n",
            left.workload,
            left.phase.as_deref().unwrap_or("in flight"),
            left.weight.unwrap_or_default(),
            left.why.message
        );
    }
    text
}

/// Names of the members that wait to be confirmed.
async fn unconfirmed(session: &Session) -> Result<Vec<String>, CliError> {
    let list: List<ClusterView> = session.client.get("/api/v1/clusters?limit=10000").await?;
    let waiting = list.items.into_iter().filter(|view| view.unconfirmed);
    Ok(waiting.map(|view| view.name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(connected: bool) -> ClusterView {
        let heard: Timestamp = "2026-01-01T10:00:00Z".parse().unwrap();
        ClusterView {
            name: "eu-1".into(),
            uid: String::new(),
            labels: std::collections::BTreeMap::new(),
            state: "Active".into(),
            text: String::new(),
            unconfirmed: false,
            connected,
            last_heard: Some(heard),
            unheard_since: None,
            enrolled_at: None,
            certificate_ends: None,
            agent: None,
            platform: None,
            workloads: Vec::new(),
        }
    }

    #[test]
    fn who_removes_a_cluster_is_told_what_goes_on_there_and_nothing_of_what_is_settled() {
        let mut gone = view(false);
        let has = |workload: &str, code: &str| crate::api::types::WorkloadView {
            workload: workload.into(),
            version: Some("1.0.0".into()),
            digest: None,
            phase: Some("Progressing".into()),
            weight: Some(25),
            rollout: None,
            why: crate::api::types::Why {
                code: code.into(),
                message: "it may advance until 10:00:35Z; to take it back".into(),
                since: None,
            },
            local: None,
        };
        gone.workloads
            .push(has("web/Deployment/front", "Succeeded"));
        assert_eq!(removed(&gone), "cluster eu-1 is removed\n");
        gone.workloads
            .push(has("shop/Deployment/checkout", REMOVED));
        assert_eq!(
            removed(&gone),
            "cluster eu-1 is removed\n  shop/Deployment/checkout was Progressing at 25% on the \
             change when last heard: it may advance until 10:00:35Z; to take it back\n"
        );
    }

    #[test]
    fn a_release_that_the_agent_has_not_heard_of_is_not_told_as_done() {
        let workload = "shop/Deployment/checkout";
        let now: Timestamp = "2026-01-01T10:05:00Z".parse().unwrap();
        let silent = released(&view(false), workload, now);
        for part in [
            "its agent does NOT know yet",
            "last: 5m00s ago",
            "goes on standing there",
            "now: flagship-agent ctl release shop/Deployment/checkout --reason …",
        ] {
            assert!(silent.contains(part), "{part}: {silent}");
        }
        let heard = released(&view(true), workload, now);
        assert!(heard.contains("its agent is told now"), "{heard}");
        assert!(heard.contains("flagship describe cluster eu-1"), "{heard}");
        assert!(!heard.contains("NOT"), "{heard}");
        for words in [silent, heard] {
            assert!(words.contains("Nothing moves by that"), "{words}");
        }
    }
}
