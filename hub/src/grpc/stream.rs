//! A session on its stream: one task hears what the agent says and sends what the fleet has for it, so
//! that a slow reader is not listened to either.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use flagship_proto::{
    model::{AgentMessage, Goodbye, HubMessage},
    wire,
};
use futures::Stream;
use tonic::{Status, Streaming};

use crate::fleet::{
    Next, SessionId,
    handle::{FleetHandle, Line},
};

/// How many messages are heard before something is sent again.
const BUDGET: usize = 16;

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
    heard: Option<Streaming<wire::AgentMessage>>,
}

impl Answers {
    pub(super) fn open(
        id: SessionId,
        fleet: FleetHandle,
        line: Line,
        heard: Streaming<wire::AgentMessage>,
    ) -> Self {
        Self(State::Open(Box::new(Open {
            id,
            fleet,
            line,
            heard: Some(heard),
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
            let Some(heard) = &mut self.heard else {
                return;
            };
            match Pin::new(heard).poll_next(cx) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(message))) => match AgentMessage::try_from(message) {
                    Ok(message) => self.fleet.message(self.id, message),
                    Err(error) => self.fleet.garbled(self.id, &error.to_string()),
                },
                Poll::Ready(Some(Err(status))) => {
                    tracing::debug!(session = %self.id, %status, "session broke");
                    self.heard = None;
                }
                Poll::Ready(None) => self.heard = None,
            }
        }
        cx.waker().wake_by_ref();
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
                if open.heard.is_none() {
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
        tracing::info!(session = %self.id, "session closed");
        self.fleet.close(self.id);
    }
}
