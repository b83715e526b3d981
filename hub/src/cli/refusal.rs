//! How it is said that a command failed: to people in words, to programs as a document; a command line
//! that cannot be read too.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::{
    exit::{CliError, Exit, Named},
    output::{Format, Look, Tone, document, printed, remark, tell},
    render,
};

/// Says that a command line cannot be read, or prints the help that was asked for; how the process ends.
pub(super) fn usage(error: &clap::Error) -> Exit {
    let is_help = matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    let exit = if error.use_stderr() {
        Exit::BadInput
    } else {
        Exit::Done
    };
    let environment = std::env::var("FLAGSHIP_OUTPUT").ok();
    let format = wanted(std::env::args_os(), environment.as_deref());
    if exit == Exit::BadInput && !format.for_people() {
        complain(&problem(error), true, format);
    } else if is_help {
        let text = said(error, Look::of_stdout(false));
        // That help cannot be printed changes nothing.
        if error.use_stderr() {
            remark(text.trim_end());
        } else {
            tell(&text).ok();
        }
    } else {
        remark(said(error, Look::of_stderr(false)).trim_end());
    }
    exit
}

/// What clap says, as it is printed.
fn said(error: &clap::Error, look: Look) -> String {
    let said = error.render();
    printed(&match look.colour {
        true => said.ansi().to_string(),
        false => said.to_string(),
    })
}

/// Says why a command failed, in the form in which its answer was wanted.
pub(super) fn complain(error: &CliError, no_colour: bool, format: Format) {
    if !format.for_people()
        && let Ok(text) = match format {
            Format::Yaml => format.encode(&error.told(), String::new),
            Format::Table | Format::Wide | Format::Json | Format::Path(_) => {
                Format::Json.encode(&error.told(), String::new)
            }
        }
    {
        document(text.trim_end());
        return;
    }
    let look = Look::of_stderr(no_colour);
    if !error.notes.is_empty() {
        remark(render::lists::findings(look, "plan", &error.notes).trim_end());
    }
    remark(&format!("{} {error}", look.paint(Tone::Bad, "error:")));
}

/// The form that was wanted, as far as a line that cannot be read says it.
fn wanted(words: impl IntoIterator<Item = OsString>, environment: Option<&str>) -> Format {
    let words = words
        .into_iter()
        .map(|word| word.to_string_lossy().into_owned());
    let mut words = words.take_while(|word| word != "--");
    let mut named = environment.map(ToOwned::to_owned);
    while let Some(word) = words.next() {
        let value = match word.as_str() {
            "-o" | "--output" => words.next(),
            _ => word
                .strip_prefix("--output=")
                .or_else(|| word.strip_prefix("-o="))
                .or_else(|| word.strip_prefix("-o"))
                .map(ToOwned::to_owned),
        };
        named = value.or(named);
    }
    named.and_then(|name| name.parse().ok()).unwrap_or_default()
}

/// What clap says, in parts.
fn problem(error: &clap::Error) -> CliError {
    let said = error.render().to_string();
    let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let first = said.split("\n\n").next().unwrap_or(&said);
    let what = line(first.strip_prefix("error: ").unwrap_or(first));
    let tips = said
        .lines()
        .filter_map(|text| text.trim().strip_prefix("tip: "));
    let tips: Vec<String> = tips.map(line).collect();
    let remedy = match tips.as_slice() {
        [] => "--help says what can be typed".to_owned(),
        tips => tips.join("; "),
    };
    let field = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(name)) => Some(name.clone()),
        Some(ContextValue::Strings(names)) => Some(names.join(", ")),
        Some(_) | None => None,
    };
    let mut problem = CliError::bad(what).remedy(remedy);
    problem.named = Some(Box::new(Named {
        code: "usage".to_owned(),
        field,
    }));
    problem
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::Cli;

    fn told(words: &[&str]) -> serde_json::Value {
        let error = Cli::try_parse_from(words).unwrap_err();
        serde_json::to_value(problem(&error).told()).unwrap()
    }

    #[test]
    fn a_program_reads_what_cannot_be_read_as_a_document() {
        let misspelt = told(&["flagship", "abrot", "--fleet"]);
        assert_eq!(misspelt["code"], "usage");
        assert_eq!(misspelt["exit"], 2);
        assert_eq!(misspelt["message"], "unrecognized subcommand 'abrot'");
        assert!(
            misspelt["remedy"].to_string().contains("'abort'"),
            "{misspelt}"
        );
        let missing = told(&["flagship", "start"]);
        assert!(missing["message"].to_string().contains("PLAN"), "{missing}");
        let unknown = told(&["flagship", "get", "--al"]);
        assert_eq!(unknown["field"], "--al", "{unknown}");
    }

    #[test]
    fn the_wanted_form_is_found_in_a_line_that_cannot_be_read() {
        let of = |line: &str, env: Option<&str>| wanted(line.split(' ').map(OsString::from), env);
        for line in [
            "flagship abrot -o json",
            "flagship -ojson abrot",
            "flagship --output json",
            "flagship --output=json get",
            "flagship -o=json get",
        ] {
            assert_eq!(of(line, None), Format::Json, "{line}");
        }
        assert_eq!(of("flagship abrot", Some("yaml")), Format::Yaml);
        assert_eq!(of("flagship abrot -o table", Some("yaml")), Format::Table);
        assert_eq!(of("flagship abrot -o", None), Format::Table);
        assert_eq!(of("flagship x -- -o json", None), Format::Table);
    }
}
