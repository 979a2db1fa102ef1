//! A drawing as PNG, for where no SVG can be shown: two pixels to a unit, edges smoothed, letters from a font of eight by eight dots.

use std::io::{self, Write as _};

use flate2::{Compression, Crc, write::ZlibEncoder};
use font8x8::{BASIC_FONTS, GREEK_FONTS, LATIN_FONTS, UnicodeFonts as _};

use super::drawing::{Anchor, Colour, Drawing, INK, Mark, Place};

/// Pixels to a unit of the drawing.
const SCALE: f64 = 2.0;
/// Pixels to a dot of a letter, dots to a letter, and how many of them stand above the line.
const DOT: usize = 2;
const LETTER: usize = 8;
const ABOVE: usize = 7;
/// No plot is larger, in pixels on a side.
const LARGEST: f64 = 8192.0;

/// `drawing` as a file of its own.
pub(super) fn written(drawing: &Drawing) -> io::Result<Vec<u8>> {
    let mut canvas = Canvas::of(drawing);
    for mark in &drawing.marks {
        canvas.mark(mark);
    }
    canvas.encoded()
}

/// The pixels, row by row.
struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<Colour>,
}

/// A number of pixels, at least 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and the largest side"
)]
fn pixels(length: f64) -> usize {
    length.clamp(0.0, LARGEST) as usize
}

impl Canvas {
    fn of(drawing: &Drawing) -> Self {
        let side = |units: f64| pixels((units * SCALE).ceil()).max(1);
        let (width, height) = (side(drawing.width), side(drawing.height));
        Self {
            width,
            height,
            pixels: vec![[0xff; 3]; width * height],
        }
    }

    fn mark(&mut self, mark: &Mark) {
        match mark {
            Mark::Line {
                through,
                thickness,
                colour,
            } => {
                for pair in through.windows(2) {
                    self.stroke(pair[0], pair[1], thickness / 2.0, *colour);
                }
            }
            Mark::Dot { at, radius, colour } => self.stroke(*at, *at, *radius, *colour),
            Mark::Bar {
                at: (x, y),
                width,
                height,
                colour,
            } => {
                let [left, top, right, bottom] =
                    [*x, *y, x + width, y + height].map(|edge| pixels((edge * SCALE).round()));
                for row in top..bottom {
                    for column in left..right {
                        self.blend(column, row, *colour, 1.0);
                    }
                }
            }
            Mark::Text {
                at,
                anchor,
                climbs,
                text,
            } => self.text(*at, *anchor, *climbs, text),
        }
    }

    /// Everything that is no further than `reach` from the way between two places.
    fn stroke(&mut self, from: Place, to: Place, reach: f64, colour: Colour) {
        let [from, to] = [from, to].map(|(x, y)| (x * SCALE, y * SCALE));
        let reach = reach * SCALE;
        let span = |one: f64, other: f64| {
            let least = pixels((one.min(other) - reach - 1.0).floor());
            least..pixels((one.max(other) + reach + 2.0).ceil())
        };
        let along = (to.0 - from.0, to.1 - from.1);
        let length = along.0 * along.0 + along.1 * along.1;
        for row in span(from.1, to.1) {
            for column in span(from.0, to.0) {
                let (x, y) = (column as f64 + 0.5 - from.0, row as f64 + 0.5 - from.1);
                let part = if length > 0.0 {
                    ((x * along.0 + y * along.1) / length).clamp(0.0, 1.0)
                } else {
                    0.0
                };
                let apart = (x - part * along.0).hypot(y - part * along.1);
                self.blend(column, row, colour, (reach - apart + 0.5).clamp(0.0, 1.0));
            }
        }
    }

