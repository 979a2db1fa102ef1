//! The frame that is written: its columns, what it says of itself, and its rows in the order asked for.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};
use foretide_events::EpochMs;
use foretide_features::{FeatureSpec, FoldRules, schema_id};
use foretide_frame::{Cell, Column, Format, FrameWriter, Kind};
use foretide_ports::References;
use foretide_processor::frames::Framed;
use foretide_runtime::CancellationToken;
use serde_json::{Value, json};

use super::{
    Row,
    asked::{Asked, Events},
    cells,
    draft::Draft,
    frame_error,
    rows::{Known, Rows},
};
use crate::progress::Meter;

/// The columns beside the features and those that are carried through.
pub(super) const OWN_COLUMNS: [&str; 5] = [
    "shopper_id",
    "event_timestamp",
    "status",
    "as_of",
    "reference",
];

/// The words of `/get-online-features`.
const PRESENT: &str = "PRESENT";
const NOT_FOUND: &str = "NOT_FOUND";
/// How often it is shown how far the writing is, in rows.
const SHOWN_EVERY: u64 = 1000;

/// A frame to be written.
pub(super) struct Table<'a> {
    pub(super) format: Format,
    pub(super) features: &'a [&'static FeatureSpec],
    pub(super) rules: &'a FoldRules,
    pub(super) references: &'a References,
    pub(super) framed: &'a Framed,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) rows: u64,
    /// Rows of shoppers of whom nothing was known.
    pub(super) not_found: u64,
    pub(super) bytes: u64,
}

type Writer = FrameWriter<std::fs::File>;

impl Table<'_> {
    /// Writes all rows to `draft` and gives it its name.
    pub(super) fn write(
        &self,
        asked: &Asked,
        rows: &Rows,
        draft: Draft,
        stop: &CancellationToken,
    ) -> anyhow::Result<Written> {
        let (columns, metadata) = (self.columns(asked), self.metadata(asked));
        let writer = FrameWriter::new(self.format, draft.file()?, &columns, &metadata);
        let writer = writer.map_err(frame_error).context("beginning the frame")?;
        let mut written = Written {
            rows: 0,
            not_found: 0,
            bytes: 0,
        };
        let mut writing = Writing {
            table: self,
            writer,
            rows,
            stop,
            meter: Meter::new("{bar:30} {percent}%  {msg}"),
            written: &mut written,
            total: match asked {
                Asked::Everyone(_) => rows.known(),
                Asked::Events(events) => events.rows.len() as u64,
            },
        };
        match asked {
            Asked::Everyone(at) => writing.everyone(*at)?,
            Asked::Events(events) => writing.events(events)?,
        }
        let Writing { writer, .. } = writing;
        writer
            .finish()
            .map_err(frame_error)
            .context("ending the frame")?;
        written.bytes = draft.finish()?;
        Ok(written)
    }

    fn columns(&self, asked: &Asked) -> Vec<Column> {
        let [shopper, at, status, as_of, reference] = OWN_COLUMNS;
        let mut columns = vec![
            Column::of(shopper, Kind::Text),
            Column::of(at, Kind::Instant),
        ];
        if let Asked::Events(events) = asked {
            let carried = events.list.carried().zip(&events.kinds);
            columns.extend(carried.map(|(name, kind)| Column::of(name, self.carried(*kind))));
        }
        columns.extend([
            Column::of(status, Kind::Text),
            Column::of(as_of, Kind::Instant),
            Column::of(reference, Kind::Text),
        ]);
        let features = self.features.iter();
        columns.extend(features.map(|spec| Column::of(spec.name, Kind::Number)));
        columns
    }

    /// As what a column of `kind` is carried through: between two files of text to the letter.
    fn carried(&self, kind: Kind) -> Kind {
        match self.format {
            Format::Csv => Kind::Text,
            Format::Parquet | Format::Ndjson => kind,
        }
    }

    /// What the file says of itself.
    fn metadata(&self, asked: &Asked) -> Vec<(String, String)> {
        let features: Vec<Value> = self
            .features
            .iter()
            .map(|spec| self.describe(spec))
            .collect();
        [
            ("schema", json!(schema_id())),
            ("fold_rules", json!(self.rules.version())),
            ("references", json!(self.versions(asked))),
            ("features", json!(features)),
            ("log_ends", json!(self.framed.ends)),
            ("log_missing", json!(self.framed.missing)),
        ]
        .into_iter()
        .map(|(name, value)| {
            // A text stands for itself.
            let text = value.as_str().map(str::to_owned);
            (
                format!("foretide.{name}"),
                text.unwrap_or_else(|| value.to_string()),
            )
        })
        .collect()
    }

    fn describe(&self, spec: &FeatureSpec) -> Value {
        let bound = |bound: f64| bound.is_finite().then_some(bound);
        let nature = &spec.nature;
        json!({
            "name": spec.name,
            "meaning": spec.meaning,
            "unit": spec.unit.as_str(),
            "formula": spec.formula,
            "min": bound(spec.min),
            "max": bound(spec.max),
            "half_life": nature.half_life.map(foretide_features::HalfLife::in_words),
            "max_age_ms": nature.time_to_live.ms(self.rules),
            "uses_reference": nature.uses_reference,
        })
    }

    /// The versions of the reference that the rows go by.
    pub(super) fn versions(&self, asked: &Asked) -> BTreeSet<String> {
        let version = |at: &EpochMs| self.references.at(*at).version().to_owned();
        match asked {
            Asked::Everyone(at) => [version(at)].into(),
            Asked::Events(events) => events.rows.iter().map(|(_, at)| version(at)).collect(),
        }
    }
}

