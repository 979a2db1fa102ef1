//! Plots of reports, as SVG and as PNG.

mod drawing;
mod png;
mod svg;

use std::{fs, io, path::Path};

use foretide_training::{Importance, report::Report};

use self::drawing::{Anchor, COLOURS, DIAGONAL, Drawing, GRID, Mark, Place};

/// The side of the square that a curve is drawn in, and what is left around it for words.
const SIDE: f64 = 420.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 46.0;

/// How many columns an importance plot shows, how wide a letter of their names is, and how many letters there may be.
const NAMED: usize = 20;
const LETTER: f64 = 8.0;
const LETTERS: usize = 60;

/// Writes `roc`, `calibration` and `importance-KIND`, each as `.svg` and `.png`, into `folder`, which is made if it is not there.
pub(super) fn draw(reports: &[Report], folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut plots = vec![
        ("roc".to_owned(), roc(reports)),
        ("calibration".to_owned(), calibration(reports)),
    ];
    for report in reports {
        let kind = report.kind.as_str();
        let drawn = importance(&report.importance, kind);
        plots.push((format!("importance-{kind}"), drawn));
    }
    for (name, drawing) in plots {
        fs::write(folder.join(format!("{name}.svg")), svg::written(&drawing))?;
        fs::write(folder.join(format!("{name}.png")), png::written(&drawing)?)?;
    }
    Ok(())
}

fn roc(reports: &[Report]) -> Drawing {
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

fn calibration(reports: &[Report]) -> Drawing {
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
) -> Drawing {
    let at = |across: f64, up: f64| (LEFT + across * SIDE, TOP + (1.0 - up) * SIDE);
    let by = |(x, y): Place, right: f64, down: f64| (x + right, y + down);
    let mut drawing = Drawing {
        width: LEFT + SIDE + 30.0,
        height: TOP + SIDE + 60.0,
        marks: Vec::new(),
    };
    for tick in 0..=5 {
        let share = f64::from(tick) / 5.0;
        let number = format!("{share:.1}");
        drawing.line(at(share, 0.0), at(share, 1.0), GRID);
        drawing.line(at(0.0, share), at(1.0, share), GRID);
        drawing.text(by(at(share, 0.0), 0.0, 18.0), Anchor::Middle, &number);
        drawing.text(by(at(0.0, share), -8.0, 4.0), Anchor::End, &number);
    }
    drawing.line(at(0.0, 0.0), at(1.0, 1.0), DIAGONAL);
    for (place, (name, points)) in curves.enumerate() {
        let colour = COLOURS[place % COLOURS.len()];
        let through: Vec<Place> = points.iter().map(|(across, up)| at(*across, *up)).collect();
        let dots = through.iter().filter(|_| with_dots).map(|at| Mark::Dot {
            at: *at,
            radius: 3.5,
            colour,
        });
        let dots: Vec<Mark> = dots.collect();
        drawing.marks.push(Mark::Line {
            through,
            thickness: 2.0,
            colour,
        });
        drawing.marks.extend(dots);
        let row = -16.0 - 20.0 * place as f64;
        let [from, to] = [0.52, 0.57].map(|across| by(at(across, 0.0), 0.0, row - 4.0));
        drawing.line(from, to, colour);
        drawing.text(by(at(0.59, 0.0), 0.0, row), Anchor::Start, &name);
    }
    drawing.text(by(at(0.5, 0.0), 0.0, 42.0), Anchor::Middle, across);
    drawing.marks.push(Mark::Text {
        at: by(at(0.0, 0.5), -46.0, 0.0),
        anchor: Anchor::Middle,
        climbs: true,
        text: up.to_owned(),
    });
    drawing.text(by(at(0.5, 1.0), 0.0, -18.0), Anchor::Middle, title);
    drawing
}

fn importance(importance: &[Importance], kind: &str) -> Drawing {
    let shown: Vec<&Importance> = importance
        .iter()
        .filter(|column| column.share > 0.0)
        .take(NAMED)
        .collect();
    let names: Vec<String> = shown
        .iter()
        .map(|column| shortened(&column.column))
        .collect();
    let most = shown.first().map_or(1.0, |column| column.share);
    let longest = names.iter().map(|name| name.chars().count()).max();
    let left = 20.0 + LETTER * longest.unwrap_or(0) as f64;
    let mut drawing = Drawing {
        width: left + SIDE + 80.0,
        height: TOP + 24.0 * shown.len() as f64 + 20.0,
        marks: Vec::new(),
    };
    let title = format!("What the {kind} model rests on: shares of the columns");
    drawing.text((left, TOP - 18.0), Anchor::Start, &title);
    for (place, (column, name)) in shown.iter().zip(&names).enumerate() {
        let y = TOP + 24.0 * place as f64;
        let width = column.share / most * SIDE;
        drawing.marks.push(Mark::Bar {
            at: (left, y),
            width,
            height: 17.0,
            colour: COLOURS[0],
        });
        drawing.text((left - 8.0, y + 13.0), Anchor::End, name);
        let share = format!("{:.1} %", column.share * 100.0);
        drawing.text((left + width + 6.0, y + 13.0), Anchor::Start, &share);
    }
    drawing
}

/// The name of a column, and of a very long one its beginning.
fn shortened(name: &str) -> String {
    if name.chars().count() <= LETTERS {
        return name.to_owned();
    }
    let beginning: String = name.chars().take(LETTERS - 3).collect();
    format!("{beginning}...")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str) -> Importance {
        Importance {
            column: name.to_owned(),
            share: 1.0,
        }
    }

    #[test]
    fn names_of_columns_cannot_break_out_of_the_plot() {
        let plot = svg::written(&importance(&[column("<script>&\u{0}")], "boosted"));
        assert!(plot.contains("&lt;script&gt;&amp; ") && !plot.contains("<script>"));
        let long = importance(&[column(&"long ".repeat(10_000))], "boosted");
        assert!(long.width < 1_200.0);
    }

    #[test]
    fn nothing_to_show_is_an_empty_plot() {
        let empty = importance(&[], "boosted");
        assert!(svg::written(&empty).starts_with("<svg"));
        assert!(png::written(&empty).unwrap().starts_with(b"\x89PNG"));
    }
}
