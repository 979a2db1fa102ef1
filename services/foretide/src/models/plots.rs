//! Plots of reports, as SVG: text that any browser shows, and no library to build.

use std::{fmt::Write as _, fs, io, path::Path};

use foretide_training::{Importance, report::Report};

/// The side of the square that a curve is drawn in, and what is left around it for words.
const SIDE: f64 = 420.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 46.0;

/// A colour for each kind, apart for people who see no red or green, too.
const COLOURS: [&str; 2] = ["#0072b2", "#d55e00"];

/// How many columns an importance plot shows.
const NAMED: usize = 20;

/// Writes `roc.svg`, `calibration.svg` and `importance-KIND.svg` into `folder`, which is made if it is not there.
pub(super) fn draw(reports: &[Report], folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("roc.svg"), roc(reports))?;
    fs::write(folder.join("calibration.svg"), calibration(reports))?;
    for report in reports {
        let name = format!("importance-{}.svg", report.kind.as_str());
        fs::write(
            folder.join(name),
            importance(&report.importance, report.kind.as_str()),
        )?;
    }
    Ok(())
}

fn roc(reports: &[Report]) -> String {
    let curves = reports.iter().map(|report| {
        let points = report
            .roc
            .iter()
            .map(|point| (point.false_positives, point.true_positives));
        let name = format!("{}: AUC {:.4}", report.kind.as_str(), report.test_auc);
        (name, points.collect())
    });
    square(
        "ROC on rows never seen",
        "share of the negative",
        "share of the positive",
        curves,
        false,
    )
}

fn calibration(reports: &[Report]) -> String {
    let curves = reports.iter().map(|report| {
        let points = report
            .calibration_curve
            .iter()
            .map(|bin| (bin.predicted, bin.observed));
        let name = format!("{}: error {:.4}", report.kind.as_str(), report.test_ece);
        (name, points.collect())
    });
    square(
        "Calibration on rows never seen",
        "predicted probability",
        "observed share",
        curves,
        true,
    )
}

/// Curves over the unit square, with its diagonal.
fn square(
    title: &str,
    across: &str,
    up: &str,
    curves: impl Iterator<Item = (String, Vec<(f64, f64)>)>,
    with_dots: bool,
) -> String {
    let (x, y) = (
        |share: f64| LEFT + share * SIDE,
        |share: f64| TOP + (1.0 - share) * SIDE,
    );
    let mut body = String::new();
    for tick in 0..=5 {
        let share = f64::from(tick) / 5.0;
        line(&mut body, [x(share), y(0.0), x(share), y(1.0)], "#e4e4e4");
        line(&mut body, [x(0.0), y(share), x(1.0), y(share)], "#e4e4e4");
        text(
            &mut body,
            x(share),
            y(0.0) + 18.0,
            "middle",
            &format!("{share:.1}"),
        );
        text(
            &mut body,
            x(0.0) - 8.0,
            y(share) + 4.0,
            "end",
            &format!("{share:.1}"),
        );
    }
    line(&mut body, [x(0.0), y(0.0), x(1.0), y(1.0)], "#999999");
    for (place, (name, points)) in curves.enumerate() {
        let colour = COLOURS[place % COLOURS.len()];
        let path: Vec<String> = points
            .iter()
            .map(|(across, up)| format!("{:.1},{:.1}", x(*across), y(*up)))
            .collect();
        let _ = writeln!(
            body,
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2"/>"#,
            path.join(" ")
        );
        for (across, up) in points.iter().filter(|_| with_dots) {
            let (x, y) = (x(*across), y(*up));
            let _ = writeln!(
                body,
                r#"<circle cx="{x:.1}" cy="{y:.1}" r="3.5" fill="{colour}"/>"#
            );
        }
        let row = y(0.0) - 16.0 - 20.0 * place as f64;
        line(&mut body, [x(0.52), row - 4.0, x(0.57), row - 4.0], colour);
        text(&mut body, x(0.59), row, "start", &name);
    }
    text(&mut body, x(0.5), y(0.0) + 42.0, "middle", across);
    let (middle, edge) = (y(0.5), x(0.0) - 46.0);
    let _ = writeln!(
        body,
        r#"<text x="{edge}" y="{middle}" text-anchor="middle" transform="rotate(-90 {edge} {middle})">{}</text>"#,
        escaped(up)
    );
    text(&mut body, x(0.5), TOP - 18.0, "middle", title);
    page(LEFT + SIDE + 30.0, TOP + SIDE + 60.0, &body)
}

fn importance(importance: &[Importance], kind: &str) -> String {
    let shown: Vec<&Importance> = importance
        .iter()
        .filter(|column| column.share > 0.0)
        .take(NAMED)
        .collect();
    let most = shown.first().map_or(1.0, |column| column.share);
    let longest = shown
        .iter()
        .map(|column| column.column.chars().count())
        .max()
        .unwrap_or(0);
    let left = 20.0 + 7.5 * longest as f64;
    let mut body = String::new();
    text(
        &mut body,
        left,
        TOP - 18.0,
        "start",
        &format!("What the {kind} model rests on: shares of the columns"),
    );
    for (place, column) in shown.iter().enumerate() {
        let y = TOP + 24.0 * place as f64;
        let width = column.share / most * SIDE;
        let _ = writeln!(
            body,
            r#"<rect x="{left:.1}" y="{y:.1}" width="{width:.1}" height="17" fill="{}"/>"#,
            COLOURS[0]
        );
        text(&mut body, left - 8.0, y + 13.0, "end", &column.column);
        let share = format!("{:.1} %", column.share * 100.0);
        text(&mut body, left + width + 6.0, y + 13.0, "start", &share);
    }
    page(
        left + SIDE + 80.0,
        TOP + 24.0 * shown.len() as f64 + 20.0,
        &body,
    )
}

fn page(width: f64, height: f64, body: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"sans-serif\" font-size=\"13\" fill=\"#222222\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{body}</svg>\n"
    )
}

fn line(body: &mut String, [x1, y1, x2, y2]: [f64; 4], colour: &str) {
    let _ = writeln!(
        body,
        r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke="{colour}"/>"#
    );
}

fn text(body: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let text = escaped(text);
    let _ = writeln!(
        body,
        r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#
    );
}

/// Text that means itself in XML: names of columns are anything.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_columns_cannot_break_out_of_the_plot() {
        let column = Importance {
            column: "<script>&\u{0}".to_owned(),
            share: 1.0,
        };
        let plot = importance(&[column], "boosted");
        assert!(plot.contains("&lt;script&gt;&amp; ") && !plot.contains("<script>"));
    }

    #[test]
    fn nothing_to_show_is_an_empty_plot() {
        assert!(importance(&[], "boosted").starts_with("<svg"));
    }
}
