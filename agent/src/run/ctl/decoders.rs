//! What reads the lines of local control, for the table of decoders.

use flagship_proto::decoders::json;

use super::{Answer, Request};

pub(crate) fn request(bytes: &[u8]) -> Result<(), String> {
    json::<Request>(bytes)
}

pub(crate) fn answer(bytes: &[u8]) -> Result<(), String> {
    json::<Answer>(bytes)
}
