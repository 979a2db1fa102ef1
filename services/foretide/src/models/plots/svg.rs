//! A drawing as SVG: text that any browser shows.

use std::fmt::Write as _;

use super::drawing::{Anchor, Colour, Drawing, INK, Mark};

/// `drawing` as a file of its own.
pub(super) fn written(drawing: &Drawing) -> String {
    let Drawing { width, height, .. } = drawing;
    let mut page = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"sans-serif\" font-size=\"13\" fill=\"{}\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
        named(INK)
    );
    for own in &drawing.marks {
        mark(&mut page, own);
    }
    page.push_str("</svg>\n");
    page
}

fn mark(page: &mut String, mark: &Mark) {
    let _ = match mark {
        Mark::Line {
            through,
            thickness,
            colour,
        } => {
            let places: Vec<String> = through
                .iter()
                .map(|(x, y)| format!("{x:.1},{y:.1}"))
                .collect();
            writeln!(
                page,
                r#"<polyline points="{}" fill="none" stroke="{}" stroke-width="{thickness}"/>"#,
                places.join(" "),
                named(*colour)
            )
        }
        Mark::Dot {
            at: (x, y),
            radius,
            colour,
        } => writeln!(
            page,
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="{radius}" fill="{}"/>"#,
            named(*colour)
        ),
        Mark::Bar {
            at: (x, y),
            width,
            height,
            colour,
        } => writeln!(
            page,
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{}"/>"#,
            named(*colour)
        ),
        Mark::Text {
            at: (x, y),
            anchor,
            climbs,
            text,
        } => {
            let anchor = match anchor {
                Anchor::Start => "start",
                Anchor::Middle => "middle",
                Anchor::End => "end",
            };
            let turned = if *climbs {
                format!(r#" transform="rotate(-90 {x:.1} {y:.1})""#)
            } else {
                String::new()
            };
            writeln!(
                page,
                r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}"{turned}>{}</text>"#,
                escaped(text)
            )
        }
    };
}

fn named([red, green, blue]: Colour) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
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
