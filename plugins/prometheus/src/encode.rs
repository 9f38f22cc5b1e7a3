//! From figures to the text format 0.0.4, by way of the families of the `prometheus` crate.

use crate::{
    family::{Family, Kind, Values, families},
    sight::Sight,
};
use prometheus::{
    TextEncoder,
    proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType},
};
use sanderling_core::stats::Durations;

/// All families, as text.
pub(crate) fn encode(sight: &Sight) -> String {
    let families: Vec<_> = families().iter().map(|one| family(one, sight)).collect();
    TextEncoder::new()
        .encode_to_string(&families)
        .expect("every family has a name and a value")
}

fn family(family: &Family, sight: &Sight) -> MetricFamily {
    let metrics = match &family.values {
        Values::One(read) => vec![number(family.kind, read(sight))],
        Values::Many(read) => {
            let label = family.label.unwrap_or_default();
            let labelled = |(value, read)| with(label, value, number(family.kind, read));
            read(sight).into_iter().map(labelled).collect()
        }
        Values::Durations(read) => vec![histogram(read(sight))],
    };
    let mut encoded = MetricFamily::default();
    encoded.set_name(family.name.into());
    encoded.set_help(family.help.into());
    encoded.set_field_type(match family.kind {
        Kind::Counter => MetricType::COUNTER,
        Kind::Gauge => MetricType::GAUGE,
        Kind::Histogram => MetricType::HISTOGRAM,
    });
    encoded.set_metric(metrics);
    encoded
}

fn number(kind: Kind, value: f64) -> Metric {
    let mut metric = Metric::default();
    if kind == Kind::Counter {
        let mut counter = Counter::default();
        counter.set_value(value);
        metric.set_counter(counter);
    } else {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        metric.set_gauge(gauge);
    }
    metric
}

fn with(label: &str, value: String, mut metric: Metric) -> Metric {
    let mut pair = LabelPair::default();
    pair.set_name(label.into());
    pair.set_value(value);
    metric.set_label(vec![pair]);
    metric
}

fn histogram(durations: &Durations) -> Metric {
    let buckets = durations.within().map(|(bound, count)| {
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(bound.as_secs_f64());
        bucket.set_cumulative_count(count);
        bucket
    });
    let mut histogram = Histogram::default();
    histogram.set_bucket(buckets.collect());
    histogram.set_sample_count(durations.count());
    histogram.set_sample_sum(durations.sum().as_secs_f64());
    let mut metric = Metric::default();
    metric.set_histogram(histogram);
    metric
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn text_is_as_the_format_wants_it() {
        let mut sight = Sight::default();
        sight.connections.insert("a\"b\\c\nd".into(), 2);
        sight
            .statistics
            .connects_took
            .record(Duration::from_micros(20));
        let text = encode(&sight);
        for line in [
            "# TYPE sanderling_listener_connections gauge",
            r#"sanderling_listener_connections{listener="a\"b\\c\nd"} 2"#,
            "# TYPE sanderling_connect_duration_seconds histogram",
            r#"sanderling_connect_duration_seconds_bucket{le="0.00001"} 0"#,
            r#"sanderling_connect_duration_seconds_bucket{le="0.00003"} 1"#,
            r#"sanderling_connect_duration_seconds_bucket{le="+Inf"} 1"#,
            "sanderling_connect_duration_seconds_sum 0.00002",
            "sanderling_connect_duration_seconds_count 1",
        ] {
            assert!(text.lines().any(|one| one == line), "no {line} in\n{text}");
        }
        assert!(text.ends_with('\n'));
    }
}
