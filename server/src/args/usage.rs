//! A wrong command line is answered with one line: what is wrong, what was perhaps meant, where help is.

/// The parser's complaint without its usage page.
pub(crate) fn one_line(error: &clap::Error) -> String {
    let page = error.render().to_string();
    let complaint: Vec<&str> = page
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .filter(|line| !line.is_empty())
        .collect();
    let complaint = complaint
        .join("; ")
        .replace(":; ", ": ")
        .replace("; [", " [");
    let complaint = complaint.strip_prefix("error: ").unwrap_or(&complaint);
    format!("sanderling: {complaint}; --help lists all options")
}

#[cfg(test)]
mod tests {
    use super::{super::Cli, one_line};
    use clap::Parser;

    fn complaint(line: &str) -> String {
        one_line(&Cli::try_parse_from(line.split(' ')).unwrap_err())
    }

    #[test]
    fn an_unknown_option_gets_one_line_with_a_suggestion() {
        let line = complaint("sanderling --lisen 127.0.0.1:0");
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(
            line.contains("'--lisen'") && line.contains("'--listen'"),
            "{line}"
        );
    }

    #[test]
    fn an_unknown_subcommand_gets_one_line_with_a_suggestion() {
        let line = complaint("sanderling publ -t a");
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(line.contains("'publ'") && line.contains("'pub'"), "{line}");
    }

    #[test]
    fn a_wrong_value_gets_one_line_with_the_possible_ones() {
        let line = complaint("sanderling --runtime async");
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(
            line.contains("'async'") && line.contains("mio, tokio"),
            "{line}"
        );
    }

    #[test]
    fn a_missing_option_is_named() {
        let line = complaint("sanderling sub");
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(line.contains("--topic"), "{line}");
    }
}
