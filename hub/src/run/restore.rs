//! `flagship-hub restore`: a backup becomes a hub's data folder, in a new epoch (P21).

use anyhow::{Context as _, ensure};
use flagship_proto::process::files;

use super::{
    Folder,
    backup::checked,
    recover::{Recovered, new_epoch},
};
use crate::{args::RestoreArgs, backup::Contents, store::Store};

/// Restores into a folder that is empty or not there. It is whole, or empty again.
pub async fn restore(args: RestoreArgs) -> anyhow::Result<Recovered> {
    let RestoreArgs { data, from, reason } = args;
    let folder = Folder::new(&data.data);
    let place = data.data.display();
    files::private_folder(folder.path())?;
    let mut content =
        std::fs::read_dir(folder.path()).with_context(|| format!("cannot read {place}"))?;
    ensure!(
        content.next().is_none(),
        "{place} is not empty: restore wants an empty folder; to go on with the hub that is there, serve it"
    );
    let contents = checked(&from)?;
    let names: Vec<String> = contents
        .files
        .iter()
        .map(|file| file.name.clone())
        .collect();
    match fill(&folder, contents, &reason).await {
        Ok(began) => Ok(Recovered {
            done: "restored",
            data: data.data,
            began,
        }),
        Err(error) => {
            // Only what was made here: the folder was empty.
            for name in
                names
                    .iter()
                    .map(String::as_str)
                    .chain(["flagship.redb", "flagship.new", "ballast"])
            {
                let _ = std::fs::remove_file(folder.path().join(name));
            }
            Err(error)
        }
    }
}

async fn fill(
    folder: &Folder,
    contents: Contents,
    reason: &str,
) -> anyhow::Result<crate::epoch::NewEpoch> {
    for file in &contents.files {
        files::write_atomic(&folder.path().join(&file.name), &file.content, file.mode)?;
    }
    let head = contents.head;
    let store = Store::restore(folder.path(), head.position, head.audit, contents.rows)?;
    let why = format!("{reason} (backup of {})", head.at.strftime("%F %H:%M:%SZ"));
    new_epoch(&store, "fleet.restore", &why).await
}
