//! The house's order: file length, first lines, import direction, purity of the engines, top level.
#![allow(clippy::unwrap_used, reason = "a test stops at what it cannot read")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const LONGEST_FILE: usize = 400;

const TOP_LEVEL: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "agent",
    "charts",
    "clippy.toml",
    "deny.toml",
    "deploy",
    "hub",
    "proto",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "target",
    "tests",
];

/// Modules by layer: a module may import from its own crate what stands in a *later* row. What no row
/// names stands below them all.
const HUB_LAYERS: &[&[&str]] = &[
    &["decoders"],
    &["main", "cli"],
    &["run"],
    &["api", "grpc", "driver"],
];
const AGENT_LAYERS: &[&[&str]] = &[&["decoders"], &["main"], &["run"], &["driver"], &["link"]];

/// What an engine's dependency tree must not hold: anything that waits, speaks or reads a clock.
const IMPURE: &[&str] = &[
    "tokio", "hyper", "kube", "tonic", "reqwest", "axum", "tower", "mio", "redb", "rustls", "rand",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate is a folder of the workspace")
        .to_owned()
}

fn files_below(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !path.is_symlink() {
                if name != "target" && name != ".git" && name != "__pycache__" {
                    open.push(path);
                }
            } else if wanted(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn rust_files(folder: &str) -> Vec<PathBuf> {
    files_below(&root().join(folder), &|path| {
        path.extension().is_some_and(|ext| ext == "rs")
    })
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

fn none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn no_source_file_is_longer_than_it_may_be() {
    let long: Vec<String> = rust_files("")
        .iter()
        .filter_map(|path| {
            let lines = fs::read_to_string(path).unwrap().lines().count();
            (lines > LONGEST_FILE).then(|| format!("{} ({lines} lines)", shown(path)))
        })
        .collect();
    none(&format!("files of more than {LONGEST_FILE} lines"), &long);
}

#[test]
fn every_source_file_says_first_what_it_is_for() {
    let silent: Vec<String> = rust_files("")
        .iter()
        .filter(|path| {
            let text = fs::read_to_string(path).unwrap();
            let first = text.lines().next().unwrap_or_default();
            !first.starts_with("//! ") || first.len() < 20 || first.contains("nder construction")
        })
        .map(|path| shown(path))
        .collect();
    none("files whose first line is no `//!` sentence", &silent);
}

#[test]
fn modules_have_no_mod_rs_and_nothing_is_left_unfinished() {
    let marks = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("#[", "ignore"),
    ];
    let mut found = Vec::new();
    for path in rust_files("") {
        if path.ends_with("mod.rs") {
            found.push(shown(&path));
        }
        let text = fs::read_to_string(&path).unwrap();
        for (at, line) in text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) {
                found.push(format!("{}:{}: {}", shown(&path), at + 1, line.trim()));
            }
        }
    }
    none("unfinished, switched off, or a mod.rs", &found);
}

#[test]
fn nothing_stands_at_the_top_that_does_not_belong_there() {
    let strange: Vec<String> = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.') && !TOP_LEVEL.contains(&name.as_str()))
        .collect();
    none("at the top level", &strange);
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    let roots = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
    ];
    let mut found = Vec::new();
    let is_text = |path: &Path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name != "Cargo.lock" && name != ".git" && name != "LICENSE"
    };
    for path in files_below(&root(), &is_text) {
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        for (at, line) in text.lines().enumerate() {
            if roots.iter().any(|root| starts_a_path(line, root)) {
                found.push(format!("{}:{}: {}", shown(&path), at + 1, line.trim()));
            }
        }
    }
    none("paths of one machine", &found);
}

/// Whether `root` stands in `line` as the beginning of a path, not in the middle of one.
fn starts_a_path(line: &str, root: &str) -> bool {
    line.match_indices(root).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && !"_./-}".contains(c))
    })
}

#[test]
fn imports_run_one_way_in_the_hub() {
    imports_run_one_way("hub/src", HUB_LAYERS);
}

#[test]
fn imports_run_one_way_in_the_agent() {
    imports_run_one_way("agent/src", AGENT_LAYERS);
}

fn imports_run_one_way(folder: &str, layers: &[&[&str]]) {
    let layer = |module: &str| {
        layers
            .iter()
            .position(|row| row.contains(&module))
            .unwrap_or(layers.len())
    };
    let mut wrong = Vec::new();
    for path in rust_files(folder) {
        let module = module_of(&path, folder);
        if module == "lib" || path.ends_with("tests.rs") || module == "bin" {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for used in modules_used(code) {
            let upwards = layer(&used) < layer(&module);
            let sideways = layer(&used) == layer(&module) && layer(&used) < layers.len();
            if used != module && (upwards || sideways) {
                wrong.push(format!("{} uses crate::{used}", shown(&path)));
            }
        }
    }
    none("imports against the direction of the layers", &wrong);
}

/// The top module that a file belongs to: `api/error.rs` and `api.rs` are both `api`.
fn module_of(path: &Path, folder: &str) -> String {
    let inside = path.strip_prefix(root().join(folder)).unwrap();
    let first = inside.components().next().unwrap().as_os_str();
    first.to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// Every `x` of `crate::x`, those in `use crate::{x, y::z}` too.
fn modules_used(code: &str) -> BTreeSet<String> {
    let name = |text: &str| -> String {
        text.trim_start()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let mut used = BTreeSet::new();
    for (at, found) in code.match_indices("crate::") {
        let rest = &code[at + found.len()..];
        if code[..at].ends_with("pub(in ") {
            continue;
        }
        match rest.strip_prefix('{') {
            Some(list) => used.extend(outer_items(list).iter().map(|item| name(item))),
            None => {
                used.insert(name(rest));
            }
        }
    }
    used.remove("");
    used
}

/// The items of a `{…}` list, without what stands in the braces inside it.
fn outer_items(list: &str) -> Vec<String> {
    let (mut depth, mut items) = (0_u32, vec![String::new()]);
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => items.push(String::new()),
            _ if depth == 0 => items.last_mut().expect("never empty").push(c),
            _ => {}
        }
    }
    items
}

#[test]
fn the_wave_engine_depends_on_nothing_that_waits_or_speaks() {
    is_pure("flagship-waves");
}

#[test]
fn the_canary_engine_depends_on_nothing_that_waits_or_speaks() {
    is_pure("flagship-canary");
}

fn is_pure(package: &str) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = Command::new(cargo)
        .args([
            "tree",
            "--locked",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--package",
            package,
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs this test, so it is there");
    assert!(
        tree.status.success(),
        "{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    let impure: Vec<String> = String::from_utf8_lossy(&tree.stdout)
        .lines()
        .filter(|line| {
            let name = line.split(' ').next().unwrap_or_default();
            IMPURE
                .iter()
                .any(|no| name == *no || name.starts_with(&format!("{no}-")))
        })
        .map(ToOwned::to_owned)
        .collect();
    none(
        &format!("{package} must be pure, yet its tree holds"),
        &impure,
    );
}
