//! What is typed is understood, and every help is worth reading.

use clap::{CommandFactory as _, Parser as _, error::ErrorKind};

use super::{
    args::Cli,
    exit::{CliError, Exit, Stop},
    verb::watch,
};
use crate::api::types::Problem;

/// Splits as a shell does, as far as our examples go: blanks, single quotes, redirections.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            '>' | '<' if !quoted => break,
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn examples(help: &str) -> Vec<&str> {
    let (_, listed) = help.split_once("Examples:\n").unwrap_or_default();
    listed
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("flagship "))
        .collect()
}

#[test]
fn what_lists_that_which_is_only_counted_can_be_typed() {
    for command in [
        "flagship get aborts",
        "flagship get freezes",
        "flagship get clusters",
    ] {
        assert!(Cli::try_parse_from(words(command)).is_ok(), "{command}");
    }
}

#[test]
fn every_verb_has_two_examples_that_are_understood() {
    for verb in Cli::command().get_subcommands() {
        let name = verb.get_name();
        let help = verb
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let found = examples(&help);
        assert!(found.len() >= 2, "{name} has {} examples", found.len());
        for example in found {
            if let Err(error) = Cli::try_parse_from(words(example)) {
                panic!("{example}: {error}");
            }
        }
        assert!(verb.get_about().is_some(), "{name} says nothing of itself");
    }
}

#[test]
fn the_commands_of_the_first_help_page_are_understood() {
    let help = Cli::command().get_after_help().unwrap().to_string();
    let found: Vec<&str> = help
        .lines()
        .map(str::trim)
        .filter(|l| l.starts_with("flagship "))
        .collect();
    assert_eq!(found.len(), 4);
    for example in found {
        assert!(Cli::try_parse_from(words(example)).is_ok(), "{example}");
    }
}

#[test]
fn the_readme_has_the_table_of_help_stop_word_for_word() {
    let readme = include_str!("../../../README.md");
    let stop = super::topics::topic("stop").unwrap();
    let table: Vec<&str> = stop
        .text
        .lines()
        .skip_while(|line| !line.starts_with("  verb"))
        .take_while(|line| !line.is_empty())
        .collect();
    assert!(table.len() > 15, "{table:#?}");
    assert!(
        readme.contains(&table.join("\n")),
        "README.md and help stop differ"
    );
    for verb in ["pause", "freeze", "abort", "accept", "retreat"] {
        assert!(Cli::command().find_subcommand(verb).is_some(), "{verb}");
        assert!(
            table
                .iter()
                .any(|line| line.starts_with(&format!("  {verb} "))),
            "{verb}"
        );
    }
}

#[test]
fn s20_where_the_hub_is_away_a_verb_that_stops_says_what_stops_without_it() {
    for (stop, word, exit) in [
        (Stop::Abort, "abort", Exit::NotStored),
        (Stop::Freeze, "freeze", Exit::Unreachable),
        (Stop::Pause, "pause", Exit::Unreachable),
        (Stop::Retreat, "retreat", Exit::Unreachable),
    ] {
        let mut away =
            CliError::new(Exit::Unreachable, "cannot reach the hub").remedy("check the address");
        let unknown = stop.without_hub(true, away.clone());
        let whether = format!("it is not known whether the {word} is stored: cannot reach");
        assert!(unknown.what.starts_with(&whether), "{unknown}");
        away.unsent = true;
        let asked = stop.without_hub(false, away.clone());
        assert_eq!(
            asked.what, "cannot reach the hub",
            "nothing was to be ordered"
        );
        let none = stop.without_hub(true, away);
        assert_eq!(none.exit, exit, "{word}");
        let text = none.to_string();
        assert!(
            text.starts_with("nothing was ordered: cannot reach"),
            "{text}"
        );
        assert!(text.contains("check the address"), "{text}");
        for command in ["status", "hold --all", "retreat --all"] {
            let command = format!("\n  flagship-agent ctl {command}");
            assert!(text.contains(&command), "{text}");
        }
    }
    let refused = CliError::new(Exit::Refused, "no").remedy("ask");
    let refused = Stop::Abort.without_hub(true, refused);
    assert_eq!(refused.to_string(), "no; ask");
}

