//! The two message enums of a session.

use std::time::Duration;

use super::{ConvertError, bad, body_of, bounded, line, missing, signed, text, time};
use crate::{
    model::{
        Abort, Ack, AgentMessage, Goodbye, GoodbyeCode, Grant, HubIncarnation, HubMessage,
        Incarnation, LeaseRequest, Receipt, ReceiptState, Signed, SignedGrant, SignedReceipt,
        Welcome,
    },
    wire,
};

impl From<AgentMessage> for wire::AgentMessage {
    fn from(message: AgentMessage) -> Self {
        use wire::agent_message::Message;
        let message = match message {
            AgentMessage::Hello(hello) => Message::Hello((*hello).into()),
            AgentMessage::Report(report) => Message::Report(report.into()),
            AgentMessage::LeaseRequest(request) => Message::LeaseRequest(wire::LeaseRequest {
                nonce: request.nonce,
                unsaid: request.unsaid,
            }),
            AgentMessage::Receipt(receipt) => {
                let SignedReceipt {
                    receipt: _,
                    body,
                    signature,
                    serial,
                } = *receipt;
                Message::Receipt(wire::SignedReceipt {
                    body,
                    signature,
                    serial,
                })
            }
        };
        Self {
            message: Some(message),
        }
    }
}

impl TryFrom<wire::AgentMessage> for AgentMessage {
    type Error = ConvertError;

    fn try_from(message: wire::AgentMessage) -> Result<Self, ConvertError> {
        use wire::agent_message::Message;
        Ok(match message.message.ok_or(missing("message"))? {
            Message::Hello(hello) => Self::Hello(Box::new(hello.try_into()?)),
            Message::Report(report) => Self::Report(report.try_into()?),
            Message::LeaseRequest(wire::LeaseRequest { nonce, unsaid }) => {
                Self::LeaseRequest(LeaseRequest { nonce, unsaid })
            }
            Message::Receipt(wire::SignedReceipt {
                body,
                signature,
                serial,
            }) => {
                let mut receipt: Receipt = body_of("receipt.body", &body)?;
                for workload in &mut receipt.workloads {
                    // What is signed stays in the body, as it is.
                    if let ReceiptState::NotStopped { reason, .. } = &mut workload.state {
                        *reason = line(reason, 2000);
                    }
                }
                Self::Receipt(Box::new(SignedReceipt {
                    receipt,
                    body,
                    signature,
                    serial: line(&serial, 64),
                }))
            }
        })
    }
}

impl From<HubMessage> for wire::HubMessage {
    fn from(message: HubMessage) -> Self {
        use wire::hub_message::Message;
        let message = match message {
            HubMessage::Welcome(welcome) => Message::Welcome(welcome.into()),
            HubMessage::Order(order) => Message::Order((*order).into()),
            HubMessage::Abort(abort) => Message::Abort((*abort).into()),
            HubMessage::Lift(lift) => Message::Lift((*lift).into()),
            HubMessage::LocalRelease(release) => Message::LocalRelease((*release).into()),
            HubMessage::Grant(grant) => Message::Grant(grant.into()),
            HubMessage::Ack(Ack { incarnation, seq }) => Message::Ack(wire::Ack {
                incarnation: incarnation.0,
                seq,
            }),
            HubMessage::Goodbye(goodbye) => Message::Goodbye(goodbye.into()),
        };
        Self {
            message: Some(message),
        }
    }
}

impl TryFrom<wire::HubMessage> for HubMessage {
    type Error = ConvertError;

    fn try_from(message: wire::HubMessage) -> Result<Self, ConvertError> {
        use wire::hub_message::Message;
        Ok(match message.message.ok_or(missing("message"))? {
            Message::Welcome(welcome) => Self::Welcome(welcome.try_into()?),
            Message::Order(order) => Self::Order(Box::new(signed("order.body", order)?)),
            Message::Abort(abort) => Self::Abort(Box::new(signed("abort.body", abort)?)),
            Message::Lift(lift) => Self::Lift(Box::new(signed("lift.body", lift)?)),
            Message::LocalRelease(release) => {
                Self::LocalRelease(Box::new(signed("local_release.body", release)?))
            }
            Message::Grant(grant) => Self::Grant(grant.try_into()?),
            Message::Ack(wire::Ack { incarnation, seq }) => Self::Ack(Ack {
                incarnation: Incarnation(incarnation),
                seq,
            }),
            Message::Goodbye(goodbye) => Self::Goodbye(goodbye.try_into()?),
        })
    }
}

