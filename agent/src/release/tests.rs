//! The files: what was saved is there after a start, and what is torn is left as it is.

use flagship_proto::model::Incarnation;

use super::{
    AbortBook, Record, Save, Saved,
    files::{Files, FilesError, raised},
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
    let first = kept.record.incarnation;
    files.save(&saved(Saved::Record(kept.record))).unwrap();
    drop(files);
    let (_files, kept) = Files::open(folder.path()).unwrap();
    assert!(kept.record.incarnation > first);
}

#[test]
fn s13_a_start_from_an_older_copy_has_an_incarnation_that_was_never_used() {
    let at = |second| jiff::Timestamp::from_second(second).unwrap();
    let yesterday = raised(Incarnation(7), at(1_000));
    assert_eq!(yesterday, Incarnation(1_000));
    let today = raised(raised(yesterday, at(2_000)), at(2_000));
    assert_eq!(today, Incarnation(2_001), "twice in one second");
    let put_back = raised(yesterday, at(2_060));
    assert!(put_back > today, "{put_back:?}");
    let with_the_clock_behind = raised(today, at(5));
    assert_eq!(with_the_clock_behind, Incarnation(2_002));
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
