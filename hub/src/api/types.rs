//! The JSON shapes of the API: what the server answers, what the command line reads. Nothing here
//! decides; the server makes these values from stored rows, the client prints them.
//!
//! Names are camelCase, times are RFC 3339 in UTC, durations are whole milliseconds with `Ms` at
//! the end of the name. Requests refuse unknown fields; answers may gain fields.

pub mod abort;
pub mod access;
pub mod audit;
pub mod cluster;
pub mod common;
pub mod event;
pub mod freeze;
pub mod history;
pub mod notice;
pub mod plan;
pub mod project;
pub mod rollout;
pub mod scope;
pub mod status;
pub mod token;

pub use abort::{
    AbortCluster, AbortOutcome, AbortPreview, AbortRequest, AbortState, AbortTotals, AbortView,
    LiftRequest, LiftView, NotFixed, ReceiptView, ScopeHit,
};
pub use access::{AccessView, BindingRequest, BindingView};
pub use audit::{AuditEntryView, AuditVerdict};
pub use cluster::{ClusterView, LocalView, REMOVED, ReleaseLocalRequest, WorkloadView};
pub use common::{About, Banner, List, MORE, MORE_ABORTS, Problem, SomeFields, Why};
pub use event::EventView;
pub use freeze::{FreezeEndView, FreezeRequest, FreezeView};
pub use history::HistoryView;
pub use notice::{ChannelView, NoticeState, NoticeTest, NoticeView};
pub use plan::{ApplyAnswer, ApplyOutcome, LintLevel, LintNote, PlanView, RemovedPlan};
pub use project::ProjectView;
pub use rollout::{
    AcceptRequest, Empty, RetreatRequest, RolloutCluster, RolloutView, RolloutWave, SoakView,
    StartRequest,
};
pub use status::{NotHeardView, SettingsView, StatusView, WhoAmI};
pub use token::{
    CreatedEnrolToken, CreatedToken, EnrolTokenRequest, EnrolTokenView, TokenRequest, TokenView,
};
