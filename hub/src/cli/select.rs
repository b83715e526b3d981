//! Lists narrowed by fields and labels: `--selector`, the one place for every kind. The hub reads it.

use super::client::segment;

/// Which things are meant; nothing said is all of them.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Select {
    /// Only what has this field or label: key=value, key!=value, 'key in (a,b)', 'key notin (a,b)',
    /// key, '!key', with commas between; repeat it for more
    #[arg(long, short = 'l', value_name = "KEY=VALUE")]
    selector: Vec<String>,
}

impl Select {
    /// Whether anything is said.
    pub fn is_said(&self) -> bool {
        !self.selector.is_empty()
    }

    /// A list's path with what is selected as a parameter.
    pub fn onto(&self, path: &str) -> String {
        if self.selector.is_empty() {
            return path.to_owned();
        }
        let joint = if path.contains('?') { '&' } else { '?' };
        format!(
            "{path}{joint}selector={}",
            segment(&self.selector.join(","))
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_is_a_parameter_of_the_list() {
        let typed = |texts: &[&str]| Select {
            selector: texts.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(typed(&[]).onto("/a?b=c"), "/a?b=c");
        assert_eq!(typed(&["r=eu"]).onto("/a"), "/a?selector=r%3Deu");
        let two = typed(&["r=eu", "!x"]).onto("/a?b=c");
        assert_eq!(two, "/a?b=c&selector=r%3Deu%2C%21x");
    }
}