    /// Letters, each dot of them a square.
    fn text(&mut self, (x, y): Place, anchor: Anchor, climbs: bool, text: &str) {
        let letters: Vec<[u8; LETTER]> = text.chars().map(letter).collect();
        let length = (letters.len() * LETTER * DOT) as f64;
        let before = match anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => length / 2.0,
            Anchor::End => length,
        };
        let (x, y) = ((x * SCALE).round(), (y * SCALE).round());
        for (place, rows) in letters.iter().enumerate() {
            for (row, column) in dots() {
                if rows[row] >> column & 1 == 0 {
                    continue;
                }
                let along = ((place * LETTER + column) * DOT) as f64 - before;
                let down = (row * DOT) as f64 - (ABOVE * DOT) as f64;
                self.dot(
                    if climbs {
                        (x + down, y - along - DOT as f64)
                    } else {
                        (x + along, y + down)
                    },
                    INK,
                );
            }
        }
    }

    /// A dot of a letter, from its upper left corner in pixels.
    fn dot(&mut self, (x, y): Place, colour: Colour) {
        if x < 0.0 || y < 0.0 {
            return;
        }
        for row in pixels(y)..pixels(y) + DOT {
            for column in pixels(x)..pixels(x) + DOT {
                self.blend(column, row, colour, 1.0);
            }
        }
    }

    /// Covers a part of a pixel; what lies beyond the edges is nowhere.
    fn blend(&mut self, column: usize, row: usize, colour: Colour, part: f64) {
        if column >= self.width || row >= self.height {
            return;
        }
        if let Some(pixel) = self.pixels.get_mut(row * self.width + column) {
            for (own, new) in pixel.iter_mut().zip(colour) {
                let mixed = f64::from(*own) * (1.0 - part) + f64::from(new) * part;
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "between two bytes"
                )]
                let mixed = mixed.round() as u8;
                *own = mixed;
            }
        }
    }

    fn encoded(&self) -> io::Result<Vec<u8>> {
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
        for row in self.pixels.chunks(self.width) {
            // Rows as they are, without a filter.
            packed.write_all(&[0])?;
            packed.write_all(row.as_flattened())?;
        }
        let packed = packed.finish()?;
        let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX).to_be_bytes();
        let mut header = [side(self.width), side(self.height)].concat();
        // Eight bits of red, green and blue each; the only ways there are to pack and to filter; not interlaced.
        header.extend([8, 2, 0, 0, 0]);
        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        chunk(&mut file, *b"IHDR", &header);
        chunk(&mut file, *b"IDAT", &packed);
        chunk(&mut file, *b"IEND", &[]);
        Ok(file)
    }
}

fn chunk(file: &mut Vec<u8>, kind: [u8; 4], content: &[u8]) {
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
    let mut sum = Crc::new();
    sum.update(&kind);
    sum.update(content);
    file.extend(length.to_be_bytes());
    file.extend(kind);
    file.extend(content);
    file.extend(sum.sum().to_be_bytes());
}

/// The rows and columns of a letter.
fn dots() -> impl Iterator<Item = (usize, usize)> {
    (0..LETTER).flat_map(|row| (0..LETTER).map(move |column| (row, column)))
}

/// The rows of a letter, each from its lowest bit on; a question mark for one that the font lacks.
fn letter(letter: char) -> [u8; LETTER] {
    let found = BASIC_FONTS
        .get(letter)
        .or_else(|| LATIN_FONTS.get(letter))
        .or_else(|| GREEK_FONTS.get(letter))
        .or_else(|| BASIC_FONTS.get('?'));
    found.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::ZlibDecoder;

    use super::*;

    fn drawing(marks: Vec<Mark>) -> Drawing {
        Drawing {
            width: 40.0,
            height: 30.0,
            marks,
        }
    }

    /// Reads width, height and the pixels of a file.
    fn read(file: &[u8]) -> (u32, u32, Vec<u8>) {
        assert_eq!(&file[..8], b"\x89PNG\r\n\x1a\n");
        let number = |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().unwrap());
        let (width, height) = (number(16), number(20));
        let length = number(33) as usize;
        assert_eq!(&file[37..41], b"IDAT");
        let mut pixels = Vec::new();
        let mut packed = ZlibDecoder::new(&file[41..41 + length]);
        packed.read_to_end(&mut pixels).unwrap();
        assert_eq!(pixels.len(), (height * (1 + 3 * width)) as usize);
        (width, height, pixels)
    }

    fn dark(marks: Vec<Mark>) -> usize {
        let (.., pixels) = read(&written(&drawing(marks)).unwrap());
        pixels
            .iter()
            .filter(|byte| (1..0x80).contains(*byte))
            .count()
    }

    fn text(text: &str, climbs: bool) -> Mark {
        Mark::Text {
            at: (20.0, 15.0),
            anchor: Anchor::Middle,
            climbs,
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_file_has_two_pixels_to_a_unit_and_what_is_in_the_drawing() {
        let (width, height, _) = read(&written(&drawing(Vec::new())).unwrap());
        assert_eq!((width, height), (80, 60));
        assert_eq!(dark(Vec::new()), 0);
        let bar = Mark::Bar {
            at: (10.0, 10.0),
            width: 5.0,
            height: 2.0,
            colour: INK,
        };
        assert_eq!(dark(vec![bar]), 3 * 10 * 4);
        assert!(dark(vec![text("Ab", false)]) > 100);
        let climbing = dark(vec![text("Ab", true)]);
        assert_eq!(dark(vec![text("Ab", false)]), climbing);
    }

    #[test]
    fn what_lies_beyond_the_edges_or_has_no_letter_does_no_harm() {
        let line = Mark::Line {
            through: vec![(-1e9, -5.0), (1e9, 50.0), (f64::NAN, 3.0)],
            thickness: 2.0,
            colour: INK,
        };
        let _ = dark(vec![line, text(&"wide ".repeat(400), true)]);
        assert_eq!(letter('\u{1F600}'), letter('?'));
        assert_ne!(letter('é'), letter('?'));
    }
}
