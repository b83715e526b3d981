//! A network that can fail: a TCP relay on loopback in front of a hub, which can be cut, be deaf in one
//! direction, or be slow.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Notify, watch},
    time,
};

/// Bytes that cross at once.
const CHUNK: usize = 16 * 1024;
/// What a slow line takes at once, and how long each part is under way.
const SLOW: (usize, Duration) = (1024, Duration::from_millis(200));

/// How a line is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Line {
    /// Everything crosses at once.
    #[default]
    Whole,
    /// Nothing crosses towards the hub; what was sent waits, as with lost packets.
    MuteUp,
    /// Nothing crosses towards the agent.
    MuteDown,
    /// A little crosses at a time, late.
    Slow,
}

/// A relay to one address; its connections end when it is cut, and no new one comes through.
#[derive(Debug)]
pub struct Cable {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    down: AtomicBool,
    knocks: Mutex<Vec<Instant>>,
    cut: Notify,
    line: watch::Sender<Line>,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

impl Cable {
    /// A relay to `to`.
    ///
    /// # Errors
    /// There is no port.
    pub async fn to(to: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let mut knocks = shared.knocks.lock().expect("nobody panics with it");
                knocks.push(Instant::now());
                drop(knocks);
                if !shared.down.load(Ordering::SeqCst) {
                    tokio::spawn(relay(near, to, Arc::clone(&shared)));
                }
            }
        });
        Ok(Self { address, state })
    }

    /// When somebody connected to it so far, let through or not.
    ///
    /// # Panics
    /// The relay has ended.
    pub fn knocks(&self) -> Vec<Instant> {
        let knocks = self.state.knocks.lock();
        knocks.expect("nobody panics with it").clone()
    }

    /// Ends every connection and lets none through.
    pub fn cut(&self) {
        self.state.down.store(true, Ordering::SeqCst);
        self.state.cut.notify_waiters();
    }

    /// Lets connections through again, and everything on them.
    pub fn mend(&self) {
        self.state.down.store(false, Ordering::SeqCst);
        self.set(Line::Whole);
    }

    /// Changes how the line is; connections stay open.
    pub fn set(&self, line: Line) {
        self.state.line.send_replace(line);
    }
}

async fn relay(near: TcpStream, to: SocketAddr, state: Arc<State>) {
    let Ok(far) = TcpStream::connect(to).await else {
        return;
    };
    for stream in [&near, &far] {
        // Without it small messages wait for each other; a relay that cannot say so is only slower.
        let _slower = stream.set_nodelay(true);
    }
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    let line = || state.line.subscribe();
    let both = async {
        tokio::join!(
            pump(near_in, far_out, Way::Up, line()),
            pump(far_in, near_out, Way::Down, line()),
        )
    };
    tokio::select! {
        _ended = both => {}
        () = state.cut.notified() => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    way: Way,
    mut line: watch::Receiver<Line>,
) -> Option<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let most = match *line.borrow() {
            Line::Slow => SLOW.0,
            Line::Whole | Line::MuteUp | Line::MuteDown => CHUNK,
        };
        let read = from.read(&mut buffer[..most]).await.ok()?;
        let crosses = |line: &Line| match line {
            Line::Whole | Line::Slow => true,
            Line::MuteUp => way != Way::Up,
            Line::MuteDown => way != Way::Down,
        };
        let now = *line.wait_for(crosses).await.ok()?;
        if now == Line::Slow {
            time::sleep(SLOW.1).await;
        }
        if read == 0 {
            return to.shutdown().await.ok();
        }
        to.write_all(&buffer[..read]).await.ok()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_muted_line_keeps_what_was_sent_until_it_is_mended() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let cable = Cable::to(listener.local_addr().unwrap()).await.unwrap();
        let mut near = TcpStream::connect(cable.address).await.unwrap();
        let (mut far, _) = listener.accept().await.unwrap();
        let mut bytes = [0; 2];
        cable.set(Line::MuteUp);
        near.write_all(b"up").await.unwrap();
        far.write_all(b"dn").await.unwrap();
        near.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"dn", "the other way is open");
        let came = time::timeout(Duration::from_millis(300), far.read_exact(&mut bytes)).await;
        came.expect_err("nothing crosses");
        cable.mend();
        far.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"up");
        cable.cut();
        assert_eq!(near.read(&mut bytes).await.unwrap_or(0), 0, "it is cut");
    }
}
