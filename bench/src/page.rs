//! The report as a page in Markdown with its plots.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::failure::Failure;
use crate::machine;
use crate::plot::{Group, Plot, short};
use crate::suite::Outcome;
use crate::summary::{Comparison, Spread, Summary};

/// Writes `benchmarks.md` and `benchmarks/*.svg` into `directory`. `command` repeats all of it.
pub(crate) fn write(directory: &Path, outcomes: &[Outcome], command: &str) -> Result<(), Failure> {
    let page = Page::new(outcomes);
    let plots = directory.join("benchmarks");
    let doing = || directory.display().to_string();
    fs::create_dir_all(&plots).map_err(Failure::io(doing()))?;
    for (name, plot) in page.plots() {
        fs::write(plots.join(name), plot.svg()).map_err(Failure::io(doing()))?;
    }
    let path = directory.join("benchmarks.md");
    fs::write(path, page.markdown(command)).map_err(Failure::io(doing()))
}

struct Page<'a> {
    outcomes: &'a [Outcome],
    /// All brokers, in the order in which they were met.
    brokers: Vec<&'a str>,
}

impl<'a> Page<'a> {
    fn new(outcomes: &'a [Outcome]) -> Self {
        let mut brokers: Vec<&str> = Vec::new();
        for summary in outcomes
            .iter()
            .filter_map(|(_, outcome)| outcome.as_ref().ok())
            .flat_map(|c| &c.brokers)
        {
            if !brokers.contains(&&*summary.broker) {
                brokers.push(&summary.broker);
            }
        }
        Self { outcomes, brokers }
    }

    fn markdown(&self, command: &str) -> String {
        let mut page = String::from(
            "# Benchmarks\n\n\
             <!-- Written by the command below; edit bench/src/page.rs instead. -->\n\n\
             What a broker costs, beside mosquitto from Debian and beside the relay, which only copies bytes and so shows \
             what the kernel\nalone takes. The figure that counts is the CPU time of the broker, user and system, for each \
             delivered message; a ratio is\nto mosquitto in the same run, brokers taking turns, each run with a freshly \
             started broker. Medians, in brackets the smallest\nand the largest run. How it is measured, and what is \
             checked: [bench/README.md](../bench/README.md).\n\n",
        );
        let _ = writeln!(page, "```console\n$ {command}\n```\n");
        let _ = writeln!(
            page,
            "- {}, {}, shared with the load generator",
            machine::processor(),
            machine::kernel()
        );
        let commit = machine::commit();
        let built = commit
            .map(|commit| format!("Sanderling at commit {commit}, built as a release (`dist`)"));
        for line in [machine::mosquitto(), built, machine::date()]
            .into_iter()
            .flatten()
        {
            let _ = writeln!(page, "- {line}");
        }
        page.push('\n');
        for (name, plot) in self.plots() {
            let _ = writeln!(page, "![{}](benchmarks/{name})\n", plot.title);
        }
        page += &self.cpu_table();
        page += &self.cells("System calls per delivery", |summary| {
            Some(format!(
                "{:.3}",
                summary.system_calls.as_ref()?.per_delivery
            ))
        });
        page += &self.cells(
            "Resident bytes for each connection, filter or retained message",
            |summary| Some(spread(summary.resident_bytes_each?, 1.0, 0)),
        );
        page += &self.cells(
            "CPU us before the deliveries: storing retained messages, adding filters",
            |summary| {
                let (name, phase) = summary.phases.first()?;
                Some(format!("{name} {}", spread(*phase, 1_000.0, 2)))
            },
        );
        page += &self.cells(
            "Latency in us from when a message was due: median, 99 %, 99.9 %, longest",
            |summary| {
                let at = |spread: Option<Spread>| spread.map(|spread| spread.median);
                Some(format!(
                    "{:.0}, {:.0}, {:.0}, {:.0}",
                    at(summary.latency_median_us)?,
                    at(summary.latency_p99_us)?,
                    at(summary.latency_p999_us)?,
                    at(summary.latency_max_us)?
                ))
            },
        );
        page += &self.cells("Largest resident set in MiB", |summary| {
            Some(format!(
                "{:.0}",
                summary.resident_bytes_max.median / 1_048_576.0
            ))
        });
        page += &self.failures();
        page
    }

    fn cpu_table(&self) -> String {
        let mut table = String::from("## CPU us per delivery\n\n| | what |");
        for broker in &self.brokers {
            let _ = write!(table, " {broker} | ratio |");
        }
        let _ = write!(table, " target | generator us |\n|");
        table += &" --- |".repeat(2 * self.brokers.len() + 4);
        table.push('\n');
        for (entry, comparison) in self.compared() {
            let _ = write!(table, "| {} | {} |", entry.name, entry.what);
            for broker in &self.brokers {
                let cell = summary(comparison, broker).map_or_else(String::new, |summary| {
                    let void = if summary.void_runs > 0 { ", void" } else { "" };
                    let cpu = spread(summary.cpu_ns_per_delivery, 1_000.0, 3);
                    format!("{cpu}{void} | {}", spread(summary.ratio, 1.0, 3))
                });
                let _ = write!(
                    table,
                    " {} |",
                    if cell.is_empty() { "- | -" } else { &cell }
                );
            }
            let ratio = entry.ratio_target.map(|ratio| format!("{ratio}"));
            let targets: Vec<_> = ratio
                .into_iter()
                .chain(entry.target.map(str::to_owned))
                .collect();
            let generator = comparison
                .brokers
                .iter()
                .map(|s| s.generator_cpu_ns_per_delivery.median / 1_000.0);
            let _ = writeln!(
                table,
                " {} | {:.3} |",
                if targets.is_empty() {
                    "-".into()
                } else {
                    targets.join(", ")
                },
                generator.fold(f64::MAX, f64::min)
            );
        }
        table += "\nTargets are for the mio driver. The generator's cost is that beside the broker that left it the most to do \
                  at once; it shares the machine.\n";
        table
    }

