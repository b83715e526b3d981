//! The files: what was saved is there after a start, and what is torn is left as it is.

use super::{
    AbortBook, Record, Save, Saved,
    files::{Files, FilesError},
};

fn saved(what: Saved) -> Save {
    Save {
        generation: 1,
        what,
    }
}

#[test]
fn p02_each_start_raises_the_incarnation_above_what_was_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (files, kept) = Files::open(folder.path()).unwrap();
    assert_eq!(kept.record.incarnation.0, 1);
    files.save(&saved(Saved::Record(kept.record))).unwrap();
    drop(files);
    let (_files, kept) = Files::open(folder.path()).unwrap();
    assert_eq!(kept.record.incarnation.0, 2);
}

#[test]
fn a_second_agent_on_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Files::open(folder.path()).unwrap();
    assert!(matches!(
        Files::open(folder.path()),
        Err(FilesError::InUse { .. })
    ));
}

#[test]
fn a_torn_file_is_named_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (files, _) = Files::open(folder.path()).unwrap();
    let book = Box::new(AbortBook::default());
    files.save(&saved(Saved::Aborts(book))).unwrap();
    files
        .save(&saved(Saved::Record(Record::default())))
        .unwrap();
    drop(files);
    let names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
    for path in names {
        let whole = std::fs::read(&path).unwrap();
        for torn in [&whole[..whole.len() / 2], b"", b"[]", b"\xff\xfe"] {
            std::fs::write(&path, torn).unwrap();
            let error = Files::open(folder.path()).unwrap_err();
            let name = path.file_name().unwrap().to_string_lossy();
            assert!(error.to_string().contains(&*name), "{error}");
            assert!(std::fs::read(&path).unwrap() == torn, "it was changed");
        }
        std::fs::write(&path, &whole).unwrap();
    }
    Files::open(folder.path()).unwrap();
}
