//! Every decoder of bytes from outside: the kept corpus is replayed, any bytes and damaged good ones are
//! read or refused in time, and bombs cost nothing.
#![allow(clippy::unwrap_used, reason = "a test stops at what it cannot have")]

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use flagship_proto::decoders::Decoder;
use flagship_tests::decoders::{all, corpus, kept};
use proptest::{prelude::*, test_runner::TestRunner};

/// Far more than any of these inputs needs, on a loaded machine too.
const LONG: Duration = Duration::from_secs(20);

fn decode(decoder: &Decoder, bytes: &[u8]) -> Result<(), String> {
    let began = Instant::now();
    let read = (decoder.decode)(bytes);
    let took = began.elapsed();
    assert!(
        took < LONG,
        "{}: {took:?} for {} bytes",
        decoder.name,
        bytes.len()
    );
    read
}

#[test]
fn every_decoder_has_a_corpus_with_a_good_sample_and_every_corpus_a_decoder() {
    let names: BTreeSet<String> = all().iter().map(|d| d.name.to_owned()).collect();
    assert_eq!(names.len(), all().len(), "a name is there twice");
    let folders: BTreeSet<String> = fs::read_dir(corpus())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(folders, names);
    for decoder in all() {
        let samples = kept(&decoder);
        assert!(samples.iter().any(|s| s.is_good), "{}", decoder.name);
        for sample in samples {
            let size = sample.bytes.len();
            assert!(size <= 64 * 1024, "{} is large", sample.path.display());
        }
    }
}

#[test]
fn the_kept_corpus_is_read_or_refused_as_its_names_say() {
    let mut wrong = Vec::new();
    for decoder in all() {
        for sample in kept(&decoder) {
            let read = decode(&decoder, &sample.bytes);
            let path = sample.path.display();
            if read.is_ok() != sample.is_good {
                wrong.push(format!("{path}: {read:?}"));
            }
            let words = read.err().unwrap_or_default();
            assert!(
                words.len() < 4_096,
                "{path}: {} bytes of error",
                words.len()
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One change of some bytes.
#[derive(Debug, Clone)]
enum Damage {
    Flip(usize, u8),
    Cut(usize, usize),
    Insert(usize, Vec<u8>),
    Repeat(usize, usize, usize),
    End(usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let token = prop_oneof![
        proptest::collection::vec(any::<u8>(), 1..12),
        proptest::sample::select(vec![
            "9".repeat(400),
            "-1".into(),
            "1e999".into(),
            "null".into(),
            "\"".into(),
            "[[[[".into(),
            "{\"a\":".into(),
            "\u{202e}é".into(),
            "\\u0000".into(),
            "&a *a".into(),
            "%00".into(),
        ])
        .prop_map(String::into_bytes),
    ];
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, by)| Damage::Flip(at, by)),
        (any::<usize>(), 1_usize..200).prop_map(|(at, count)| Damage::Cut(at, count)),
        (any::<usize>(), token).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (any::<usize>(), 1_usize..100, 1_usize..50)
            .prop_map(|(at, n, times)| Damage::Repeat(at, n, times)),
        any::<usize>().prop_map(Damage::End),
    ]
}

fn damaged(mut bytes: Vec<u8>, by: &[Damage]) -> Vec<u8> {
    for change in by {
        let place = |at: usize| at % (bytes.len() + 1);
        match change {
            Damage::Flip(at, by) => {
                let at = place(*at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= by;
                }
            }
            Damage::Cut(at, count) => {
                let at = place(*at);
                let end = (at + count).min(bytes.len());
                bytes.drain(at..end);
            }
            Damage::Insert(at, more) => {
                let at = place(*at);
                bytes.splice(at..at, more.iter().copied());
            }
            Damage::Repeat(at, count, times) => {
                let at = place(*at);
                let end = (at + count).min(bytes.len());
                let part = bytes[at..end].repeat(*times);
                bytes.splice(at..at, part);
            }
            Damage::End(at) => {
                let at = place(*at);
                bytes.truncate(at);
            }
        }
    }
    bytes
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    })
}

#[test]
fn any_bytes_are_read_or_refused() {
    let bytes = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..400),
        "[\\PC\n]{0,200}".prop_map(String::into_bytes),
        "[\\[\\]{}:,\"0-9a-z&*!|>\n -]{0,300}".prop_map(String::into_bytes),
    ];
    for decoder in all() {
        let tried = runner(200).run(&bytes, |bytes| {
            let _read = decode(&decoder, &bytes);
            Ok(())
        });
        tried.unwrap_or_else(|error| panic!("{}: {error}", decoder.name));
    }
}

#[test]
fn damaged_good_bytes_are_read_or_refused() {
    for decoder in all() {
        let good: Vec<Vec<u8>> = kept(&decoder)
            .into_iter()
            .filter(|sample| sample.is_good)
            .map(|sample| sample.bytes)
            .collect();
        let cases = (
            proptest::sample::select(good),
            proptest::collection::vec(damage(), 1..5),
        );
        let tried = runner(300).run(&cases, |(bytes, by)| {
            let _read = decode(&decoder, &damaged(bytes, &by));
            Ok(())
        });
        tried.unwrap_or_else(|error| panic!("{}: {error}", decoder.name));
    }
}

#[test]
fn bombs_are_refused_in_time() {
    let mut aliases = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for n in 1..30 {
        let list = vec![format!("*a{}", n - 1); 9].join(",");
        aliases.push_str(&format!("a{n}: &a{n} [{list}]\n"));
    }
    let nested: Vec<u8> = (0..20_000).flat_map(|_| [0x0a, 0xff, 0xff, 0x7f]).collect();
    let bombs = [
        "[".repeat(200_000).into_bytes(),
        "{\"a\":".repeat(100_000).into_bytes(),
        "{a: ".repeat(100_000).into_bytes(),
        "- ".repeat(100_000).into_bytes(),
        "9".repeat(500_000).into_bytes(),
        format!("1e{}", "9".repeat(200_000)).into_bytes(),
        vec![0; 500_000],
        vec![0xff; 500_000],
        aliases.into_bytes(),
        nested,
    ];
    for decoder in all() {
        for bomb in &bombs {
            let _read = decode(&decoder, bomb);
        }
    }
}