    /// A table with a figure for each broker, of the scenarios that have it.
    fn cells(&self, title: &str, cell: impl Fn(&Summary) -> Option<String>) -> String {
        let mut rows = String::new();
        for (entry, comparison) in self.compared() {
            let cells: Vec<_> = self
                .brokers
                .iter()
                .map(|broker| cell(summary(comparison, broker)?))
                .collect();
            if cells.iter().any(Option::is_some) {
                let cells: Vec<_> = cells
                    .into_iter()
                    .map(|cell| cell.unwrap_or_else(|| "-".into()))
                    .collect();
                let _ = writeln!(rows, "| {} | {} |", entry.name, cells.join(" | "));
            }
        }
        if rows.is_empty() {
            return rows;
        }
        let rule = " --- |".repeat(self.brokers.len() + 1);
        format!(
            "\n## {title}\n\n| | {} |\n|{rule}\n{rows}",
            self.brokers.join(" | ")
        )
    }

    fn failures(&self) -> String {
        let mut text = String::new();
        for (entry, outcome) in self.outcomes {
            if let Err(why) = outcome {
                let why = why.lines().next().unwrap_or_default();
                let _ = writeln!(text, "- {}: {why}", entry.name);
            }
        }
        match text.is_empty() {
            true => text,
            false => format!("\n## Not done\n\n{text}"),
        }
    }

    fn plots(&self) -> Vec<(&'static str, Plot<'a>)> {
        let (mut ratios, mut latencies, mut memory) = (Vec::new(), Vec::new(), Vec::new());
        for (entry, comparison) in self.compared() {
            ratios.push(Group {
                label: entry.name.into(),
                values: self.values(comparison, |summary| Some(summary.ratio.median)),
                target: entry.ratio_target,
            });
            let add = |groups: &mut Vec<Group>,
                       label: String,
                       of: &dyn Fn(&Summary) -> Option<Spread>| {
                let values = self.values(comparison, |summary| Some(of(summary)?.median));
                if values.iter().any(Option::is_some) {
                    groups.push(Group {
                        label,
                        values,
                        target: None,
                    });
                }
            };
            let named = |what: &str| format!("{} {what}", entry.name);
            add(&mut latencies, named("median"), &|summary| {
                summary.latency_median_us
            });
            add(&mut latencies, named("99 %"), &|summary| {
                summary.latency_p99_us
            });
            add(&mut latencies, named("99.9 %"), &|summary| {
                summary.latency_p999_us
            });
            add(&mut latencies, named("longest"), &|summary| {
                summary.latency_max_us
            });
            let of = comparison
                .brokers
                .first()
                .and_then(|summary| summary.resident_of)
                .unwrap_or_default();
            let of = of.rsplit(' ').next().unwrap_or_default();
            add(&mut memory, named(of), &|summary| {
                summary.resident_bytes_each
            });
        }
        let plot = |title, axis, groups| Plot {
            title,
            axis,
            series: self
                .brokers
                .iter()
                .map(|broker| (*broker).to_owned())
                .collect(),
            groups,
        };
        let plots = [
            (
                "cpu.svg",
                plot(
                    "CPU time per delivered message",
                    "ratio to mosquitto, logarithmic",
                    ratios,
                ),
            ),
            (
                "latency.svg",
                plot(
                    "Latency at 20,000 messages per second",
                    "microseconds, logarithmic",
                    latencies,
                ),
            ),
            (
                "memory.svg",
                plot("Memory", "resident bytes for each, logarithmic", memory),
            ),
        ];
        plots
            .into_iter()
            .filter(|(_, plot)| !plot.groups.is_empty())
            .collect()
    }

    fn values(
        &self,
        comparison: &Comparison,
        of: impl Fn(&Summary) -> Option<f64>,
    ) -> Vec<Option<f64>> {
        self.brokers
            .iter()
            .map(|broker| of(summary(comparison, broker)?))
            .collect()
    }

    fn compared(&self) -> impl Iterator<Item = (&'static crate::suite::Entry, &'a Comparison)> {
        self.outcomes
            .iter()
            .filter_map(|(entry, outcome)| Some((*entry, outcome.as_ref().ok()?)))
    }
}

fn summary<'a>(comparison: &'a Comparison, broker: &str) -> Option<&'a Summary> {
    comparison
        .brokers
        .iter()
        .find(|summary| summary.broker == broker)
}

/// The median, and the ends in brackets if there is more than one run.
fn spread(spread: Spread, unit: f64, digits: usize) -> String {
    let [median, min, max] =
        [spread.median, spread.min, spread.max].map(|value| match value / unit {
            large if large >= 1e6 => short(large),
            value => format!("{value:.digits$}"),
        });
    match min == max {
        true => median,
        false => format!("{median} ({min}-{max})"),
    }
}
