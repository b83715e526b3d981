//! What the page's files must not hold, and that each of them is there.

use super::*;

#[test]
fn nothing_in_the_page_stands_in_line_parses_text_as_markup_or_leads_elsewhere() {
    let page = ("page.html", "text/html", PAGE);
    for (name, _, text) in FILES.iter().chain([&page]) {
        for forbidden in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "DOMParser",
            "localStorage",
            "document.cookie",
            "style=\"",
            "onclick",
            "javascript:",
            "<script>",
            "<style",
            "//cdn",
        ] {
            assert!(!text.contains(forbidden), "{name} has {forbidden}");
        }
        let elsewhere = text
            .match_indices("http")
            .map(|(at, _)| &text[at..])
            .find(|rest| rest.starts_with("http://") || rest.starts_with("https://"));
        let is_a_name = elsewhere.is_none_or(|rest| rest.starts_with("http://www.w3.org/2000/svg"));
        assert!(is_a_name, "{name}: {elsewhere:?}");
    }
}

#[test]
fn every_file_that_the_page_names_is_served_and_every_file_is_named() {
    let named = |name: &str| {
        let (as_a_link, as_an_import) = (format!("/ui/{name}\""), format!("\"./{name}\""));
        let in_page = PAGE.contains(&as_a_link);
        in_page
            || FILES
                .iter()
                .any(|(_, _, text)| text.contains(&as_an_import))
    };
    for (name, _, text) in FILES {
        assert!(named(name), "nothing names {name}");
        for (at, start) in text.match_indices("from \"./") {
            let rest = &text[at + start.len()..];
            let imported = rest.split('"').next().unwrap_or_default();
            assert!(file(imported).is_some(), "{name} imports {imported}");
        }
    }
    for (at, start) in PAGE.match_indices("\"/ui/") {
        let rest = &PAGE[at + start.len()..];
        let linked = rest.split('"').next().unwrap_or_default();
        assert!(file(linked).is_some(), "the page links to {linked}");
    }
    assert_eq!(PAGE.matches(VERSION).count(), 1);
    assert!(file("../ui.rs").is_none());
}