#[test]
fn no_line_below_a_help_is_wrapped_on_a_usual_page() {
    for verb in Cli::command().get_subcommands() {
        let help = verb.get_after_help().map(ToString::to_string);
        let long = help.iter().flat_map(|help| help.lines());
        let long: Vec<&str> = long.filter(|line| line.chars().count() > 100).collect();
        assert!(long.is_empty(), "{}: {long:?}", verb.get_name());
    }
    for topic in super::topics::TOPICS {
        let long = topic.text.lines().filter(|line| line.chars().count() > 108);
        assert_eq!(long.collect::<Vec<_>>(), Vec::<&str>::new());
    }
}

#[test]
fn an_example_of_a_help_stays_whole_on_a_terminal_of_any_width() {
    let wide = Cli::command();
    for width in [20, 40, 60, 80, 100] {
        let mut narrow = super::args::shaped(Cli::command(), width);
        narrow.build();
        let verbs = narrow.get_subcommands_mut();
        for verb in verbs.filter(|verb| verb.get_name() != "help") {
            let help = verb.clone().render_long_help().to_string();
            let help = super::output::printed(&help);
            let all = wide.find_subcommand(verb.get_name()).unwrap();
            let all = all.get_after_help().unwrap().to_string();
            for example in examples(&all) {
                let is_whole = help.lines().any(|line| line.trim() == example);
                assert!(is_whole, "{width}: {example}\n{help}");
            }
            let (prose, _) = all.split_once("Examples:").unwrap();
            let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(flat(&help).contains(&flat(prose)), "{width}\n{help}");
            let indent = |line: &str| line.len() - line.trim_start().len();
            let has_room = |line: &str| indent(line) < width.min(40);
            assert!(help.lines().all(has_room), "{width}\n{help}");
        }
    }
}

#[test]
fn the_definitions_of_all_options_fit_together() {
    Cli::command().debug_assert();
}

#[test]
fn a_misspelt_verb_is_answered_with_the_right_one() {
    let error = Cli::try_parse_from(["flagship", "abrot", "--fleet"]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSubcommand);
    assert!(error.to_string().contains("'abort'"), "{error}");
}

#[test]
fn two_scopes_of_one_abort_are_refused() {
    let error = Cli::try_parse_from(["flagship", "abort", "--fleet", "--plan", "a/b"]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ArgumentConflict);
    let labels = [
        "flagship",
        "abort",
        "--selector",
        "a=b",
        "--selector",
        "c=d",
    ];
    assert!(Cli::try_parse_from(labels).is_ok());
}

#[test]
fn times_are_read_as_people_write_them() {
    for (text, millis) in [
        ("90s", 90_000),
        ("500ms", 500),
        ("2h", 7_200_000),
        ("1d", 86_400_000),
    ] {
        assert_eq!(watch::duration(text).unwrap().as_millis(), millis, "{text}");
    }
    for text in [
        "",
        "5",
        "s",
        "-1s",
        "1.5h",
        "99999999999999999999d",
        "184467440737095516d",
        "5 s",
    ] {
        assert!(watch::duration(text).is_err(), "{text}");
    }
}

#[test]
fn s20_a_problem_leads_to_its_exit_code() {
    for (status, exit) in [
        (400, Exit::BadInput),
        (404, Exit::BadInput),
        (422, Exit::BadInput),
        (401, Exit::Refused),
        (403, Exit::Refused),
        (409, Exit::Refused),
        (503, Exit::Unreachable),
        (500, Exit::Error),
    ] {
        let problem = Problem {
            kind: String::new(),
            title: String::new(),
            status,
            code: "x".into(),
            detail: "it is so".into(),
            field: None,
            remedy: Some("do this".into()),
            line: None,
            column: None,
            notes: Vec::new(),
        };
        let error = super::exit::CliError::from(problem);
        assert_eq!(error.exit, exit, "{status}");
        assert_eq!(error.to_string(), "it is so; do this");
    }
}

