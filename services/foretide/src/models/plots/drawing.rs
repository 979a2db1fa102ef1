//! What a plot consists of, whatever it is written as.

/// A colour: red, green, blue.
pub(super) type Colour = [u8; 3];

/// A colour for each kind, apart for people who see no red or green, too.
pub(super) const COLOURS: [Colour; 2] = [[0x00, 0x72, 0xb2], [0xd5, 0x5e, 0x00]];
pub(super) const INK: Colour = [0x22, 0x22, 0x22];
pub(super) const DIAGONAL: Colour = [0x99, 0x99, 0x99];
pub(super) const GRID: Colour = [0xe4, 0xe4, 0xe4];

/// Which part of a text lies at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A place: how far from the left, and how far from the top.
pub(super) type Place = (f64, f64);

/// A part of a plot.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mark {
    /// A line through places.
    Line {
        through: Vec<Place>,
        thickness: f64,
        colour: Colour,
    },
    Dot {
        at: Place,
        radius: f64,
        colour: Colour,
    },
    /// A rectangle, from its upper left corner.
    Bar {
        at: Place,
        width: f64,
        height: f64,
        colour: Colour,
    },
    /// The place is on the line that the letters stand on. A text that climbs is read from below.
    Text {
        at: Place,
        anchor: Anchor,
        climbs: bool,
        text: String,
    },
}

/// A plot: its size, and its parts, the later ones on top.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Drawing {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) marks: Vec<Mark>,
}

impl Drawing {
    pub(super) fn line(&mut self, from: Place, to: Place, colour: Colour) {
        self.marks.push(Mark::Line {
            through: vec![from, to],
            thickness: 1.0,
            colour,
        });
    }

    pub(super) fn text(&mut self, at: Place, anchor: Anchor, text: &str) {
        self.marks.push(Mark::Text {
            at,
            anchor,
            climbs: false,
            text: text.to_owned(),
        });
    }
}
