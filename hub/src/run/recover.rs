//! `flagship-hub recover`: goes on after an older copy of the data folder was put back (P22).

use std::{fmt, path::PathBuf};

use flagship_proto::process::{Clock, socket::own_user};

use super::{Folder, local::actor};
use crate::{
    args::RecoverArgs,
    epoch::{self, NewEpoch, Said},
    store::Store,
};

/// What a person needs to know after `recover` or `restore`.
#[derive(Debug)]
pub struct Recovered {
    /// `recovered` or `restored`.
    pub done: &'static str,
    /// Where everything lies.
    pub data: PathBuf,
    /// What the new epoch began with.
    pub began: NewEpoch,
}

/// Begins a new epoch in a folder that no hub serves.
pub async fn recover(args: RecoverArgs) -> anyhow::Result<Recovered> {
    let RecoverArgs { data, reason } = args;
    let folder = Folder::new(&data.data);
    let store = Store::open(folder.path())?;
    let began = new_epoch(&store, "fleet.recover", &reason).await?;
    Ok(Recovered {
        done: "recovered",
        data: data.data,
        began,
    })
}

/// The transaction, in the name of who runs this process.
pub(super) async fn new_epoch(
    store: &Store,
    action: &str,
    reason: &str,
) -> anyhow::Result<NewEpoch> {
    let actor = actor(&own_user());
    let said = Said {
        action,
        actor: &actor,
        reason,
        at: Clock::new().now().wall,
    };
    Ok(epoch::begin(store, &said).await?)
}

impl fmt::Display for Recovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, data, began } = self;
        let NewEpoch {
            epoch,
            position,
            paused,
            unconfirmed,
            held,
            revoked,
        } = began;
        let data = data.display();
        writeln!(
            f,
            "The fleet in {data} is {done}: epoch {epoch}, from position {position} on"
        )?;
        writeln!(f)?;
        let list = |names: Vec<String>| match names.len() {
            0 => "none".to_owned(),
            count if count > 8 => format!("{}, … ({count})", names[..8].join(", ")),
            _ => names.join(", "),
        };
        let members = unconfirmed.iter().map(ToString::to_string).collect();
        writeln!(f, "  rollouts paused         {}", list(paused.clone()))?;
        writeln!(f, "  Run orders held         {held}")?;
        writeln!(f, "  members to confirm      {}", list(members))?;
        writeln!(f, "  enrolment tokens ended  {revoked}")?;
        writeln!(f)?;
        writeln!(
            f,
            "What was decided after this copy was made is not known here: who was removed is a member"
        )?;
        writeln!(
            f,
            "again, and API tokens that were revoked count again. So, in this order:"
        )?;
        writeln!(f, "  flagship-hub serve --data {data}")?;
        writeln!(
            f,
            "  flagship token list                       and revoke what should be"
        )?;
        writeln!(
            f,
            "  flagship cluster list                     and remove who should not be there"
        )?;
        writeln!(
            f,
            "  flagship cluster confirm --all --reason …  until then nothing advances anywhere"
        )?;
        writeln!(
            f,
            "  flagship resume ROLLOUT                   or retreat it"
        )
    }
}
