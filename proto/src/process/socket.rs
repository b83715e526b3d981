//! A socket for people on the same machine, in a folder of the process's own: for its owner only,
//! and each peer is who the kernel says. One line of JSON each way, within limits.

use std::{
    fs::{self, File, Permissions},
    io,
    os::{fd::AsRawFd as _, unix::fs::PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{UnixListener, UnixSocket, UnixStream},
};

use super::files::PRIVATE;

/// Longest line that is read, in bytes.
pub const LONGEST_LINE: u64 = 1 << 20;

/// How long a peer may take for one line.
pub const LINE_DEADLINE: Duration = Duration::from_secs(10);

/// A path that a socket's address can hold has fewer bytes than this.
const LONGEST_PATH: usize = 100;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 16;

/// A user of this machine, as its kernel says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalUser {
    /// The name; empty where this machine has none for the id.
    pub name: String,
    /// The id.
    pub uid: u32,
}

/// A path to a file of a folder; a short one through an open handle where the real one is too long.
struct Address {
    path: PathBuf,
    _folder: Option<File>,
}

impl Address {
    fn of(folder: &Path, name: &str) -> io::Result<Self> {
        let direct = folder.join(name);
        if direct.as_os_str().len() < LONGEST_PATH {
            return Ok(Self {
                path: direct,
                _folder: None,
            });
        }
        let handle = File::open(folder)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{name}", handle.as_raw_fd()));
        Ok(Self {
            path,
            _folder: Some(handle),
        })
    }
}

/// Listens under a name in a folder that this process has locked for itself: what lies there is
/// left over. Nobody can connect before the mode is set.
pub fn listen(folder: &Path, name: &str) -> io::Result<UnixListener> {
    let address = Address::of(folder, name)?;
    match fs::remove_file(&address.path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let socket = UnixSocket::new_stream()?;
    socket.bind(&address.path)?;
    fs::set_permissions(&address.path, Permissions::from_mode(PRIVATE))?;
    socket.listen(BACKLOG)
}

/// Connects to who listens there.
pub async fn connect(folder: &Path, name: &str) -> io::Result<UnixStream> {
    let address = Address::of(folder, name)?;
    UnixStream::connect(&address.path).await
}

/// Who is at the other end.
pub fn peer(stream: &UnixStream) -> io::Result<LocalUser> {
    let uid = stream.peer_cred()?.uid();
    Ok(LocalUser {
        name: user_name(uid),
        uid,
    })
}

/// The user that this process runs as.
pub fn own_user() -> LocalUser {
    let uid = rustix::process::getuid().as_raw();
    LocalUser {
        name: user_name(uid),
        uid,
    }
}

/// The name for a user's id in this machine's list of users.
fn user_name(uid: u32) -> String {
    let list = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let wanted = uid.to_string();
    let found = list.lines().find_map(|line| {
        let mut parts = line.split(':');
        let name = parts.next()?;
        (parts.nth(1)? == wanted).then(|| name.to_owned())
    });
    found.unwrap_or_default()
}

/// Writes one line.
pub async fn write_line<T: Serialize>(
    to: &mut (impl AsyncWrite + Unpin),
    value: &T,
) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    let writing = async {
        to.write_all(&line).await?;
        to.flush().await
    };
    within(LINE_DEADLINE, writing).await
}

/// Reads one line.
pub async fn read_line<T: DeserializeOwned>(
    from: &mut (impl AsyncBufRead + Unpin),
    deadline: Duration,
) -> io::Result<T> {
    let mut line = Vec::new();
    let mut bounded = from.take(LONGEST_LINE);
    within(deadline, bounded.read_until(b'\n', &mut line)).await?;
    if line.last() != Some(&b'\n') {
        let ended = "the other end closed, or said more than a line may hold";
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, ended));
    }
    Ok(serde_json::from_slice(&line)?)
}

async fn within<T>(
    deadline: Duration,
    doing: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    tokio::time::timeout(deadline, doing)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests {
    use tokio::io::BufReader;

    use super::*;

    #[tokio::test]
    async fn only_the_owner_may_connect_and_the_kernel_says_who_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let long = folder.path().join("x".repeat(120));
        fs::create_dir(&long).unwrap();
        for folder in [folder.path(), &long] {
            fs::write(folder.join("s"), "left over").unwrap();
            let listener = listen(folder, "s").unwrap();
            let mode = fs::metadata(folder.join("s")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            let mut here = connect(folder, "s").await.unwrap();
            let (there, _) = listener.accept().await.unwrap();
            assert_eq!(peer(&there).unwrap(), own_user());
            write_line(&mut here, &"stop").await.unwrap();
            let said: String = read_line(&mut BufReader::new(there), LINE_DEADLINE)
                .await
                .unwrap();
            assert_eq!(said, "stop");
        }
    }

    #[tokio::test]
    async fn who_says_nothing_or_too_much_is_not_waited_for() {
        let mut silent = BufReader::new(tokio::io::empty());
        let ended = read_line::<String>(&mut silent, LINE_DEADLINE).await;
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        let mut endless = BufReader::new(tokio::io::repeat(b'x'));
        let ended = read_line::<String>(&mut endless, LINE_DEADLINE).await;
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
