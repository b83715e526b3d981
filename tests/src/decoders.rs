//! The one table of decoders of bytes from outside, and the corpus that is kept for each: a folder of small
//! files, `good-…` for what is read, anything else for what is refused, every bug found among them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use flagship_proto::decoders::Decoder;

/// Every decoder of every crate.
pub fn all() -> Vec<Decoder> {
    [
        flagship_proto::decoders::DECODERS,
        flagship_hub::decoders::DECODERS,
        flagship_agent::decoders::DECODERS,
    ]
    .concat()
}

/// Gives bytes to the decoder of this name; to all of them where none is named. What fuzzers call.
///
/// # Panics
/// A decoder does, or there is none of that name.
pub fn feed(name: Option<&str>, bytes: &[u8]) {
    let chosen = |decoder: &Decoder| name.is_none_or(|name| name == decoder.name);
    let decoders: Vec<Decoder> = all().into_iter().filter(chosen).collect();
    assert!(!decoders.is_empty(), "there is no decoder {name:?}");
    for decoder in decoders {
        let _read = (decoder.decode)(bytes);
    }
}

/// A file of the corpus.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Which file.
    pub path: PathBuf,
    /// Whether it has to be read.
    pub is_good: bool,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Where the corpus lies.
pub fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// What is kept for a decoder, in the order of the files' names.
///
/// # Panics
/// A file cannot be read.
pub fn kept(decoder: &Decoder) -> Vec<Sample> {
    let Ok(entries) = fs::read_dir(corpus().join(decoder.name)) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let sample = |path: PathBuf| Sample {
        is_good: path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("good-")),
        bytes: fs::read(&path).expect("a kept file can be read"),
        path,
    };
    paths.into_iter().map(sample).collect()
}
