//! The files that `apply` and `diff` mean: named ones, all plans of a folder, or stdin.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use crate::cli::{context::read, exit::CliError};

/// A plan's text, and the file that it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file, as it was found.
    pub file: String,
    /// What it says.
    pub text: String,
}

/// Reads everything that is meant, before anything is sent.
pub fn sources(paths: &[PathBuf]) -> Result<Vec<Source>, CliError> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = found.len();
            folder(path, &mut found)?;
            if found.len() == before {
                return Err(CliError::bad(format!("{} has no plans", path.display()))
                    .remedy("plans are files that end with .yaml, .yml or .json"));
            }
        } else {
            found.push(Source {
                file: path.display().to_string(),
                text: source(path)?,
            });
        }
    }
    Ok(found)
}

/// Every plan below a folder, by name; what begins with a dot is left out, and links to folders are not
/// followed.
fn folder(path: &Path, found: &mut Vec<Source>) -> Result<(), CliError> {
    let unreadable = |error| CliError::bad(format!("cannot read {}: {error}", path.display()));
    let entries = fs::read_dir(path).map_err(unreadable)?;
    let mut entries = entries.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let plan = path.extension().is_some_and(|extension| {
            extension == "yaml" || extension == "yml" || extension == "json"
        });
        if path.is_dir() && !path.is_symlink() {
            folder(&path, found)?;
        } else if plan {
            found.push(Source {
                file: path.display().to_string(),
                text: read(&path)?,
            });
        }
    }
    Ok(())
}

/// A document from a file or from stdin.
pub fn source(path: &Path) -> Result<String, CliError> {
    if path.as_os_str() != "-" {
        return read(path);
    }
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| CliError::bad(format!("cannot read stdin: {error}")))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_plans_by_name_and_an_empty_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("more")).unwrap();
        for name in [
            "b.yaml",
            "a.yml",
            "more/c.json",
            ".hidden.yaml",
            "notes.txt",
        ] {
            fs::write(at(name), name).unwrap();
        }
        let found = sources(&[folder.path().to_owned()]).unwrap();
        let texts: Vec<&str> = found.iter().map(|source| source.text.as_str()).collect();
        assert_eq!(texts, ["a.yml", "b.yaml", "more/c.json"]);

        fs::create_dir(at("none")).unwrap();
        let error = sources(&[at("none")]).unwrap_err();
        assert!(error.to_string().contains(".yaml"), "{error}");
        let error = sources(&[at("absent.yaml")]).unwrap_err();
        assert!(error.to_string().contains("absent.yaml"), "{error}");
    }
}
