//! Words: what a line of a story consists of. A packet that was received is put into words, too, and compared as such.

use std::fmt;

/// `text`, `"quoted text"`, `key=text` or `key="quoted text"`.
///
/// Whether a text was quoted makes no difference to its meaning, only to how it is printed.
#[derive(Clone, Debug)]
pub struct Word {
    /// What stands before the `=`.
    pub key: Option<String>,
    /// The text itself, without quotes. Bytes that are no text read `hex:00ff`.
    pub text: String,
    /// Whether it stands in quotes.
    pub quoted: bool,
}

impl PartialEq for Word {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.text == other.text
    }
}

impl Eq for Word {}

impl Word {
    /// A word without key.
    pub fn plain(text: impl fmt::Display) -> Self {
        Self {
            key: None,
            text: text.to_string(),
            quoted: false,
        }
    }

    /// `key=text`.
    pub fn pair(key: &str, text: impl fmt::Display) -> Self {
        Self {
            key: Some(key.into()),
            text: text.to_string(),
            quoted: false,
        }
    }

    /// Any bytes: quoted if they are printable text, else in hexadecimal digits.
    pub fn bytes(bytes: &[u8]) -> Self {
        match text_of(bytes) {
            Some(text) => Self {
                key: None,
                text: text.into(),
                quoted: true,
            },
            None => Self::plain(hex_of(bytes)),
        }
    }

    /// The same with a key.
    pub fn bytes_pair(key: &str, bytes: &[u8]) -> Self {
        Self {
            key: Some(key.into()),
            ..Self::bytes(bytes)
        }
    }

    /// True if this is the word `text` without key and quotes.
    pub fn is(&self, text: &str) -> bool {
        self.key.is_none() && !self.quoted && self.text == text
    }

    /// The bytes that the text stands for.
    ///
    /// # Errors
    /// What is wrong with the digits after `hex:`.
    pub fn to_bytes(&self) -> Result<Vec<u8>, String> {
        match self.text.strip_prefix("hex:") {
            Some(digits) if !self.quoted => parse_hex(digits),
            _ => Ok(self.text.clone().into_bytes()),
        }
    }

    /// Splits a line at its spaces.
    ///
    /// # Errors
    /// A quote that is not closed, or an unknown escape in one.
    pub fn split(line: &str) -> Result<Vec<Self>, String> {
        let mut words = Vec::new();
        let mut rest = line.trim_start();
        while !rest.is_empty() {
            let (word, after) = Self::first(rest)?;
            words.push(word);
            rest = after.trim_start();
        }
        Ok(words)
    }

    fn first(line: &str) -> Result<(Self, &str), String> {
        let end = line.find([' ', '"']).unwrap_or(line.len());
        let (head, rest) = line.split_at(end);
        let (key, text) = match head.split_once('=') {
            Some((key, text)) if !key.is_empty() => (Some(key.to_string()), text),
            _ => (None, head),
        };
        match rest.strip_prefix('"') {
            None => Ok((
                Self {
                    key,
                    text: text.into(),
                    quoted: false,
                },
                rest,
            )),
            Some(_) if !text.is_empty() => Err(format!("a quote in the middle of {head:?}")),
            Some(rest) => {
                let (text, rest) = unquote(rest)?;
                Ok((
                    Self {
                        key,
                        text,
                        quoted: true,
                    },
                    rest,
                ))
            }
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.key {
            write!(f, "{key}=")?;
        }
        let plain = !self.text.is_empty() && !self.text.contains([' ', '"', '\n']);
        if plain && !self.quoted {
            f.write_str(&self.text)
        } else {
            write!(f, "{:?}", self.text)
        }
    }
}

/// A line of words.
pub(super) fn join(words: &[Word]) -> String {
    words
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Hexadecimal digits, two a byte.
///
/// # Errors
/// The digits are odd in number or are no digits.
pub(super) fn parse_hex(digits: &str) -> Result<Vec<u8>, String> {
    let wrong = || format!("{digits:?} is not an even number of hexadecimal digits");
    if !digits.is_ascii() || !digits.len().is_multiple_of(2) {
        return Err(wrong());
    }
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| wrong()))
        .collect()
}

fn unquote(line: &str) -> Result<(String, &str), String> {
    let mut text = String::new();
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((text, &line[at + 1..])),
            '\\' => match chars.next() {
                Some((_, 'n')) => text.push('\n'),
                Some((_, c @ ('"' | '\\'))) => text.push(c),
                _ => return Err(format!("an unknown escape in \"{line}")),
            },
            c => text.push(c),
        }
    }
    Err(format!("a quote that is not closed: \"{line}"))
}

fn text_of(bytes: &[u8]) -> Option<&str> {
    let text = str::from_utf8(bytes).ok()?;
    (!text.chars().any(|c| c.is_control() && c != '\n')).then_some(text)
}

fn hex_of(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::from("hex:"), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_printed_as_it_was_written() {
        let line = r#"publish a/+/# "he said \"hi\"" qos=1 user_property="a b" x= hex:00ff "" .."#;
        let words = Word::split(line).unwrap();
        assert_eq!(words.len(), 9);
        assert_eq!(join(&words), line.replace("x= ", "x=\"\" "));
        assert_eq!(words[2].text, "he said \"hi\"");
        assert_eq!(words[5].to_bytes().unwrap(), b"");
        assert_eq!(words[6].to_bytes().unwrap(), [0x00, 0xff]);
    }

    #[test]
    fn bytes_that_are_no_text_are_written_in_digits() {
        assert_eq!(Word::bytes(b"hello").to_string(), "\"hello\"");
        assert_eq!(Word::bytes(&[0, 0xc3]).to_string(), "hex:00c3");
        assert_eq!(
            Word::bytes_pair("correlation_data", b"7").to_string(),
            "correlation_data=\"7\""
        );
    }

    #[test]
    fn errors_name_what_is_wrong() {
        for (line, wrong) in [
            ("publish \"abc", "not closed"),
            ("publish a\"b\"", "in the middle"),
            (r#"publish "\x""#, "escape"),
        ] {
            assert!(Word::split(line).unwrap_err().contains(wrong), "{line}");
        }
        assert!(parse_hex("0g").unwrap_err().contains("hexadecimal"));
    }
}
