//! Bars on a logarithmic axis, as SVG.

use std::fmt::Write as _;

const WIDTH: f64 = 860.0;
/// Where the axis begins and ends.
const LEFT: f64 = 120.0;
const RIGHT: f64 = 790.0;
const TOP: f64 = 78.0;
const BAR: f64 = 13.0;
const GAP: f64 = 12.0;
/// Blue, orange, green, grey, red: told apart by those who see no red or green too.
const COLOURS: &[&str] = &["#0072b2", "#e69f00", "#009e73", "#999999", "#d55e00"];

/// Several plots of one kind.
pub(crate) struct Plot<'a> {
    pub(crate) title: &'a str,
    pub(crate) axis: &'a str,
    /// One bar of each group.
    pub(crate) series: Vec<String>,
    pub(crate) groups: Vec<Group>,
}

/// Bars that belong together.
pub(crate) struct Group {
    pub(crate) label: String,
    /// By series; what is missing has no bar.
    pub(crate) values: Vec<Option<f64>>,
    /// A line across the bars.
    pub(crate) target: Option<f64>,
}

impl Plot<'_> {
    /// The picture.
    pub(crate) fn svg(&self) -> String {
        let scale = Scale::of(self);
        let mut svg = String::new();
        let mut y = TOP;
        // Writing to a string cannot fail.
        for group in &self.groups {
            let bars = group.values.iter().flatten().count() as f64;
            let height = bars.max(1.0) * BAR;
            let middle = y + height / 2.0 + 4.0;
            let label = escape(&group.label);
            let _ = writeln!(
                svg,
                "<text x='{}' y='{middle:.1}' text-anchor='end'>{label}</text>",
                LEFT - 8.0
            );
            let mut top = y;
            for (value, colour) in group.values.iter().zip(COLOURS.iter().cycle()) {
                let Some(value) = value else { continue };
                let end = scale.x(*value);
                let _ = writeln!(
                    svg,
                    "<rect x='{LEFT}' y='{top:.1}' width='{:.1}' height='{:.1}' fill='{colour}'/>\
                     <text x='{:.1}' y='{:.1}' font-size='10'>{}</text>",
                    (end - LEFT).max(1.0),
                    BAR - 2.0,
                    end + 4.0,
                    top + BAR - 4.0,
                    short(*value)
                );
                top += BAR;
            }
            if let Some(target) = group.target {
                let x = scale.x(target);
                let _ = writeln!(
                    svg,
                    "<path d='M{x:.1} {:.1}V{:.1}' stroke='#cc0000' stroke-width='2'/>",
                    y - 3.0,
                    y + height + 1.0
                );
            }
            y += height + GAP;
        }
        self.frame(&scale, &svg, y)
    }

    /// Title, legend, axis and grid around the bars, which end at `bottom`.
    fn frame(&self, scale: &Scale, bars: &str, bottom: f64) -> String {
        let height = bottom + 34.0;
        let mut svg = format!(
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height:.0}' \
             font-family='sans-serif' font-size='12'>\n\
             <rect width='100%' height='100%' fill='#ffffff'/>\n\
             <text x='16' y='24' font-size='16' font-weight='bold'>{}</text>\n",
            escape(self.title)
        );
        let mut x = 16.0;
        for (name, colour) in self.series.iter().zip(COLOURS.iter().cycle()) {
            let _ = writeln!(
                svg,
                "<rect x='{x:.0}' y='38' width='12' height='12' fill='{colour}'/><text x='{:.0}' y='48'>{}</text>",
                x + 17.0,
                escape(name)
            );
            x += 40.0 + 7.0 * name.chars().count() as f64;
        }
        if self.groups.iter().any(|group| group.target.is_some()) {
            let _ = writeln!(
                svg,
                "<path d='M{:.0} 38v12' stroke='#cc0000' stroke-width='2'/><text x='{:.0}' y='48'>target</text>",
                x + 6.0,
                x + 14.0
            );
        }
        for decade in scale.from..=scale.to {
            let x = scale.x(10_f64.powi(decade));
            let _ = writeln!(
                svg,
                "<path d='M{x:.1} {:.0}V{bottom:.1}' stroke='#dddddd'/>\
                 <text x='{x:.1}' y='{:.1}' text-anchor='middle'>{}</text>",
                TOP - 8.0,
                bottom + 12.0,
                short(10_f64.powi(decade))
            );
        }
        let axis = escape(self.axis);
        let _ = writeln!(
            svg,
            "<text x='{LEFT}' y='{:.1}' font-size='11'>{axis}</text>",
            bottom + 28.0
        );
        svg + bars + "</svg>\n"
    }
}

/// Whole decades that hold all values.
struct Scale {
    from: i32,
    to: i32,
}

impl Scale {
    fn of(plot: &Plot<'_>) -> Self {
        let values = plot
            .groups
            .iter()
            .flat_map(|group| group.values.iter().copied().chain([group.target]));
        let logs = values
            .flatten()
            .filter(|value| *value > 0.0)
            .map(f64::log10);
        let (least, most) = logs.fold((f64::MAX, f64::MIN), |(least, most), log| {
            (least.min(log), most.max(log))
        });
        let from = if least == f64::MAX {
            0
        } else {
            least.floor() as i32
        };
        Self {
            from,
            to: (most.ceil() as i32).max(from + 1),
        }
    }

    fn x(&self, value: f64) -> f64 {
        let share = (value.log10() - f64::from(self.from)) / f64::from(self.to - self.from);
        LEFT + share.clamp(0.0, 1.0) * (RIGHT - LEFT)
    }
}

/// Three digits, and thousands in words.
pub(crate) fn short(value: f64) -> String {
    match value {
        1e9.. => format!("{:.3}G", value / 1e9),
        1e6.. => format!("{:.1}M", value / 1e6),
        1e4.. => format!("{:.0}k", value / 1e3),
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        0.1.. => format!("{value:.2}"),
        0.0 => "0".into(),
        _ => format!("{value:.4}"),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_the_logarithm_of_its_value() {
        let scale = Scale { from: -2, to: 0 };
        assert_eq!((scale.x(0.01), scale.x(1.0)), (LEFT, RIGHT));
        assert!((scale.x(0.1) - (LEFT + RIGHT) / 2.0).abs() < 1e-6);
        // What lies outside ends at the edge.
        assert_eq!(scale.x(0.0), LEFT);
    }

    #[test]
    fn a_plot_has_a_bar_for_each_value_and_its_names() {
        let plot = Plot {
            title: "a < b",
            axis: "us",
            series: vec!["one".into(), "two".into()],
            groups: vec![Group {
                label: "A".into(),
                values: vec![Some(0.02), None],
                target: Some(0.5),
            }],
        };
        let svg = plot.svg();
        assert!(svg.contains("a &lt; b") && svg.contains(">two<") && svg.contains(">target<"));
        assert_eq!(
            svg.matches("<rect").count(),
            1 + 2 + 1,
            "background, legend, one bar"
        );
    }
}
