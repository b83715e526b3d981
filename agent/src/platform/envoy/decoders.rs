//! What reads the answers of Envoys and the platform's own files, for the table of decoders.

use envoy_types::pb::envoy::service::discovery::v3::DiscoveryRequest;
use flagship_proto::decoders::{json, verdict};
use prost::Message as _;

use super::{
    admin::{self, ReadBack, Reading},
    mark::Mark,
    record::{PlatformRecord, WorkloadRecord},
    xds,
};

pub(crate) fn workload_record(bytes: &[u8]) -> Result<(), String> {
    json::<WorkloadRecord>(bytes)
}

pub(crate) fn platform_record(bytes: &[u8]) -> Result<(), String> {
    json::<PlatformRecord>(bytes)
}

pub(crate) fn mark(bytes: &[u8]) -> Result<(), String> {
    json::<Mark>(bytes)
}

pub(crate) fn routes(bytes: &[u8]) -> Result<(), String> {
    ReadBack::default().add(bytes)
}

pub(crate) fn stats(bytes: &[u8]) -> Result<(), String> {
    verdict(Reading::parse(bytes))
}

pub(crate) fn clusters(bytes: &[u8]) -> Result<(), String> {
    verdict(admin::active_in(bytes, 80))
}

pub(crate) fn server_info(bytes: &[u8]) -> Result<(), String> {
    verdict(admin::version_in(bytes))
}

pub(crate) fn request(bytes: &[u8]) -> Result<(), String> {
    let request = DiscoveryRequest::decode(bytes).map_err(|error| error.to_string())?;
    xds::take(&request);
    Ok(())
}
