//! Every decoder of bytes that reach the agent from outside, as one table: adding one is a line. See
//! [`flagship_proto::decoders`].

use flagship_canary::CanaryStatus;
use flagship_proto::{
    decoders::{Decoder, json, text, verdict},
    model::Witness,
};

use crate::{
    config::AgentConfig,
    hook, link,
    platform::envoy,
    provider,
    release::{AbortBook, LocalBook, Record, Release, files},
    run::ctl,
};

/// All of them.
pub const DECODERS: &[Decoder] = &[
    Decoder::new("agent-config", |bytes| {
        verdict(AgentConfig::parse(text(bytes)?, "agent.yaml".as_ref()))
    }),
    Decoder::new("agent-release", |bytes| {
        verdict(files::decode::<Release>("release", bytes))
    }),
    Decoder::new("agent-aborts", |bytes| {
        verdict(files::decode::<AbortBook>("aborts", bytes))
    }),
    Decoder::new("agent-local", |bytes| {
        verdict(files::decode::<LocalBook>("local control", bytes))
    }),
    Decoder::new("agent-audit", |bytes| {
        verdict(files::decode::<Witness>("audit", bytes))
    }),
    Decoder::new("agent-record", |bytes| {
        verdict(files::decode::<Record>("agent", bytes))
    }),
    Decoder::new("agent-membership", |bytes| {
        verdict(link::identity::decode(bytes))
    }),
    Decoder::new("agent-status", json::<CanaryStatus>),
    Decoder::new("agent-workload", envoy::decoders::workload_record),
    Decoder::new("agent-platform", envoy::decoders::platform_record),
    Decoder::new("agent-mark", envoy::decoders::mark),
    Decoder::new("agent-ctl-request", ctl::decoders::request),
    Decoder::new("agent-ctl-answer", ctl::decoders::answer),
    Decoder::new("envoy-routes", envoy::decoders::routes),
    Decoder::new("envoy-stats", envoy::decoders::stats),
    Decoder::new("envoy-clusters", envoy::decoders::clusters),
    Decoder::new("envoy-server-info", envoy::decoders::server_info),
    Decoder::new("xds-request", envoy::decoders::request),
    Decoder::new("prometheus", |bytes| {
        provider::decode(200, bytes).and(provider::decode(500, bytes))
    }),
    Decoder::new("hook-answer", |bytes| {
        let line = hook::first_line(bytes);
        assert!(line.chars().count() <= 200 && !line.contains('\n'));
        Ok(())
    }),
];