/// A frame that is being written.
struct Writing<'a> {
    table: &'a Table<'a>,
    writer: Writer,
    rows: &'a Rows,
    stop: &'a CancellationToken,
    meter: Meter,
    written: &'a mut Written,
    total: u64,
}

impl Writing<'_> {
    fn everyone(&mut self, at: EpochMs) -> anyhow::Result<()> {
        for (shopper, row) in self.rows.by_shopper() {
            self.row(row, (shopper, at), &[])?;
        }
        Ok(())
    }

    fn events(&mut self, events: &Events) -> anyhow::Result<()> {
        let changed = "the file of --at changed while it was used: run it again";
        let kinds = events.kinds.iter().map(|kind| self.table.carried(*kind));
        let kinds: Vec<_> = kinds.collect();
        events.list.for_each(|number, record| {
            let place = usize::try_from(number)?;
            let row = *events.rows.get(place).context(changed)?;
            let fields = events.list.carried_fields(record).zip(&kinds);
            let carried: Vec<_> = fields
                .map(|(field, kind)| cells::cell(*kind, field))
                .collect();
            self.row(number, row, &carried)
        })?;
        if self.written.rows != events.rows.len() as u64 {
            bail!(changed);
        }
        Ok(())
    }

    /// Writes the row with this number, of a shopper at an instant, with the cells that are carried through.
    fn row(&mut self, number: u64, (shopper, at): Row, carried: &[Cell<'_>]) -> anyhow::Result<()> {
        if self.written.rows.is_multiple_of(SHOWN_EVERY) {
            self.show()?;
        }
        let known = self
            .rows
            .get(number)
            .context("reading back what was folded")?;
        let (shopper, reference) = (shopper.to_string(), self.table.references.at(at));
        let mut cells = vec![Cell::Text(&shopper), Cell::Instant(at)];
        cells.extend(carried);
        match &known {
            Some(Known { as_of, .. }) => {
                cells.extend([Cell::Text(PRESENT), Cell::Instant(*as_of)]);
            }
            None => cells.extend([Cell::Text(NOT_FOUND), Cell::Missing]),
        }
        cells.push(Cell::Text(reference.version()));
        match &known {
            Some(Known { values, .. }) => {
                let cell = |value: &Option<f64>| value.map_or(Cell::Missing, Cell::Number);
                cells.extend(values.iter().map(cell));
            }
            None => cells.extend(self.table.features.iter().map(|_| Cell::Missing)),
        }
        self.writer
            .row(&cells)
            .map_err(frame_error)
            .context("writing a row")?;
        self.written.rows += 1;
        self.written.not_found += u64::from(known.is_none());
        Ok(())
    }

    fn show(&self) -> anyhow::Result<()> {
        if self.stop.is_cancelled() {
            bail!("asked to end before all rows were written: there is no file");
        }
        let (done, total) = (self.written.rows, self.total);
        self.meter.show(done, Some(total), || {
            format!("{done} of {total} rows written")
        });
        Ok(())
    }
}
