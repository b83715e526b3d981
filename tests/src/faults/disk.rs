//! Disks of our own that can be full, or fail as a broken one does: the kernel makes it read-only under the
//! processes that write to it.

use std::{
    ffi::OsStr,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};

use super::machine::Need;

/// What a disk can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Be full: a tmpfs of a fixed size.
    Small,
    /// Fail: ext4 in a file.
    Fragile,
}

/// A disk at a folder; unmounted when this is dropped.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    kind: Kind,
    mib: u32,
}

impl Disk {
    /// Mounts one at `folder`, which is made.
    ///
    /// # Errors
    /// It cannot be mounted.
    pub(super) fn mount(folder: &Path, kind: Kind, mib: u32) -> anyhow::Result<Self> {
        ensure!(Need::Mounts.is_met(), "the mounts are not our own");
        fs::create_dir_all(folder)?;
        let disk = Self {
            folder: folder.to_owned(),
            kind,
            mib,
        };
        disk.mount_at(folder)?;
        Ok(disk)
    }

    fn mount_at(&self, folder: &Path) -> anyhow::Result<()> {
        match self.kind {
            Kind::Small => {
                let options = format!("size={}m,mode=0700", self.mib);
                let words = ["-t", "tmpfs", "-o", &options, "tmpfs"];
                run("mount", &words, &[folder])
            }
            Kind::Fragile => {
                let image = folder.with_extension("ext4");
                // The one that it replaces may still be in use; its name is free all the same.
                let _first = fs::remove_file(&image);
                fs::File::create(&image)?.set_len(u64::from(self.mib) << 20)?;
                run("mkfs.ext4", &["-q", "-F", "-m", "0"], &[&image])?;
                run("mount", &["-o", "loop"], &[&image, folder])?;
                Ok(fs::remove_dir(folder.join("lost+found"))?)
            }
        }
    }

    /// Leaves not a byte of room.
    ///
    /// # Errors
    /// The file that takes the room cannot be made.
    pub(super) fn fill(&self) -> anyhow::Result<()> {
        let mut filler = fs::File::options()
            .create(true)
            .append(true)
            .open(self.filler())?;
        for block in [1 << 20, 1 << 16, 1 << 12, 1] {
            let zeros = vec![0; block];
            while filler.write_all(&zeros).is_ok() {}
        }
        Ok(())
    }

    /// Gives the room back.
    ///
    /// # Errors
    /// The file that takes the room cannot be removed.
    pub(super) fn clear(&self) -> anyhow::Result<()> {
        fs::remove_file(self.filler()).context("the disk was not full")
    }

    /// Makes it read-only under those who write, as the kernel does with one that fails.
    ///
    /// # Errors
    /// It is not of the fragile kind.
    pub(super) fn break_down(&self) -> anyhow::Result<()> {
        run("mount", &["-o", "remount,abort"], &[&self.folder])?;
        let tried = fs::write(self.filler(), "");
        ensure!(tried.is_err(), "the disk is not read-only");
        Ok(())
    }

    /// Puts another disk in its place, with what could be read of it. Whoever has files open on it must
    /// have ended.
    ///
    /// # Errors
    /// What is on it cannot be copied.
    pub(super) fn replace(&self) -> anyhow::Result<()> {
        let new = self.folder.with_extension("new");
        fs::create_dir_all(&new)?;
        self.mount_at(&new)?;
        run("cp", &["-a"], &[&self.folder.join("."), &new])?;
        run("mount", &["--move"], &[&new, &self.folder])
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Another disk may have been put over the first.
        while run("umount", &["-l"], &[&self.folder]).is_ok() {}
    }
}

fn run(program: &str, words: &[&str], paths: &[&Path]) -> anyhow::Result<()> {
    let words = words.iter().map(OsStr::new);
    let all = words.chain(paths.iter().map(|path| path.as_os_str()));
    let ended = Command::new(program).args(all).output();
    let ended = ended.with_context(|| format!("cannot run {program}"))?;
    let said = String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.success(), "{program}: {}", said.trim());
    Ok(())
}
