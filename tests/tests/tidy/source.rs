//! The files of the repository, and Rust source cut into words.

pub(crate) use sanderling_tests::repository::Source;

/// All text files, in the order of their paths.
pub(crate) fn tree() -> Vec<Source> {
    let files = sanderling_tests::repository::tree().expect("a readable repository");
    assert!(files.iter().any(|file| file.path == "core/src/lib.rs"));
    files
}

/// The Rust files under a directory, whose path ends with `/`, or a single one.
pub(crate) fn rust_under(path: &str) -> Vec<Source> {
    let mut files = tree();
    files.retain(|file| file.is_rust() && file.path.starts_with(path));
    assert!(!files.is_empty(), "no Rust file is under {path}");
    files
}

/// An identifier, `::`, or a single other character, with the number of its line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Word<'a> {
    pub(crate) line: usize,
    pub(crate) text: &'a str,
}

/// The words of the code that ships: no comments, literals and lifetimes, and nothing from the module of unit tests on,
/// which stands last in a file.
pub(crate) fn words(text: &str) -> Vec<Word<'_>> {
    let shipped = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    let mut words = Vec::new();
    let (mut rest, mut line) = (shipped, 1);
    while let Some(first) = rest.chars().next() {
        let (kind, len) = next(rest, first);
        let (text, after) = rest.split_at(len);
        if kind == Kind::Word {
            words.push(Word { line, text });
        }
        line += text.matches('\n').count();
        rest = after;
    }
    words
}

#[derive(Eq, PartialEq)]
enum Kind {
    Word,
    Blank,
}

/// What stands at the beginning of `rest`, and how many bytes it has.
fn next(rest: &str, first: char) -> (Kind, usize) {
    let upto = |end: &str, from: usize| {
        rest[from..]
            .find(end)
            .map_or(rest.len(), |at| from + at + end.len())
    };
    if rest.starts_with("//") {
        return (Kind::Blank, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Kind::Blank, upto("*/", 2));
    }
    if let Some(hashes) = raw_string(rest) {
        let open = rest.find('"').map_or(rest.len(), |at| at + 1);
        return (
            Kind::Blank,
            upto(&format!("\"{}", "#".repeat(hashes)), open),
        );
    }
    match first {
        '"' => (Kind::Blank, quoted(rest, '"')),
        '\'' => (
            Kind::Blank,
            lifetime(rest).unwrap_or_else(|| quoted(rest, '\'')),
        ),
        c if c.is_whitespace() => (Kind::Blank, c.len_utf8()),
        c if c.is_alphanumeric() || c == '_' => {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            (Kind::Word, end.unwrap_or(rest.len()))
        }
        _ if rest.starts_with("::") => (Kind::Word, 2),
        c => (Kind::Word, c.len_utf8()),
    }
}

/// The number of `#` of a raw string that begins here.
fn raw_string(rest: &str) -> Option<usize> {
    let rest = rest.strip_prefix('b').unwrap_or(rest).strip_prefix('r')?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    rest[hashes..].starts_with('"').then_some(hashes)
}

/// The length of a lifetime that begins here; a character literal is none.
fn lifetime(rest: &str) -> Option<usize> {
    let name = rest[1..].find(|c: char| !c.is_alphanumeric() && c != '_')?;
    (name > 0 && !rest[1 + name..].starts_with('\'')).then_some(1 + name)
}

/// The length of a literal up to its closing quote.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

#[test]
fn words_are_code_only() {
    let text = r##"//! std
use a::b; /* std
*/ let c: &'static str = "std \" std"; 'x' '\'' b'"' r#"std"# b"\\" d
#[cfg(test)]
mod tests { use std; }"##;
    let words: Vec<_> = words(text)
        .iter()
        .map(|word| (word.line, word.text))
        .collect();
    let (second, third) = words.split_at(5);
    assert_eq!(
        second,
        [(2, "use"), (2, "a"), (2, "::"), (2, "b"), (2, ";")]
    );
    let third: Vec<_> = third
        .iter()
        .map(|&(line, text)| format!("{line}{text}"))
        .collect();
    assert_eq!(third.join(" "), "3let 3c 3: 3& 3str 3= 3; 3b 3b 3d");
}
