//! A session on its stream: one task hears what the agent says and sends what the fleet has for it, so
//! that a slow reader is not listened to either.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

use flagship_proto::{
    model::{AgentMessage, Goodbye, HubMessage},
    wire,
};
use futures::Stream;
use prost::Message as _;
use tonic::{Code, Status, Streaming};

use crate::{
    fleet::{
        Next, PAGE, SPEECH, SessionId,
        handle::{FleetHandle, Line},
    },
    limit::Bucket,
};

/// How many messages are heard before something is sent again.
const BUDGET: usize = 16;

/// How many messages may wait when a stream ends.
const LEFT: usize = 10_000;

/// The type that the service names.
pub(super) type SessionStream = Answers;

/// What a session answers.
pub(super) struct Answers(State);

enum State {
    Open(Box<Open>),
    Refused(Goodbye),
    Ended,
}

struct Open {
    id: SessionId,
    fleet: FleetHandle,
    line: Line,
    heard: Heard,
    speech: Bucket,
}

/// How the agent is listened to.
enum Heard {
    /// As it speaks.
    Speaks(Box<Streaming<wire::AgentMessage>>),
    /// Not any more: it is told why.
    Refused,
    /// It is gone.
    Gone,
}

impl Answers {
    pub(super) fn open(
        id: SessionId,
        fleet: FleetHandle,
        line: Line,
        heard: Streaming<wire::AgentMessage>,
    ) -> Self {
        let speech = Bucket::full(SPEECH, fleet.now().mono);
        Self(State::Open(Box::new(Open {
            id,
            fleet,
            line,
            heard: Heard::Speaks(Box::new(heard)),
            speech,
        })))
    }

    /// One last word, and nothing more.
    pub(super) fn refused(last: Goodbye) -> Self {
        Self(State::Refused(last))
    }
}

impl Open {
    /// Hears what has come; after some messages others have their turn.
    fn hear(&mut self, cx: &mut Context<'_>) {
        for _ in 0..BUDGET {
            let Heard::Speaks(heard) = &mut self.heard else {
                return;
            };
            self.heard = match Pin::new(heard).poll_next(cx) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(message))) => match self.take_in(message) {
                    Ok(()) => continue,
                    Err(Refused) => Heard::Refused,
                },
                Poll::Ready(Some(Err(status))) => match Broke::by(&status) {
                    Broke::Garbage => {
                        self.fleet.garbled(self.id, status.message());
                        Heard::Refused
                    }
                    Broke::Flood => {
                        self.fleet.flooded(self.id);
                        Heard::Gone
                    }
                    Broke::Link => {
                        tracing::debug!(session = %self.id, %status, "session broke");
                        Heard::Gone
                    }
                },
                Poll::Ready(None) => Heard::Gone,
            }
        }
        cx.waker().wake_by_ref();
    }

    /// The stream is dropped with its connection: whether that was closed because of a flood stands
    /// behind what is left of it.
    fn was_flooded(&mut self) -> bool {
        let Heard::Speaks(heard) = &mut self.heard else {
            return false;
        };
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..LEFT {
            match Pin::new(&mut *heard).poll_next(&mut cx) {
                Poll::Ready(Some(Ok(_unheard))) => {}
                Poll::Ready(Some(Err(status))) => {
                    return match Broke::by(&status) {
                        Broke::Flood => true,
                        Broke::Garbage | Broke::Link => false,
                    };
                }
                Poll::Ready(None) | Poll::Pending => return false,
            }
        }
        true
    }

    fn take_in(&mut self, message: wire::AgentMessage) -> Result<(), Refused> {
        let pages = u32::try_from(message.encoded_len() / PAGE).unwrap_or(u32::MAX);
        let now = self.fleet.now().mono;
        if !self.speech.take(pages.saturating_add(1), SPEECH, now) {
            self.fleet.flooded(self.id);
            return Err(Refused);
        }
        match AgentMessage::try_from(message) {
            Ok(message) => {
                self.fleet.message(self.id, message);
                Ok(())
            }
            Err(error) => {
                self.fleet.garbled(self.id, &error.to_string());
                Err(Refused)
            }
        }
    }
}

/// The agent is not listened to any more.
struct Refused;

/// Why nothing more can be heard.
enum Broke {
    /// What came is no message.
    Garbage,
    /// More frames came than HTTP/2 lets anybody queue; the connection is closed already.
    Flood,
    /// The connection ended.
    Link,
}

impl Broke {
    fn by(status: &Status) -> Self {
        let said = status.message();
        match status.code() {
            Code::ResourceExhausted if said.starts_with("h2 protocol error") => Self::Flood,
            Code::OutOfRange | Code::ResourceExhausted => Self::Garbage,
            Code::Internal
                if said.starts_with("failed to decode")
                    || said.starts_with("protocol error: received") =>
            {
                Self::Garbage
            }
            Code::Internal
            | Code::Ok
            | Code::Cancelled
            | Code::Unknown
            | Code::InvalidArgument
            | Code::DeadlineExceeded
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::Unimplemented
            | Code::Unavailable
            | Code::DataLoss
            | Code::Unauthenticated => Self::Link,
        }
    }
}

impl Stream for Answers {
    type Item = Result<wire::HubMessage, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match std::mem::replace(&mut self.0, State::Ended) {
            State::Ended => Poll::Ready(None),
            State::Refused(last) => Poll::Ready(Some(Ok(HubMessage::Goodbye(last).into()))),
            State::Open(mut open) => {
                open.line.waker.register(cx.waker());
                open.hear(cx);
                if matches!(open.heard, Heard::Gone) {
                    return Poll::Ready(None);
                }
                match open.fleet.take(open.id) {
                    Next::End => Poll::Ready(None),
                    Next::Message(message) => {
                        self.0 = State::Open(open);
                        Poll::Ready(Some(Ok(message.into())))
                    }
                    Next::Wait => {
                        self.0 = State::Open(open);
                        Poll::Pending
                    }
                }
            }
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.was_flooded() {
            self.fleet.flooded(self.id);
        }
        tracing::info!(session = %self.id, "session closed");
        self.fleet.close(self.id);
    }
}
