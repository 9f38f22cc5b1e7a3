//! Where tokens come from: a file that the operator edits, or memory for this run.

use super::token::{Scope, Secret, Token};
use serde::{Deserialize, Serialize};
use std::{
    error::Error,
    fmt, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Some tokens.
#[derive(Clone, Debug, Default)]
pub struct Tokens(pub(crate) Vec<Token>);

/// The file, as TOML: a list of `[[token]]`.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    token: Vec<Entry>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    scopes: Vec<Scope>,
    /// In hexadecimal digits.
    sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<toml::value::Datetime>,
}

/// What stands before the first token of a new file.
const HEAD: &str = "\
# Tokens of the management API. Of each only the hash is here:
#     printf %s \"$token\" | sha256sum
# Scopes: read, publish, manage. Optional: expires = 2030-12-31T00:00:00Z
";

impl Tokens {
    /// The tokens in a file. If there is no such file it is made, for its owner only, with one token for every scope;
    /// the text of that is returned, and cannot be had later.
    ///
    /// # Errors
    /// See [`TokensError`].
    pub fn file(path: impl AsRef<Path>) -> Result<(Self, Option<Secret>), TokensError> {
        let path = path.as_ref();
        let failed = |what| TokensError {
            path: path.to_owned(),
            what,
        };
        match fs::File::open(path) {
            Ok(file) => Ok((Self::read(file).map_err(failed)?, None)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let (tokens, secret) = Self::make(path).map_err(failed)?;
                Ok((tokens, Some(secret)))
            }
            Err(error) => Err(failed(error.into())),
        }
    }

    /// One token for every scope that is good as long as this program runs, and its text.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn one_time() -> io::Result<(Self, Secret)> {
        let (token, secret) = Token::generate("one-time", &Scope::ALL)?;
        Ok((Self(vec![token]), secret))
    }

    fn read(file: fs::File) -> Result<Self, What> {
        if is_writable_by_others(&file)? {
            return Err(What::Writable);
        }
        let text = io::read_to_string(file)?;
        let File { token } = toml::from_str(&text).map_err(|error| What::toml(&text, error))?;
        if token.is_empty() {
            return Err(What::Empty);
        }
        let tokens = token.into_iter().map(Token::try_from);
        Ok(Self(tokens.collect::<Result<_, _>>()?))
    }

    fn make(path: &Path) -> Result<(Self, Secret), What> {
        let (token, secret) = Token::generate("admin", &Scope::ALL)?;
        let file = File {
            token: vec![Entry {
                name: token.name.clone(),
                scopes: token.scopes.clone(),
                sha256: hex(&token.sha256),
                expires: None,
            }],
        };
        let list = toml::to_string(&file).expect("names, lists and texts");
        let mut written = new_file(path)?;
        written.write_all(format!("{HEAD}\n{list}").as_bytes())?;
        written.sync_all()?;
        Ok((Self(vec![token]), secret))
    }
}

impl TryFrom<Entry> for Token {
    type Error = What;

    fn try_from(entry: Entry) -> Result<Self, What> {
        let of = |what| What::Entry(entry.name.clone(), what);
        let sha256 =
            unhex(&entry.sha256).ok_or_else(|| of("sha256 is not 64 hexadecimal digits"))?;
        let token = Self::new(&entry.name, &entry.scopes, sha256);
        match entry.expires {
            None => Ok(token),
            Some(at) => {
                let at = instant_of(at).ok_or_else(|| {
                    of("expires is not a date with time and zone, such as 2030-12-31T00:00:00Z")
                })?;
                Ok(token.expires(at))
            }
        }
    }
}

fn instant_of(at: toml::value::Datetime) -> Option<SystemTime> {
    let format = &time::format_description::well_known::Rfc3339;
    let at = time::OffsetDateTime::parse(&at.to_string(), format).ok()?;
    Some(at.into())
}

#[cfg(unix)]
fn is_writable_by_others(file: &fs::File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(file.metadata()?.permissions().mode() & 0o022 != 0)
}

#[cfg(not(unix))]
fn is_writable_by_others(_: &fs::File) -> io::Result<bool> {
    Ok(false)
}

/// A file that was not there, for its owner only.
fn new_file(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text
        .chars()
        .map(|digit| digit.to_digit(16).map(|value| value as u8))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits
        .chunks(2)
        .map(|pair| Some(pair[0] << 4 | pair.get(1)?))
        .collect::<Option<_>>()?;
    bytes.try_into().ok()
}

/// A file of tokens cannot be used.
#[derive(Debug)]
pub struct TokensError {
    path: PathBuf,
    what: What,
}

#[derive(Debug)]
enum What {
    Io(io::Error),
    /// In which line, and what.
    Toml(usize, Box<toml::de::Error>),
    Empty,
    Writable,
    Entry(String, &'static str),
}

impl What {
    fn toml(text: &str, error: toml::de::Error) -> Self {
        let begin = error.span().map_or(0, |span| span.start);
        let before = text.get(..begin).unwrap_or_default();
        Self::Toml(before.matches('\n').count() + 1, error.into())
    }
}

impl From<io::Error> for What {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for TokensError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tokens in {}: ", self.path.display())?;
        match &self.what {
            What::Io(error) => error.fmt(f),
            What::Toml(line, error) => {
                // What it says may have many lines, and this has one.
                let what = error.message().replace('\n', "; ");
                write!(f, "line {line}: {what}")
            }
            What::Empty => f.write_str("there is none; remove the file and a new one is made"),
            What::Writable => {
                f.write_str("others may write to the file, and so let themselves in: chmod 600 it")
            }
            What::Entry(name, what) => write!(f, "token {name:?}: {what}"),
        }
    }
}

impl Error for TokensError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.what {
            What::Io(error) => Some(error),
            What::Toml(_, error) => Some(error),
            _ => None,
        }
    }
}
