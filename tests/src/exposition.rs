//! A reader of the text exposition format 0.0.4 that takes nothing for granted: what a lenient one would let pass is an
//! error here.

use std::collections::{BTreeMap, BTreeSet};

/// What a scrape tells: families by their names.
#[derive(Clone, Debug, Default)]
pub struct Scrape {
    /// The families.
    pub families: BTreeMap<String, Family>,
}

/// All that is said under one name.
#[derive(Clone, Debug, Default)]
pub struct Family {
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// What it means.
    pub help: String,
    /// Its samples.
    pub samples: Vec<Sample>,
}

/// One line with a number.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The family's name, perhaps with a suffix.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The number.
    pub value: f64,
}

impl Scrape {
    /// Reads all of it.
    ///
    /// # Errors
    /// What is wrong, with the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader::default();
        let text = text.strip_suffix('\n').ok_or("the last line has no end")?;
        for line in text.split('\n') {
            reader
                .line(line)
                .map_err(|what| format!("{what}: {line:?}"))?;
        }
        for (name, family) in &reader.scrape.families {
            check(name, family).map_err(|what| format!("{name}: {what}"))?;
        }
        Ok(reader.scrape)
    }

    /// The number of a sample with exactly these labels.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let samples = self.families.values().flat_map(|family| &family.samples);
        let mut found = samples.filter(|sample| {
            let pairs = sample
                .labels
                .iter()
                .map(|(name, value)| (&**name, &**value));
            sample.name == name && pairs.eq(labels.iter().copied())
        });
        found.next().map(|sample| sample.value)
    }

    /// The names of all samples.
    pub fn names(&self) -> BTreeSet<&str> {
        let samples = self.families.values().flat_map(|family| &family.samples);
        samples.map(|sample| &*sample.name).collect()
    }
}

#[derive(Default)]
struct Reader {
    scrape: Scrape,
    /// The family that stands open: nothing of another may come before it is done.
    current: String,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), &'static str> {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            return self.help(rest);
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            return self.kind(rest);
        }
        if line.is_empty() || line.starts_with('#') {
            return Err("neither a sample nor HELP nor TYPE");
        }
        self.sample(line)
    }

    fn help(&mut self, rest: &str) -> Result<(), &'static str> {
        let (name, help) = rest.split_once(' ').ok_or("HELP without a text")?;
        if !is_name(name, true) {
            return Err("not a name");
        }
        if self.scrape.families.contains_key(name) {
            return Err("a second HELP, or a family in two pieces");
        }
        let family = Family {
            help: unescape(help, false)?,
            ..Family::default()
        };
        self.scrape.families.insert(name.into(), family);
        self.current = name.into();
        Ok(())
    }

    fn kind(&mut self, rest: &str) -> Result<(), &'static str> {
        let (name, kind) = rest.split_once(' ').ok_or("TYPE without a type")?;
        let family = self
            .scrape
            .families
            .get_mut(name)
            .filter(|_| name == self.current);
        let family = family.ok_or("TYPE without HELP before it")?;
        if !family.kind.is_empty() || !family.samples.is_empty() {
            return Err("a second TYPE, or one after samples");
        }
        if !matches!(kind, "counter" | "gauge" | "histogram") {
            return Err("an unknown type");
        }
        family.kind = kind.into();
        Ok(())
    }

    fn sample(&mut self, line: &str) -> Result<(), &'static str> {
        let end = line.find(['{', ' ']).ok_or("a sample without a value")?;
        let (name, rest) = line.split_at(end);
        let (labels, value) = match rest.strip_prefix('{') {
            Some(rest) => labels(rest)?,
            None => (BTreeMap::new(), rest),
        };
        let value = value.strip_prefix(' ').ok_or("no space before the value")?;
        let family = self.scrape.families.get_mut(&self.current);
        let family = family.filter(|family| !family.kind.is_empty());
        let family = family.ok_or("a sample before its TYPE")?;
        if !is_of(name, &self.current, &family.kind) {
            return Err("a sample of another family");
        }
        let sample = Sample {
            name: name.into(),
            labels,
            value: number(value)?,
        };
        let is_same = |one: &Sample| one.name == sample.name && one.labels == sample.labels;
        if family.samples.iter().any(is_same) {
            return Err("said twice");
        }
        family.samples.push(sample);
        Ok(())
    }
}

/// Whether a sample of this name belongs to a family.
fn is_of(name: &str, family: &str, kind: &str) -> bool {
    match (name.strip_prefix(family), kind) {
        (Some("_bucket" | "_sum" | "_count"), "histogram") => true,
        (Some(""), kind) => kind != "histogram",
        _ => false,
    }
}

fn is_name(name: &str, colons: bool) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_' || (colons && c == ':');
    name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

/// What stands behind `{`, and what comes after `}`.
fn labels(mut rest: &str) -> Result<(BTreeMap<String, String>, &str), &'static str> {
    let mut labels = BTreeMap::new();
    loop {
        let (name, after) = rest.split_once("=\"").ok_or("a label without a value")?;
        if !is_name(name, false) || name.starts_with("__") {
            return Err("not a label");
        }
        let end = end_of_value(after).ok_or("a value without an end")?;
        let value = unescape(&after[..end], true)?;
        if labels.insert(name.into(), value).is_some() {
            return Err("a label twice");
        }
        let after = &after[end + 1..];
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => {
                return Ok((
                    labels,
                    after.strip_prefix('}').ok_or("labels without an end")?,
                ));
            }
        }
    }
}

