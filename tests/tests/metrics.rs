//! What stands beside the metrics: the page for operators, the dashboard and the alert rules say what is there.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use promql_parser::{
    parser::{self, Expr, VectorSelector},
    util::{ExprVisitor, walk_expr},
};
use sanderling_prometheus::{Kind, Prometheus, families};
use sanderling_tests::{exposition::Scrape, metrics_page};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).expect(path)
}

#[test]
fn the_page_lists_every_metric_and_topic() {
    let page = read("docs/metrics.md");
    assert!(
        page == metrics_page::up_to_date(&page),
        "docs/metrics.md is not what the plugins say; write it with: \
         cargo run -p sanderling-tests --example metrics_page"
    );
}

#[test]
fn every_label_of_a_cause_or_a_limit_is_explained() {
    let page = read("docs/metrics.md");
    for cause in sanderling_core::hooks::DropCause::ALL {
        assert!(page.contains(&format!("| `{}` |", cause.name())));
    }
}

#[test]
fn a_metric_that_is_counted_in_something_says_in_what_and_all_say_what_they_mean() {
    for family in families() {
        let is_unitless = matches!(family.name, "sanderling_build_info" | "sanderling_limit");
        assert_eq!(family.unit.is_empty(), is_unitless, "{}", family.name);
        assert!(
            family.help.ends_with('.') && !family.help.contains('|'),
            "{}",
            family.name
        );
    }
}

/// The names of the samples in the scrape of a real broker.
fn samples() -> BTreeSet<String> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let broker = sanderling_mio::Broker::builder().plugin(Prometheus::on(listener));
    let broker = broker.listen("127.0.0.1:0").unwrap().start().unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nhost: metrics\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    broker.stop();
    broker.join().unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let scrape = Scrape::parse(body).unwrap();
    scrape.names().into_iter().map(ToOwned::to_owned).collect()
}

/// The metrics in an expression.
#[derive(Default)]
struct Metrics(Vec<VectorSelector>);

impl ExprVisitor for Metrics {
    type Error = String;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Self::Error> {
        match expr {
            Expr::VectorSelector(selector) => self.0.push(selector.clone()),
            Expr::MatrixSelector(selector) => self.0.push(selector.vs.clone()),
            _ => {}
        }
        Ok(true)
    }
}

/// What is wrong with an expression, if anything is.
fn complaint(expr: &str, samples: &BTreeSet<String>) -> Option<String> {
    // Grafana fills these in.
    let filled = expr.replace("$__rate_interval", "1m");
    let mut metrics = Metrics::default();
    let parsed = match parser::parse(&filled) {
        Ok(parsed) => parsed,
        Err(error) => return Some(format!("{expr}: {error}")),
    };
    walk_expr(&mut metrics, &parsed).unwrap();
    if metrics.0.is_empty() {
        return Some(format!("{expr}: names no metric"));
    }
    for selector in metrics.0 {
        let name = selector.name.unwrap_or_default();
        if !samples.contains(&name) {
            return Some(format!("{expr}: {name:?} is not told"));
        }
        let family = families().iter().find(|family| {
            name.starts_with(family.name) && (name == family.name || family.kind == Kind::Histogram)
        });
        let known = [
            "job",
            "instance",
            "le",
            family.and_then(|family| family.label).unwrap_or(""),
        ];
        if let Some(other) = selector
            .matchers
            .matchers
            .iter()
            .find(|one| !known.contains(&&*one.name))
        {
            return Some(format!("{expr}: {name} has no label {}", other.name));
        }
    }
    None
}

#[test]
fn every_expression_of_the_dashboard_names_metrics_that_are_told() {
    let (dashboard, samples): (Value, _) = (
        serde_json::from_str(&read("plugins/prometheus/grafana.json")).unwrap(),
        samples(),
    );
    let mut ids = BTreeSet::new();
    let mut expressions = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(
            ids.insert(panel["id"].as_u64().unwrap()),
            "an id twice: {panel}"
        );
        let grid = &panel["gridPos"];
        assert!(
            grid["x"].as_u64().unwrap() + grid["w"].as_u64().unwrap() <= 24,
            "{grid}"
        );
        for target in panel["targets"].as_array().into_iter().flatten() {
            expressions.push(target["expr"].as_str().unwrap().to_owned());
        }
    }
    assert!(expressions.len() >= 25, "{}", expressions.len());
    let complaints: Vec<_> = expressions
        .iter()
        .filter_map(|expr| complaint(expr, &samples))
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    // Whatever is told is shown somewhere, but for aliases and details of packets.
    let hidden = [
        "messages_",
        "mqtt_packets_received_total",
        "mqtt_packets_sent_total",
        "mqtt_sessions_expired_total",
        "mqtt_subscriptions_total",
        "sanderling_retained_bytes",
    ];
    for family in families() {
        let is_shown = expressions.iter().any(|expr| expr.contains(family.name));
        assert!(
            is_shown || hidden.iter().any(|name| family.name.starts_with(name)),
            "{} is not shown",
            family.name
        );
    }
}

#[test]
fn every_alert_names_metrics_that_are_told_and_says_what_to_do() {
    let rules: serde_yaml_ng::Value =
        serde_yaml_ng::from_str(&read("plugins/prometheus/alerts.yaml")).unwrap();
    let samples = samples();
    let mut names = BTreeSet::new();
    for group in rules["groups"].as_sequence().unwrap() {
        for rule in group["rules"].as_sequence().unwrap() {
            let text = |key: &str| rule[key].as_str().expect(key);
            assert!(
                names.insert(text("alert").to_owned()),
                "{} twice",
                text("alert")
            );
            assert_eq!(complaint(text("expr"), &samples), None);
            assert!(matches!(
                rule["labels"]["severity"].as_str(),
                Some("warning" | "critical")
            ));
            for annotation in ["summary", "description"] {
                assert!(
                    rule["annotations"][annotation]
                        .as_str()
                        .is_some_and(|text| !text.is_empty())
                );
            }
        }
    }
    assert!(names.len() >= 10, "{names:?}");
}

#[test]
fn what_is_wrong_with_an_expression_is_seen() {
    let samples = samples();
    let complains = |expr| complaint(expr, &samples).is_some();
    assert!(!complains(
        "sum by (qos) (rate(mqtt_messages_sent_total{job=~\"$job\"}[$__rate_interval]))"
    ));
    assert!(complains("mqtt_messages_sent"));
    assert!(complains("rate(mqtt_messages_sent_total)"));
    assert!(complains("sanderling_turn_duration_seconds"));
    assert!(complains("mqtt_messages_sent_total{quality=\"1\"}"));
    assert!(complains("1 + 1"));
    assert!(complains("sum("));
}
