//! Curves as pictures, which can be read on white and on black.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{BY_COUNT, BY_SIZE};
use crate::figure::Figure;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
/// Where the curves lie: left, right, top and bottom.
const FRAME: [f64; 4] = [64.0, 540.0, 48.0, 344.0];

/// The same for a contender in each chart: of a middle brightness, and apart for those who see few colours.
fn colour(contender: &str) -> &'static str {
    match contender {
        "cloakroom-axum" => "#d1495b",
        "cloakroom-actix" => "#b07d12",
        "axum-session" => "#3f8f5f",
        "actix-session" => "#8a63b8",
        _ => "#2e86ab",
    }
}

const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#333}.title{font-size:15px;font-weight:600}\
    .grid{stroke:#888;stroke-opacity:.25}.line{fill:none;stroke-width:2}\
    @media(prefers-color-scheme:dark){text{fill:#ddd}}";

/// The points of each contender.
type Curves<'a> = BTreeMap<&'a str, Vec<(f64, f64)>>;

/// One chart for each backend, scenario and what grows: its file name, and its text.
pub fn charts(figures: &[Figure]) -> Vec<(String, String)> {
    let mut charts: BTreeMap<(&str, &str, &str), Curves<'_>> = BTreeMap::new();
    for figure in figures {
        let Some((scenario, point)) = figure.scenario.split_once(' ') else { continue };
        let Some((what, x)) = point.split_once('=') else { continue };
        let Ok(x) = x.parse() else { continue };
        let curves = charts.entry((what, &*figure.backend, scenario)).or_default();
        curves.entry(&*figure.contender).or_default().push((x, figure.value));
    }
    let draw = |((what, backend, scenario), curves): ((&str, &str, &str), Curves<'_>)| {
        let name = format!("{what}-{backend}-{}.svg", scenario.to_lowercase());
        (name, chart(what, backend, scenario, curves))
    };
    charts.into_iter().map(draw).collect()
}

fn chart(what: &str, backend: &str, scenario: &str, mut curves: Curves<'_>) -> String {
    let points = || curves.values().flatten();
    let x = Scale::over(points().map(|point| point.0), FRAME[0], FRAME[1]);
    let y = Scale::over(points().map(|point| point.1), FRAME[3], FRAME[2]);
    let does = match scenario {
        "S3" => "reads a value",
        "S4" => "reads and writes a value",
        _ => "asks",
    };
    let grows = match what {
        BY_COUNT => "sessions in the store",
        BY_SIZE => "bytes in a session",
        other => other,
    };
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n\
         <title>Processor time of a request that {does}, by {grows}, on {backend}</title>\n\
         <style>{STYLE}</style>\n\
         <text class=\"title\" x=\"{}\" y=\"24\">A request that {does}, on {backend}: µs of processor time (logarithmic)</text>\n",
        FRAME[0]
    );
    for tick in x.ticks() {
        let at = x.at(tick);
        line(&mut text, "grid", [at, FRAME[2], at, FRAME[3]]);
        label(&mut text, "middle", at, FRAME[3] + 20.0, &short(tick));
    }
    for tick in y.ticks() {
        let at = y.at(tick);
        line(&mut text, "grid", [FRAME[0], at, FRAME[1], at]);
        label(&mut text, "end", FRAME[0] - 8.0, at + 4.0, &short(tick));
    }
    label(&mut text, "middle", f64::midpoint(FRAME[0], FRAME[1]), FRAME[3] + 42.0, grows);
    // Names stand where their curves end, and not on one another.
    let mut names: Vec<(f64, &str, &str)> = Vec::new();
    for (contender, points) in &mut curves {
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        let colour = colour(contender);
        let places: Vec<String> =
            points.iter().map(|(px, py)| format!("{:.1},{:.1}", x.at(*px), y.at(*py))).collect();
        let _ =
            writeln!(text, "<polyline class=\"line\" stroke=\"{colour}\" points=\"{}\"/>", places.join(" "));
        for (px, py) in &*points {
            let _ = writeln!(
                text,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
                x.at(*px),
                y.at(*py)
            );
        }
        names.push((points.last().map_or(0.0, |point| y.at(point.1)), contender, colour));
    }
    names.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut lowest = f64::MIN;
    for (wanted, name, colour) in names {
        lowest = wanted.max(lowest + 17.0);
        let _ = writeln!(
            text,
            "<circle cx=\"{}\" cy=\"{lowest:.1}\" r=\"4\" fill=\"{colour}\"/>",
            FRAME[1] + 16.0
        );
        label(&mut text, "start", FRAME[1] + 26.0, lowest + 4.0, name);
    }
    text.push_str("</svg>\n");
    text
}

fn line(text: &mut String, class: &str, [x1, y1, x2, y2]: [f64; 4]) {
    let _ = writeln!(
        text,
        "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
    );
}

fn label(text: &mut String, anchor: &str, x: f64, y: f64, what: &str) {
    let _ = writeln!(text, "<text text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{y:.1}\">{what}</text>");
}

/// A logarithmic scale.
struct Scale {
    least: f64,
    most: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// A scale that holds all of these, on the way between two places.
    fn over(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let positive = values.filter(|value| *value > 0.0).map(f64::ln);
        let (least, most) =
            positive.fold((f64::MAX, f64::MIN), |(least, most), value| (least.min(value), most.max(value)));
        let room = ((most - least) * 0.04).max(0.05);
        Self { least: least - room, most: most + room, from, to }
    }

    fn at(&self, value: f64) -> f64 {
        let part = (value.max(f64::MIN_POSITIVE).ln() - self.least) / (self.most - self.least);
        self.from + (self.to - self.from) * part
    }

    /// Powers of ten, with what lies between them where they are few.
    fn ticks(&self) -> Vec<f64> {
        let with = |steps: &[f64]| -> Vec<f64> {
            (-3..9)
                .flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)))
                .filter(|tick| (self.least..=self.most).contains(&tick.ln()))
                .collect()
        };
        [&[1.0][..], &[1.0, 3.0], &[1.0, 2.0, 5.0]]
            .into_iter()
            .map(with)
            .find(|ticks| ticks.len() >= 4)
            .unwrap_or_else(|| with(&[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]))
    }
}

