//! The tables of `docs/metrics.md`, made from the plugins' own lists.

use sanderling_prometheus::{Kind, families};
use sanderling_sys::topics;
use std::fmt::Write;

/// The page with its tables as they should be; the text around them stays.
pub fn up_to_date(page: &str) -> String {
    let page = replaced(page, "metrics", &metrics());
    replaced(&page, "topics", &of_topics())
}

/// Puts a table between its marks.
fn replaced(page: &str, name: &str, table: &str) -> String {
    let (begin, end) = (
        format!("<!-- {name} -->\n"),
        format!("<!-- end of {name} -->"),
    );
    let parts = page.split_once(&begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(&end)?;
        Some((before, after))
    });
    let (before, after) = parts.unwrap_or((page, ""));
    format!("{before}{begin}{table}{end}{after}")
}

fn metrics() -> String {
    let mut table = "| name | type | label | unit | meaning | row |\n".to_owned();
    table += "| --- | --- | --- | --- | --- | --- |\n";
    for family in families() {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let label = family
            .label
            .map_or_else(String::new, |label| format!("`{label}`"));
        let (name, unit, help, row) = (family.name, family.unit, family.help, family.row);
        writeln!(
            table,
            "| `{name}` | {kind} | {label} | {unit} | {help} | {row} |"
        )
        .expect("a string takes everything");
    }
    table
}

fn of_topics() -> String {
    let mut table = "| topic | what it says |\n| --- | --- |\n".to_owned();
    for (topic, meaning) in topics() {
        writeln!(table, "| `{topic}` | {meaning} |").expect("a string takes everything");
    }
    table
}
