//! A comparison as a table in Markdown: a line for each broker.

use std::fmt::Write as _;

use crate::summary::{Comparison, Summary};

impl Comparison {
    /// The table, with the columns that this scenario has.
    pub(crate) fn table(&self) -> String {
        let mut table = String::from(
            "| broker | CPU us per delivery | min to max | ratio | min to max | delivered per second | RSS max MiB \
             | generator us | void runs |",
        );
        let titles = self.brokers.first().map_or(Vec::new(), optional_cells);
        // Writing to a string cannot fail.
        for (title, _) in &titles {
            let _ = write!(table, " {title} |");
        }
        table.push_str("\n|");
        table += &" --- |".repeat(9 + titles.len());
        table.push('\n');
        for summary in &self.brokers {
            let (cpu, ratio) = (summary.cpu_ns_per_delivery, summary.ratio);
            let _ = write!(
                table,
                "| {} | {:.3} | {:.3} to {:.3} | {:.3} | {:.3} to {:.3} | {:.0} | {:.1} | {:.3} | {} of {} |",
                summary.broker,
                cpu.median / 1_000.0,
                cpu.min / 1_000.0,
                cpu.max / 1_000.0,
                ratio.median,
                ratio.min,
                ratio.max,
                summary.delivered_per_second.median,
                summary.resident_bytes_max.median / 1_048_576.0,
                summary.generator_cpu_ns_per_delivery.median / 1_000.0,
                summary.void_runs,
                summary.runs,
            );
            for (_, cell) in optional_cells(summary) {
                let _ = write!(table, " {cell} |");
            }
            table.push('\n');
        }
        table
    }
}

/// What only some scenarios have, with its title.
fn optional_cells(summary: &Summary) -> Vec<(String, String)> {
    let of = summary.resident_of.unwrap_or_default();
    let mut columns = vec![(format!("bytes per {of}"), summary.resident_bytes_each)];
    for (name, spread) in &summary.phases {
        columns.push((format!("CPU ns per {name}"), Some(*spread)));
    }
    for (share, spread) in [
        ("median", summary.latency_median_us),
        ("99 %", summary.latency_p99_us),
        ("99.9 %", summary.latency_p999_us),
        ("max", summary.latency_max_us),
    ] {
        columns.push((format!("latency us, {share}"), spread));
    }
    let columns = columns.into_iter();
    let mut cells: Vec<_> = columns
        .filter_map(|(title, spread)| Some((title, format!("{:.0}", spread?.median))))
        .collect();
    if let Some(calls) = &summary.system_calls {
        let title = "system calls per delivery".to_owned();
        cells.push((title, format!("{:.3}", calls.per_delivery)));
    }
    cells
}
