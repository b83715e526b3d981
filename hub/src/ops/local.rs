//! The end of local control by a person on the hub: stored, and obeyed by the agent that keeps it.

use flagship_proto::{
    command::Command,
    model::{ClusterName, LocalAct, Tick, WorkloadRef},
    words::moment,
};
use serde::{Deserialize, Serialize};

use super::{Caller, OpError, Ops, Prepared, error::named};
use crate::{
    auth::Right,
    records::{LocalReleaseRow, Record as _, ReportRow, Stored, key},
    store::Txn,
};

/// Which local control ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseLocal {
    /// In which cluster.
    pub cluster: ClusterName,
    /// Over which workload: `namespace/Kind/name`, or the name where only one has it.
    pub workload: String,
}

/// The answer: the word is stored, and the agent obeys it when it hears it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalReleased {
    /// In which cluster.
    pub cluster: ClusterName,
    /// Over which workload.
    pub workload: WorkloadRef,
    /// What ends.
    pub act: LocalAct,
}

impl Ops {
    /// Ends the local hold or retreat that stands. It moves nothing by itself.
    pub async fn release_local(
        &self,
        caller: &Caller,
        args: ReleaseLocal,
        now: Tick,
    ) -> Result<LocalReleased, OpError> {
        self.transact(caller, "local.release", &args, now, || {
            self.prepare_release_local(caller, &args, now)
        })
        .await
    }

    fn prepare_release_local(
        &self,
        caller: &Caller,
        args: &ReleaseLocal,
        now: Tick,
    ) -> Result<Prepared<LocalReleased>, OpError> {
        let cluster = self.cluster_for(caller, Right::Lift, &args.cluster)?;
        let report = self.report_on(args, &cluster.uid)?;
        let workload = report.status.workload.clone();
        let Some(act) = report.status.local_control().cloned() else {
            let message = format!("no local control stands for {workload} in {}", args.cluster);
            return Err(OpError::refused("local.none", &message).try_this(&format!(
                "what was said on the spot since it was last heard is not known here: {}",
                Command::flagship("describe")
                    .of("cluster")
                    .of(&args.cluster)
            )));
        };
        caller.insist_on_reason("ending what a person on the spot ordered")?;
        let row = LocalReleaseRow {
            cluster: args.cluster.clone(),
            uid: cluster.uid.clone(),
            workload: workload.clone(),
            act: act.id.clone(),
            at: now.wall,
            actor: caller.actor.clone(),
            reason: caller.reason.clone(),
        };
        let before: Option<Stored<LocalReleaseRow>> = self.store.read(&row.key())?;
        let txn = match &before {
            Some(before) if before.act == act.id => {
                let message = format!(
                    "{} ended it already at {}; {} obeys when it is heard",
                    before.actor,
                    moment(before.at),
                    args.cluster
                );
                let there = Command::agent("release").of(&workload).because();
                return Err(
                    OpError::conflict("local.released", &message).try_this(&format!(
                        "wait for the cluster, or release it on its machine: {there}"
                    )),
                );
            }
            Some(before) => Txn::new().unchanged(before),
            None => Txn::new().absent(row.key()),
        };
        let txn = txn.unchanged(&report).put(&row);
        let object = format!("{act} over {workload} in cluster {}", args.cluster);
        let answer = LocalReleased {
            cluster: args.cluster.clone(),
            workload,
            act,
        };
        let prepared = Prepared::new(txn, answer, object).of(cluster.key());
        Ok(prepared.digests(before.as_deref(), Some(&row)))
    }

    fn report_on(
        &self,
        args: &ReleaseLocal,
        uid: &flagship_proto::model::ClusterUid,
    ) -> Result<Stored<ReportRow>, OpError> {
        let mut reports: Vec<Stored<ReportRow>> = self.store.read_all(&key::reports_of(uid))?;
        let known = named(reports.iter().map(|row| &row.status.workload));
        reports.retain(|row| {
            let workload = &row.status.workload;
            workload.to_string() == args.workload || workload.name() == args.workload
        });
        if reports.len() == 1 {
            return Ok(reports.remove(0));
        }
        let what = if reports.is_empty() {
            "no"
        } else {
            "more than one"
        };
        let message = format!(
            "cluster {} reported {what} workload {:?}",
            args.cluster, args.workload
        );
        Err(OpError::not_found("workload.notFound", &message)
            .in_field("workload")
            .try_this(&format!("it has {known}")))
    }
}
