//! Yesterday's data folder: kept before the release is started, put back in the middle of it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    stage::Stage,
    table::{Fault, Side},
};

impl Stage {
    /// Copies the folder that the fault will put back, with its process at rest.
    ///
    /// # Errors
    /// It cannot be copied, or the process does not start again.
    pub(super) async fn keep_yesterday(&mut self, fault: Fault, place: &str) -> anyhow::Result<()> {
        let Fault::OldData(side) = fault else {
            return Ok(());
        };
        self.kill(side, place);
        let data = self.data(side, place);
        let copy = beside(&data, "yesterday");
        let _none_yet = fs::remove_dir_all(&copy);
        copy_folder(&data, &copy)?;
        self.start(side, place).await?;
        self.fleet.settle().await;
        Ok(())
    }

    /// Puts it back; today's is set aside.
    ///
    /// # Errors
    /// The folders cannot be moved, or the process does not start with it.
    pub(super) async fn put_yesterday_back(
        &mut self,
        side: Side,
        place: &str,
    ) -> anyhow::Result<()> {
        let data = self.data(side, place);
        let today = beside(&data, "today");
        let _none_yet = fs::remove_dir_all(&today);
        self.kill(side, place);
        fs::rename(&data, today)?;
        fs::rename(beside(&data, "yesterday"), &data)?;
        self.start(side, place).await
    }

    /// Puts today's folder in its place again.
    ///
    /// # Errors
    /// The folders cannot be moved, or the process does not start with it.
    pub(super) async fn put_today_back(&mut self, side: Side, place: &str) -> anyhow::Result<()> {
        let data = self.data(side, place);
        self.kill(side, place);
        fs::remove_dir_all(&data)?;
        fs::rename(beside(&data, "today"), &data)?;
        self.start(side, place).await
    }
}

fn beside(data: &Path, day: &str) -> PathBuf {
    data.with_extension(day)
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_folder(&path, &copy)?;
        } else if entry.file_type()?.is_file() {
            fs::copy(&path, &copy)?;
        }
    }
    Ok(())
}
