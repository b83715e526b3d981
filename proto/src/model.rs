//! The validated types of the contract: what a value may be, decided once, at the border.

pub mod abort;
pub mod audit;
pub mod canary;
pub mod evidence;
pub mod id;
pub mod lease;
pub mod local;
pub mod message;
pub mod order;
pub mod position;
pub mod reach;
pub mod report;
pub mod scope;
pub mod text;
pub mod time;
pub mod token;
pub mod weight;

pub use abort::{Abort, AbortMode, Hindrance, Lift, Receipt, ReceiptState, WorkloadReceipt};
pub use audit::{AuditComplaint, AuditMark, Witness};
pub use canary::{CanaryDocument, CanarySpec, MetricTemplateSpec, Problem};
pub use evidence::{Counts, Evidence, Latency};
pub use id::{
    AbortId, ClusterName, ClusterUid, FleetId, FreezeId, InvalidId, LocalId, PlanName, PlanRef,
    ProjectName, RolloutId, TokenId, WaveName, WorkloadRef,
};
pub use lease::{ACTION_DEADLINE, Bound, Grant, LeaseRequest};
pub use local::{LocalAct, LocalActor, LocalRelease, LocalVerb};
pub use message::{
    Ack, AgentMessage, Goodbye, GoodbyeCode, HubMessage, Signed, SignedGrant, SignedReceipt,
    Welcome,
};
pub use order::{Change, Document, Intent, OnDisconnect, Order, ReturnTo};
pub use position::{Fence, HubIncarnation, Incarnation, Position, Term};
pub use reach::Reach;
pub use report::{
    EnvoyInfo, HeldWorkload, Hello, Inventory, InventoryWorkload, LONGEST_VERSION, MOST_WORKLOADS,
    Phase, Proof, Report, WorkloadStatus,
};
pub use scope::{Labels, Scope, Selector};
pub use time::{Mono, Stopwatch, Tick};
pub use token::{EnrolToken, InvalidToken};
pub use weight::Weight;
