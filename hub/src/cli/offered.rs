//! What Tab offers without a hub: contexts and formats; of all there is, what begins as it was typed.

use std::ffi::OsStr;

use clap_complete::{ArgValueCompleter, CompletionCandidate};

use super::{config, output::Format};

/// Completes the name of a context of the configuration file.
pub fn context() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let config = config::path().and_then(|path| config::load(&path));
        let names = config.map(|config| config.contexts.into_keys().collect());
        matching(names.unwrap_or_default(), typed)
    })
}

/// Completes a format.
pub fn format() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let words = Format::WORDS.iter().map(ToString::to_string);
        matching(words.collect(), typed)
    })
}

/// Of these names those that begin as it was typed.
pub fn matching(mut names: Vec<String>, typed: &OsStr) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    names.retain(|name| name.starts_with(&*typed));
    names.into_iter().map(CompletionCandidate::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_begins_as_it_was_typed_is_offered() {
        let names = vec!["shop/checkout-1".to_owned(), "shop/cart-1".to_owned()];
        let found = matching(names, OsStr::new("shop/ch"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].get_value(), "shop/checkout-1");
    }
}
