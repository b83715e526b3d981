//! The port for signatures: what the link needs of keys, and nothing else of TLS.

use std::sync::Arc;

use flagship_proto::{
    model::{Abort, Lift, LocalRelease, Order, Receipt, Signed, SignedReceipt},
    sign::{HubKeys, Kind, SignError, SignKey},
};

/// Checks what a hub signed and signs receipts. Simulations have one of their own.
pub trait Seal: Send {
    /// Whether a known key of the hub signed the order.
    fn check_order(&self, order: &Signed<Order>) -> Result<(), SignError>;
    /// Whether a known key of the hub signed the abort.
    fn check_abort(&self, abort: &Signed<Abort>) -> Result<(), SignError>;
    /// Whether a known key of the hub signed the lift.
    fn check_lift(&self, lift: &Signed<Lift>) -> Result<(), SignError>;
    /// Whether a known key of the hub signed the end of a local control.
    fn check_local_release(&self, release: &Signed<LocalRelease>) -> Result<(), SignError>;
    /// Signs a receipt (S15).
    fn sign_receipt(&self, receipt: Receipt) -> Result<SignedReceipt, SignError>;
}

/// The seal of a real agent.
#[derive(Debug)]
pub struct Keys {
    /// The hub's public keys.
    pub hub: HubKeys,
    /// The agent's own key.
    pub own: Arc<SignKey>,
    /// Serial of the certificate for the agent's own key.
    pub serial: String,
}

impl Seal for Keys {
    fn check_order(&self, order: &Signed<Order>) -> Result<(), SignError> {
        self.hub.verify(Kind::Order, order)
    }

    fn check_abort(&self, abort: &Signed<Abort>) -> Result<(), SignError> {
        self.hub.verify(Kind::Abort, abort)
    }

    fn check_lift(&self, lift: &Signed<Lift>) -> Result<(), SignError> {
        self.hub.verify(Kind::Lift, lift)
    }

    fn check_local_release(&self, release: &Signed<LocalRelease>) -> Result<(), SignError> {
        self.hub.verify(Kind::LocalRelease, release)
    }

    fn sign_receipt(&self, receipt: Receipt) -> Result<SignedReceipt, SignError> {
        self.own.sign_receipt(receipt, &self.serial)
    }
}