fn short(number: f64) -> String {
    match number {
        million if million >= 1e6 => format!("{}M", million / 1e6),
        thousand if thousand >= 1e3 => format!("{}k", thousand / 1e3),
        number => format!("{}", (number * 1e3).round() / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::{Scale, charts, short};
    use crate::figure::Figure;

    #[test]
    fn a_chart_has_a_curve_for_each_contender() {
        let point = |who: &str, x: &str, y: f64| {
            Figure::of_rounds(
                "curves",
                [who, "redis", &format!("S3 sessions={x}")],
                "CPU a request",
                "us",
                &[y],
            )
        };
        let figures =
            [point("ours", "1000", 10.0), point("ours", "10000", 12.0), point("theirs", "1000", 20.0)];
        let charts = charts(&figures);
        assert_eq!(charts.len(), 1);
        let (name, text) = &charts[0];
        assert_eq!(name, "sessions-redis-s3.svg");
        assert_eq!(text.matches("<polyline").count(), 2);
        assert!(text.contains(">ours<") && text.contains(">theirs<") && !text.contains("NaN"));
    }

    #[test]
    fn a_scale_is_logarithmic_and_has_ticks() {
        let scale = Scale::over([1.0, 10_000.0].into_iter(), 0.0, 100.0);
        assert!((scale.at(100.0) - 50.0).abs() < 1e-9);
        assert_eq!(scale.ticks(), [1.0, 10.0, 100.0, 1000.0, 10_000.0]);
        assert!(Scale::over([5.0].into_iter(), 0.0, 1.0).at(5.0).is_finite());
        assert_eq!((short(1500.0), short(2e6), short(0.5)), ("1.5k".into(), "2M".into(), "0.5".into()));
    }
}
