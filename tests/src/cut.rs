//! A network that can be cut: a TCP relay on loopback in front of a hub.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::Notify,
};

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
    cut: Notify,
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
                if !shared.down.load(Ordering::SeqCst) {
                    tokio::spawn(relay(near, to, Arc::clone(&shared)));
                }
            }
        });
        Ok(Self { address, state })
    }

    /// Ends every connection and lets none through.
    pub fn cut(&self) {
        self.state.down.store(true, Ordering::SeqCst);
        self.state.cut.notify_waiters();
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.state.down.store(false, Ordering::SeqCst);
    }
}

async fn relay(mut near: TcpStream, to: SocketAddr, state: Arc<State>) {
    let Ok(mut far) = TcpStream::connect(to).await else {
        return;
    };
    tokio::select! {
        _ended = copy_bidirectional(&mut near, &mut far) => {}
        () = state.cut.notified() => {}
    }
}
