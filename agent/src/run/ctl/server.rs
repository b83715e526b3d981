//! The agent's end of local control: hears one question a connection, and answers once what was
//! asked for is written, or cannot be.

#[cfg(test)]
mod tests;

use std::{io, path::Path, sync::Arc, time::Duration};

use flagship_proto::{
    model::{LocalActor, LocalId, LocalVerb, Tick, WorkloadRef},
    process::socket::{self, LINE_DEADLINE, LocalUser},
};
use tokio::{
    io::BufReader,
    net::{UnixListener, UnixStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Answer, Done, Refused, Request, SOCKET, StatusView, WorkloadView};
use crate::link::{
    Link, Session,
    handle::LinkHandle,
    local::{Controlled, NotControlled, Wanted},
};

/// Questions that are answered at once.
const AT_ONCE: usize = 8;

/// How long a write may take before the answer says that it is not kept yet.
const WRITE: Duration = Duration::from_secs(5);

const NOT_YET: &str = "not a member of a fleet yet";

/// Listens in the agent's data folder until it stops.
pub(in crate::run) fn serve(
    data: &Path,
    link: &LinkHandle,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> io::Result<()> {
    let listener = socket::listen(data, SOCKET)?;
    let (link, stop, inner) = (link.clone(), stop.clone(), tasks.clone());
    tasks.spawn(accept(listener, link, inner, stop));
    Ok(())
}

async fn accept(
    listener: UnixListener,
    link: LinkHandle,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let (link, stop) = (link.clone(), stop.clone());
                tasks.spawn(async move {
                    if let Err(error) = converse(stream, &link, &stop).await {
                        tracing::debug!(%error, "local control: a question was not answered");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "local control: a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// One question. An agent that stops waits for no question; what was asked is written and answered.
async fn converse(
    stream: UnixStream,
    link: &LinkHandle,
    stop: &CancellationToken,
) -> io::Result<()> {
    let user = socket::peer(&stream)?;
    let (from, mut to) = stream.into_split();
    let mut from = BufReader::new(from);
    let request = tokio::select! {
        request = socket::read_line(&mut from, LINE_DEADLINE) => request?,
        () = stop.cancelled() => return Err(io::ErrorKind::Interrupted.into()),
    };
    let answer = answer(request, &user, link).await;
    socket::write_line(&mut to, &answer).await
}

async fn answer(request: Request, user: &LocalUser, link: &LinkHandle) -> Answer {
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    match request {
        Request::Status {} => {}
        Request::Control {
            verb,
            workloads,
            reason,
        } => {
            let mut in_force = Vec::new();
            for meant in meant(link, verb, &workloads) {
                let outcome =
                    meant.and_then(|workload| control(link, verb, workload, user, &reason));
                match outcome {
                    Ok(one) => in_force.push(one),
                    Err(one) => refused.push(one),
                }
            }
            done = kept(link, in_force).await;
        }
    }
    Answer {
        status: link.see(view).unwrap_or_else(|| StatusView {
            hub: NOT_YET.to_owned(),
            ..StatusView::default()
        }),
        done,
        refused,
    }
}

/// The workloads that are meant, by their names as people type them. Without names all; a release
/// of all is of those under local control.
fn meant(
    link: &LinkHandle,
    verb: LocalVerb,
    names: &[String],
) -> Vec<Result<WorkloadRef, Refused>> {
    let known = link.see(|link, _| {
        let mut known: Vec<(WorkloadRef, bool)> = link
            .known()
            .map(|workload| {
                let record = link.local_record(workload);
                let stands = record.is_some_and(|record| record.standing().is_some());
                (workload.clone(), stands)
            })
            .collect();
        known.sort();
        known.dedup();
        known
    });
    let refuse = |bad_input, message: String| vec![Err(Refused { bad_input, message })];
    let Some(known) = known else {
        return refuse(
            false,
            "this agent is not a member of a fleet yet, so nothing is released here".to_owned(),
        );
    };
    if names.is_empty() {
        let wanted = known
            .iter()
            .filter(|(_, stands)| verb != LocalVerb::Release || *stands);
        let all: Vec<_> = wanted.map(|(workload, _)| Ok(workload.clone())).collect();
        return if all.is_empty() {
            refuse(
                false,
                "there is nothing to release: no local control stands".to_owned(),
            )
        } else {
            all
        };
    }
    names.iter().map(|name| named(&known, name)).collect()
}

fn named(known: &[(WorkloadRef, bool)], name: &str) -> Result<WorkloadRef, Refused> {
    let is_meant = |workload: &WorkloadRef| {
        let short = format!("{}/{}", workload.namespace(), workload.name());
        workload.to_string() == name || short == name || workload.name() == name
    };
    let known = known.iter().map(|(workload, _)| workload);
    let found: Vec<&WorkloadRef> = known
        .clone()
        .filter(|workload| is_meant(workload))
        .collect();
    if let [one] = found.as_slice() {
        return Ok((*one).clone());
    }
    let list = |all: Vec<&WorkloadRef>| {
        let names: Vec<String> = all.iter().map(ToString::to_string).collect();
        names.join(", ")
    };
    let message = if found.is_empty() {
        format!(
            "there is no workload {name:?} here; this agent has {}",
            list(known.collect())
        )
    } else {
        format!("{name:?} may be {}: name one of them", list(found))
    };
    Err(Refused {
        bad_input: true,
        message,
    })
}

/// Puts one act in force; it is not on disk yet.
fn control(
    link: &LinkHandle,
    verb: LocalVerb,
    workload: WorkloadRef,
    user: &LocalUser,
    reason: &str,
) -> Result<(WorkloadRef, Controlled), Refused> {
    let wanted = Wanted {
        id: draw(),
        workload: workload.clone(),
        verb,
        by: LocalActor::Spot {
            user: user.name.clone(),
            uid: user.uid,
        },
        reason: reason.to_owned(),
    };
    let refuse = |bad_input, message| Refused { bad_input, message };
    let controlled = match link.control(wanted) {
        Some(Ok(controlled)) => controlled,
        Some(Err(error)) => {
            let bad_input = match error {
                NotControlled::Unknown { .. } => true,
                NotControlled::Less { .. } | NotControlled::Nothing { .. } => false,
            };
            return Err(refuse(bad_input, error.to_string()));
        }
        None => return Err(refuse(false, NOT_YET.to_owned())),
    };
    tracing::warn!(%workload, code = "LocalControl", reason = %controlled.act, "decided");
    Ok((workload, controlled))
}

/// Waits once for the disk, after all is in force: it is one book, so the newest state has them all.
async fn kept(link: &LinkHandle, in_force: Vec<(WorkloadRef, Controlled)>) -> Vec<Done> {
    let newest = in_force.iter().map(|(_, one)| one.generation).max();
    let trouble = match newest {
        Some(generation) => link.local_kept(generation, WRITE).await.err(),
        None => None,
    };
    let done = in_force.into_iter().map(|(workload, controlled)| Done {
        workload: workload.to_string(),
        act: controlled.act,
        kept: trouble.is_none(),
        trouble: trouble.clone(),
    });
    done.collect()
}

fn draw() -> LocalId {
    let id = format!("l-{}", hex::encode(rand::random::<[u8; 8]>()));
    id.parse().expect("hexadecimal digits make an id")
}

fn view(link: &mut Link, now: Tick) -> StatusView {
    let mut known: Vec<WorkloadRef> = link.known().cloned().collect();
    known.sort();
    known.dedup();
    StatusView {
        cluster: link.member().cluster.to_string(),
        hub: hub(link),
        removed: link.removed().is_some(),
        audit: link
            .witness()
            .complaint
            .map(|complaint| complaint.to_string()),
        workloads: known.iter().map(|of| workload(link, of, now)).collect(),
    }
}

/// How the session with the hub stands, in words.
fn hub(link: &Link) -> String {
    match link.session() {
        Session::Welcomed { behind: false, .. } => "connected".to_owned(),
        Session::Welcomed { behind: true, .. } => {
            "connected to a hub that is behind what was seen: nothing advances".to_owned()
        }
        Session::Opened | Session::Greeted => "connecting".to_owned(),
        Session::Closed => match link.removed() {
            Some(why) => format!("not connected: {why}"),
            None => "not connected: what has a lease advances until it ends, for up to its length; a hold or a retreat here acts now".to_owned(),
        },
        Session::Over(hangup) => format!("not connected: {}", hangup.reason),
    }
}

/// The agent in a line: who it is, and how its session stands.
pub(in crate::run) fn standing_of(link: &LinkHandle) -> String {
    let line = link.see(|link, _| format!("cluster {}, hub: {}", link.member().cluster, hub(link)));
    line.unwrap_or_else(|| NOT_YET.to_owned())
}

fn workload(link: &Link, workload: &WorkloadRef, now: Tick) -> WorkloadView {
    let ruling = link.permission(workload, now);
    let seen = link.last_seen(workload);
    let local = link.local_record(workload).and_then(|of| of.standing());
    WorkloadView {
        workload: workload.to_string(),
        primary: seen.and_then(|seen| seen.primary_version.clone()),
        version: seen.and_then(|seen| seen.version.clone()),
        phase: seen.map(|seen| seen.phase.to_string()),
        in_flight: seen.is_some_and(|seen| seen.phase.is_active()),
        weight: seen.map(|seen| seen.weight.get()),
        observed: seen.and_then(|seen| seen.observed).map(|share| share.get()),
        intent: ruling.as_ref().map(|ruling| ruling.intent.to_string()),
        why: ruling.map_or_else(
            || "nothing is ordered".to_owned(),
            |ruling| ruling.why.to_string(),
        ),
        message: seen.map(|seen| seen.message.clone()).unwrap_or_default(),
        local: local.cloned(),
        kept: link.is_local_kept(link.local_generation()),
    }
}
