//! What the hub stores: one struct a kind of row, and where each lies.

pub mod key;

mod abort;
mod cluster;
mod fleet;
mod freeze;
mod local;
mod notice;
mod order;
mod rollout;
mod token;

pub(crate) use crate::store::decode_value;
pub use crate::store::{Record, Stored, decode, encode};
pub(crate) use abort::MOST_NARROWED;
pub use abort::{AbortRow, LiftRow, ReceiptRow};
pub use cluster::{ClusterRow, ClusterState, Enrolled, LeftCanary, PublicKey, ReportRow};
pub use fleet::{FleetMeta, Guard, LeaseRow, ProjectRow, SeenRow, TermRow};
pub use freeze::{FreezeEnd, FreezeRow};
pub use local::LocalReleaseRow;
pub use notice::{NoticeRow, NotifiedRow};
pub use order::OrderRow;
pub use rollout::{
    ClaimRow, GoodVersion, HistoryRow, LastGoodRow, PlanRow, RejectedRow, RolloutRow,
};
pub use token::{EnrolTokenRow, EnrolUse, IdempotencyRow, KeptAnswer, TokenRow, TokenUseRow};

#[cfg(test)]
mod tests;
