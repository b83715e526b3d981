//! `flagship-hub backup`: one file with everything a hub is made of, also while it serves.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, BufReader, BufWriter, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use flagship_proto::{
    process::{
        files::PRIVATE,
        socket::{self, own_user},
    },
    words::count,
};
use tokio::io::AsyncReadExt as _;

use super::{
    Folder,
    admin::{Answer, Request, SOCKET},
    snapshot::{audited, write},
};
use crate::{
    args::BackupArgs,
    backup::{self, Contents, Head},
    store::Store,
};

/// How long the hub may take to answer, and for each piece.
const ANSWER: Duration = Duration::from_secs(30);

/// What a person needs to know of a backup.
#[derive(Debug)]
pub struct BackedUp {
    /// Where it lies.
    pub file: PathBuf,
    /// What it is of.
    pub head: Head,
    /// How many rows.
    pub rows: usize,
    /// Which files of the data folder.
    pub files: Vec<String>,
}

/// Makes a backup: of the hub that serves the folder, or of the folder where none does.
pub async fn backup(args: BackupArgs) -> anyhow::Result<BackedUp> {
    let BackupArgs { data, to } = args;
    let folder = Folder::new(&data.data);
    ensure!(
        !to.exists(),
        "{} is there already: name another file, or remove it",
        to.display()
    );
    let beside = beside(&to);
    let made = async {
        let mut file = private(&beside)?;
        match socket::connect(folder.path(), SOCKET).await {
            Ok(stream) => fetch(stream, &mut file).await?,
            Err(error) if is_nobody(&error) => {
                let store = Store::open(folder.path())?;
                audited(&store, &own_user()).await?;
                write(&folder, &store, &mut file)?;
            }
            Err(error) => {
                return Err(error).context("cannot speak to the hub that serves this folder; run this as its user or as root");
            }
        }
        file.flush()?;
        file.get_ref().sync_all()?;
        let contents = checked(&beside)?;
        fs::rename(&beside, &to)?;
        Ok(contents)
    }
    .await;
    let contents = made.inspect_err(|_| {
        // What is left is our own unfinished copy.
        let _ = fs::remove_file(&beside);
    })?;
    Ok(BackedUp {
        file: to,
        rows: contents.rows.len(),
        files: contents.files.into_iter().map(|file| file.name).collect(),
        head: contents.head,
    })
}

/// Reads a backup and checks all of it.
pub(super) fn checked(path: &Path) -> anyhow::Result<Contents> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    backup::read(BufReader::new(file)).with_context(|| format!("{} is not used", path.display()))
}

fn is_nobody(error: &io::Error) -> bool {
    [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused].contains(&error.kind())
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{:08x}.new", rand::random::<u32>()))
}

fn private(path: &Path) -> anyhow::Result<BufWriter<File>> {
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .create_new(true)
        .mode(PRIVATE)
        .open(path);
    let file = file.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(BufWriter::new(file))
}

async fn fetch(stream: tokio::net::UnixStream, to: &mut impl Write) -> anyhow::Result<()> {
    let (from, mut ask) = stream.into_split();
    let mut from = tokio::io::BufReader::new(from);
    socket::write_line(&mut ask, &Request::Backup {}).await?;
    let answer: Answer = socket::read_line(&mut from, ANSWER).await?;
    if let Some(why) = answer.refused {
        bail!("the hub makes no backup: {why}");
    }
    let mut piece = vec![0; 1 << 16];
    loop {
        let read = tokio::time::timeout(ANSWER, from.read(&mut piece)).await;
        let count = read.context("the hub does not go on sending")??;
        if count == 0 {
            return Ok(());
        }
        to.write_all(&piece[..count])?;
    }
}

impl fmt::Display for BackedUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            head,
            rows,
            files,
        } = self;
        let file = file.display();
        writeln!(
            f,
            "Backup of fleet {} as of position {} in {file}",
            head.fleet, head.position
        )?;
        writeln!(f)?;
        writeln!(
            f,
            "  store    {rows} rows: plans, rollouts, orders, aborts, clusters, tokens as hashes, history,"
        )?;
        writeln!(
            f,
            "           and the audit log ({}, chain checked)",
            count(head.audit.count, "entry")
        )?;
        writeln!(f, "  files    {}", files.join(", "))?;
        writeln!(f)?;
        writeln!(
            f,
            "It holds SECRETS: with the keys of the CA and of orders in it, whoever has this file can speak"
        )?;
        writeln!(
            f,
            "for the hub. It was read back and is whole; its mode is 0600. To use it, into an empty folder:"
        )?;
        writeln!(
            f,
            "  flagship-hub restore --from {file} --data DIR --reason …"
        )
    }
}