/// Where the quote that ends a value stands.
fn end_of_value(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let ends = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends.then_some(at)
    })
}

fn unescape(text: &str, quotes: bool) -> Result<String, &'static str> {
    let (mut plain, mut characters) = (String::new(), text.chars());
    while let Some(c) = characters.next() {
        plain.push(match c {
            '\\' => match characters.next() {
                Some('\\') => '\\',
                Some('n') => '\n',
                Some('"') if quotes => '"',
                _ => return Err("an unknown escape"),
            },
            '"' if quotes => return Err("a bare quote"),
            c => c,
        });
    }
    Ok(plain)
}

fn number(text: &str) -> Result<f64, &'static str> {
    let is_plain = text
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e'));
    match text {
        "+Inf" => Ok(f64::INFINITY),
        _ if is_plain => text.parse().map_err(|_| "not a number"),
        // A timestamp, or a value that nothing of ours may have.
        _ => Err("not one number"),
    }
}

/// What must hold for a family as a whole.
fn check(name: &str, family: &Family) -> Result<(), &'static str> {
    if family.help.is_empty() || family.samples.is_empty() {
        return Err("without help or without samples");
    }
    match &*family.kind {
        "counter" if !name.ends_with("_total") => Err("a counter without _total"),
        "counter" if family.samples.iter().any(|one| one.value < 0.0) => Err("a counter below 0"),
        "histogram" => check_histogram(name, &family.samples),
        "counter" | "gauge" => Ok(()),
        _ => Err("without a type"),
    }
}

/// Bounds rise, counts do not fall, and the last one is all. Ours have no labels beside the bound.
fn check_histogram(name: &str, samples: &[Sample]) -> Result<(), &'static str> {
    let of = |suffix: &'static str| {
        let samples = samples.iter();
        samples.filter(move |one| one.name[name.len()..] == *suffix)
    };
    let (mut bound, mut count) = (f64::NEG_INFINITY, 0.0);
    for bucket in of("_bucket") {
        let le = bucket.labels.get("le").ok_or("a bucket without a bound")?;
        let le = number(le)?;
        if bucket.labels.len() != 1 || le <= bound || bucket.value < count {
            return Err("buckets out of order");
        }
        (bound, count) = (le, bucket.value);
    }
    let all: Vec<_> = of("_count").map(|one| one.value).collect();
    match bound == f64::INFINITY && all == [count] && of("_sum").count() == 1 {
        true => Ok(()),
        false => Err("a histogram that lacks something"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "# HELP a_total What.\n# TYPE a_total counter\n";

    #[test]
    fn what_is_right_is_read() {
        let text = format!("{HEAD}a_total{{x=\"1\\\"\\\\\\n\",y=\"\"}} 3\na_total 4.5e+2\n");
        let scrape = Scrape::parse(&text).expect("it is right");
        assert_eq!(
            scrape.value("a_total", &[("x", "1\"\\\n"), ("y", "")]),
            Some(3.0)
        );
        assert_eq!(scrape.value("a_total", &[]), Some(450.0));
        assert_eq!(scrape.value("a_total", &[("x", "1")]), None);
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for wrong in [
            "a_total 1",
            "a_total 1\n\n",
            "a_total 1 1700000000\n",
            "a_total 1\na_total 2\n",
            "a_total -1\n",
            "a_total NaN\n",
            "a_total  1\n",
            "b_total 1\n",
            "a_total{x=\"1\\t\"} 1\n",
            "a_total{x=\"1\",} 1\n",
            "a_total{x=\"1\",x=\"2\"} 1\n",
            "a_total{1x=\"1\"} 1\n",
            "a_total{x=\"1} 1\n",
            "# TYPE a_total counter\na_total 1\n",
            "# HELP a_total Again.\na_total 1\n",
            "# a comment\na_total 1\n",
            "",
        ] {
            let text = format!("{HEAD}{wrong}");
            assert!(Scrape::parse(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_histogram_must_be_whole_and_in_order() {
        let parse =
            |lines: &str| Scrape::parse(&format!("# HELP h H\n# TYPE h histogram\n{lines}"));
        let bucket = |le: &str, count: u8| format!("h_bucket{{le=\"{le}\"}} {count}\n");
        let good = bucket("0.1", 1) + &bucket("+Inf", 2) + "h_sum 1\nh_count 2\n";
        assert!(parse(&good).is_ok());
        for wrong in [
            bucket("0.1", 1) + "h_sum 1\nh_count 1\n",
            bucket("+Inf", 2) + "h_sum 1\nh_count 3\n",
            bucket("+Inf", 2) + "h_count 2\n",
            bucket("0.1", 3) + &bucket("+Inf", 2) + "h_sum 1\nh_count 2\n",
            bucket("+Inf", 2) + &bucket("0.1", 2) + "h_sum 1\nh_count 2\n",
            "h 1\n".into(),
        ] {
            assert!(parse(&wrong).is_err(), "{wrong}");
        }
    }
}