#[test]
fn the_end_that_is_waited_for_is_reached_or_said_to_be_none() {
    let until = |text: &str| text.parse::<watch::Until>();
    assert_eq!(until("done"), Ok(watch::Until::Done));
    assert_eq!(until("soaked"), Ok(watch::Until::Soaked));
    assert_eq!(until("wave=pilot"), Ok(watch::Until::Wave("pilot".into())));
    assert!(until("wave=").unwrap_err().contains("soaked"));
}

#[test]
fn a_scope_without_its_option_is_answered_with_the_command_that_has_it() {
    for (typed, option) in [
        ("shop/checkout", "--plan shop/checkout"),
        ("shop/checkout-3", "--rollout shop/checkout-3"),
        ("plan/shop/checkout", "--plan shop/checkout"),
        ("cluster/eu-1", "--cluster eu-1"),
        (
            "shop/Deployment/checkout",
            "--workload shop/Deployment/checkout",
        ),
        ("region=eu", "--selector region=eu"),
        ("eu-1", "--cluster eu-1"),
    ] {
        for verb in ["abort", "freeze"] {
            assert!(
                Cli::try_parse_from(["flagship", verb, typed]).is_ok(),
                "{typed}"
            );
        }
        let error = super::refs::no_scope_word(&[typed.to_owned()]);
        assert_eq!(error.exit, Exit::BadInput);
        assert!(error.to_string().contains(option), "{error}");
    }
}

#[test]
fn who_types_another_tools_verbs_after_abort_is_told_ours() {
    for (typed, ours) in [
        (&["list"][..], "flagship get aborts"),
        (&["show", "a-1"], "flagship describe abort a-1"),
        (&["lift", "a-1"], "flagship lift a-1 --reason …"),
        (&["show"], "flagship describe abort …"),
    ] {
        let line = ["flagship", "abort"].iter().chain(typed);
        assert!(Cli::try_parse_from(line).is_ok(), "{typed:?}");
        let words: Vec<String> = typed.iter().map(ToString::to_string).collect();
        let error = super::refs::no_scope_word(&words);
        assert_eq!(error.remedy.as_deref(), Some(ours));
        assert!(error.what.ends_with("nothing was stopped"), "{error}");
    }
}

#[test]
fn a_program_reads_code_message_field_remedy_and_exit_code_of_a_refusal() {
    let problem = Problem {
        kind: String::new(),
        title: String::new(),
        status: 409,
        code: "abort.stands".into(),
        detail: "an abort stands".into(),
        field: Some("scope".into()),
        remedy: Some("lift it".into()),
        line: None,
        column: None,
        notes: Vec::new(),
    };
    let told = serde_json::to_value(CliError::from(problem).told()).unwrap();
    let wanted = serde_json::json!({
        "code": "abort.stands",
        "message": "scope: an abort stands",
        "field": "scope",
        "remedy": "lift it",
        "exit": 3,
    });
    assert_eq!(told, wanted);
    let own = CliError::new(Exit::Unreachable, "no hub there");
    assert_eq!(
        serde_json::to_value(own.told()).unwrap()["code"],
        "cli.unreachable"
    );
}

#[test]
fn every_verb_and_every_topic_has_its_page_with_its_examples() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_owned();
    let typed = ["flagship", "man", "--dir", folder.path().to_str().unwrap()];
    let super::args::Verb::Man(man) = Cli::parse_from(typed).verb else {
        panic!("it is read as another verb");
    };
    man.run(super::args::command()).unwrap();
    let page = |name: &str| {
        std::fs::read_to_string(dir.join(name))
            .unwrap()
            .replace("\\-", "-")
    };
    let abort = page("man1/flagship-abort.1");
    assert!(abort.contains("flagship abort --fleet --reason"), "{abort}");
    assert!(page("man1/flagship-token-create.1").contains("--cluster"));
    let stop = page("man7/flagship-stop.7");
    assert!(stop.contains("WORDS THAT STOP"), "{stop}");
    for topic in super::topics::TOPICS {
        assert!(
            dir.join(format!("man7/flagship-{}.7", topic.name))
                .is_file()
        );
    }
    for verb in Cli::command().get_subcommands() {
        let name = format!("man1/flagship-{}.1", verb.get_name());
        assert!(verb.is_hide_set() || dir.join(&name).is_file(), "{name}");
    }
}
