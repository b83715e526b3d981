//! What a backup holds: everything of one moment, from a store that serves or one that nobody uses.

use std::io::{self, Write};

use anyhow::{Context as _, bail};
use flagship_proto::process::{Clock, socket::LocalUser};

use super::{Folder, local::actor};
use crate::{
    audit::AuditEntry,
    backup::{self, Head},
    records::{FleetMeta, Stored, key},
    store::{Outcome, Part, Store, Txn},
};

/// Notes in the audit log who took a backup, which holds secrets.
pub(super) async fn audited(store: &Store, user: &LocalUser) -> anyhow::Result<()> {
    let at = Clock::new().now().wall;
    let words = "a copy of everything, secrets too";
    let entry = AuditEntry::new(at, &actor(user), "fleet.backup", "fleet", words);
    match store.txn(Txn::new().audit(entry).urgent()).await? {
        Outcome::Committed { .. } => Ok(()),
        Outcome::Conflict { key } => bail!("{key} has changed meanwhile"),
    }
}

/// Writes a backup of a consistent snapshot.
pub(super) fn write(folder: &Folder, store: &Store, to: impl Write) -> anyhow::Result<()> {
    let fleet: Stored<FleetMeta> = store
        .read(&key::fleet())?
        .context("this store holds no fleet")?;
    let files = folder.kept_files()?;
    let at = Clock::new().now().wall;
    let mut to = Some(to);
    let mut writer = None;
    store.export(&mut |part| match part {
        Part::Head(position, audit) => {
            let head = Head::new(fleet.fleet.clone(), at, position, audit);
            let to = to
                .take()
                .ok_or_else(|| io::Error::other("a second beginning"))?;
            let mut begun = backup::Writer::begin(to, head)?;
            for file in &files {
                begun.file(file.clone())?;
            }
            writer = Some(begun);
            Ok(())
        }
        Part::Row(key, row) => match &mut writer {
            Some(writer) => writer.row(&key, &row),
            None => Err(io::Error::other("a row before the beginning")),
        },
    })?;
    let writer = writer.context("the store gave nothing")?;
    Ok(writer.end()?)
}