impl From<Welcome> for wire::Welcome {
    fn from(welcome: Welcome) -> Self {
        let Welcome {
            fleet,
            term,
            hub,
            uid,
            incarnation,
            at,
        } = welcome;
        Self {
            fleet: fleet.into(),
            term: Some(term.into()),
            hub: hub.0,
            uid: uid.into(),
            incarnation: incarnation.0,
            at_ms: at.as_millisecond(),
        }
    }
}

impl TryFrom<wire::Welcome> for Welcome {
    type Error = ConvertError;

    fn try_from(welcome: wire::Welcome) -> Result<Self, ConvertError> {
        Ok(Self {
            fleet: text("welcome.fleet", &welcome.fleet)?,
            term: welcome.term.ok_or(missing("welcome.term"))?.into(),
            hub: HubIncarnation(line(&welcome.hub, 64)),
            uid: text("welcome.uid", &welcome.uid)?,
            incarnation: Incarnation(welcome.incarnation),
            at: time("welcome.at_ms", welcome.at_ms)?,
        })
    }
}

impl From<SignedGrant> for wire::Grant {
    fn from(signed: SignedGrant) -> Self {
        let SignedGrant { grant, aborts } = signed;
        let Grant {
            nonce,
            length,
            watermark,
            aborts: _,
            refused,
            audit,
        } = grant;
        Self {
            nonce,
            length_ms: u64::try_from(length.as_millis()).unwrap_or(u64::MAX),
            watermark: Some(watermark.into()),
            aborts: aborts.into_iter().map(Into::into).collect(),
            refused,
            audit: audit.map(Into::into),
        }
    }
}

impl TryFrom<wire::Grant> for SignedGrant {
    type Error = ConvertError;

    fn try_from(grant: wire::Grant) -> Result<Self, ConvertError> {
        let wire::Grant {
            nonce,
            length_ms,
            watermark,
            aborts,
            refused,
            audit,
        } = grant;
        let aborts: Vec<Signed<Abort>> = bounded("grant.aborts", aborts, 4096)?
            .into_iter()
            .map(|abort| signed("grant.aborts.body", abort))
            .collect::<Result<_, _>>()?;
        // A lease longer than an hour would make the bound meaningless; no hub of ours grants one.
        if length_ms > 3_600_000 {
            return Err(bad(
                "grant.length_ms",
                format!("{length_ms} ms is longer than an hour"),
            ));
        }
        let grant = Grant {
            nonce,
            length: Duration::from_millis(length_ms),
            watermark: watermark.ok_or(missing("grant.watermark"))?.into(),
            aborts: aborts.iter().map(|signed| signed.value.clone()).collect(),
            refused,
            audit: audit.map(TryInto::try_into).transpose()?,
        };
        Ok(Self { grant, aborts })
    }
}

const CODES: [(GoodbyeCode, wire::GoodbyeCode); 9] = [
    (GoodbyeCode::NewerSession, wire::GoodbyeCode::NewerSession),
    (GoodbyeCode::Removed, wire::GoodbyeCode::Removed),
    (
        GoodbyeCode::CertificateExpired,
        wire::GoodbyeCode::CertificateExpired,
    ),
    (GoodbyeCode::Quarantined, wire::GoodbyeCode::Quarantined),
    (GoodbyeCode::NotLeading, wire::GoodbyeCode::NotLeading),
    (GoodbyeCode::BadMessage, wire::GoodbyeCode::BadMessage),
    (GoodbyeCode::HubBehind, wire::GoodbyeCode::HubBehind),
    (GoodbyeCode::Draining, wire::GoodbyeCode::Draining),
    (
        GoodbyeCode::OldIncarnation,
        wire::GoodbyeCode::OldIncarnation,
    ),
];

impl From<Goodbye> for wire::Goodbye {
    fn from(goodbye: Goodbye) -> Self {
        let Goodbye {
            code,
            message,
            highest,
        } = goodbye;
        let code = CODES
            .iter()
            .find(|(model, _)| *model == code)
            .map_or(0, |(_, w)| *w as i32);
        Self {
            code,
            message,
            highest_incarnation: highest.0,
        }
    }
}

impl TryFrom<wire::Goodbye> for Goodbye {
    type Error = ConvertError;

    fn try_from(goodbye: wire::Goodbye) -> Result<Self, ConvertError> {
        let code = CODES.iter().find(|(_, wire)| *wire as i32 == goodbye.code);
        let (code, _) = code.ok_or_else(|| bad("goodbye.code", goodbye.code))?;
        let message = line(&goodbye.message, 2000);
        Ok(Self {
            code: *code,
            message,
            highest: Incarnation(goodbye.highest_incarnation),
        })
    }
}
