//! What is held of the stream to learn from, and whose.
//!
//! A window holds a bounded number of points. In a large shop these would be those of a few days, and what becomes of a point is
//! certain only a week later: nothing could be learnt. So where a full window does not go back far enough, it holds the points of
//! half of the shoppers, by a hash, and is read once more from the log. The same where decisions have been let go that bear on
//! many of its points. Of each target are held the points, and the decisions, of its own shoppers.

use bytes::Bytes;
use foretide_events::EpochMs;
use foretide_features::Feature;
use foretide_models::{Target, example::Example};
use foretide_ports::shopper_key;
use foretide_training::window::{Decided, DriftRule, Rows, Taken, Window, WindowSettings};
use parking_lot::Mutex;
use xxhash_rust::xxh3::xxh3_64;

/// Of one in 2^30 shoppers, at the least.
const THINNEST: u32 = 30;
/// The window counts as full from this share of the most points on.
const FULL: f64 = 0.9;
/// Where of more than this share of the points of a full window it is not certain what became of them, it does not go back far enough:
/// points have to be learnt from, then as much time has to pass as it takes until a label is certain, and others have to judge.
const UNCERTAIN_AT_MOST: f64 = 0.25;
/// Where decisions have been let go that bear on more than this share of the points, too many are held of too many shoppers.
const UNKNOWN_AT_MOST: f64 = 0.25;

/// What is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Examples,
    Decisions,
}

/// A window that is filled by those who follow the log, and looked at by who trains.
#[derive(Debug)]
pub(super) struct Learning {
    inner: Mutex<Inner>,
    /// When a shopper drifts where nearly nobody has any of the measure that is usual; `None` where the measure is settled.
    other: Option<DriftRule>,
}

#[derive(Debug)]
struct Inner {
    window: Window,
    thinning: Thinning,
    /// Raised each time that everything is to be read once more.
    reading: u32,
    /// Raised each time that all is to be read that is on the log by then.
    asked: u32,
    has_examples: bool,
    has_decisions: bool,
}

/// From this share of the points without enough of the measure on it tells nothing of the shop.
const HARDLY_ANY: f64 = 0.95;
/// How many points have to be held before that is judged.
const ENOUGH_TO_JUDGE: usize = 200;

/// Of how many shoppers points are held: of one in 2^n.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Thinning {
    drift: u32,
    abandonment: u32,
}

impl Thinning {
    /// With the exponents of both targets.
    pub(super) fn of(exponent: impl Fn(Target) -> u32) -> Self {
        Self {
            drift: exponent(Target::Drift).min(THINNEST),
            abandonment: exponent(Target::Abandonment).min(THINNEST),
        }
    }

    /// The exponent of `target`.
    pub(super) fn exponent(self, target: Target) -> u32 {
        match target {
            Target::Drift => self.drift,
            Target::Abandonment => self.abandonment,
        }
    }

    /// Whether the points of `target` are held of the shopper whose records have this key.
    fn keeps(self, target: Target, key: &[u8]) -> bool {
        xxh3_64(key).leading_zeros() >= self.exponent(target)
    }

    /// Whether anything is held of the shopper whose records have this key.
    pub(super) fn keeps_any(self, key: &[u8]) -> bool {
        Target::ALL
            .into_iter()
            .any(|target| self.keeps(target, key))
    }

    fn thinner(&mut self, target: Target) {
        let exponent = match target {
            Target::Drift => &mut self.drift,
            Target::Abandonment => &mut self.abandonment,
        };
        *exponent = (*exponent + 1).min(THINNEST);
    }
}

impl Learning {
    /// An empty window. Drift is measured by the `other` rule where nearly nobody has any of the measure of `settings`.
    pub(super) fn new(settings: WindowSettings, other: Option<DriftRule>) -> Self {
        Self {
            inner: Mutex::new(Inner {
                window: Window::new(settings),
                thinning: Thinning::default(),
                reading: 1,
                asked: 1,
                has_examples: false,
                has_decisions: false,
            }),
            other,
        }
    }

    /// Which reading of the log is the present one, and of whom it is.
    pub(super) fn reading(&self) -> (u32, Thinning) {
        let inner = self.inner.lock();
        (inner.reading, inner.thinning)
    }

    /// From now on holds the points of those whom `thinning` keeps, if that is another one: everything is read once more.
    pub(super) fn thin(&self, thinning: Thinning) {
        let mut inner = self.inner.lock();
        if inner.thinning != thinning {
            let settings = inner.window.settings().clone();
            inner.read_again(settings, thinning);
        }
    }

    /// Takes in examples of `partition` with the keys of their records. Returns how many of them changed something. Those of an
    /// earlier `reading` are passed over.
    pub(super) fn take(
        &self,
        reading: u32,
        partition: u32,
        examples: Vec<(Bytes, Example)>,
    ) -> u64 {
        let mut inner = self.inner.lock();
        if inner.reading != reading {
            return 0;
        }
        let thinning = inner.thinning;
        let mut changed = 0;
        for (key, example) in examples {
            if thinning.keeps(example.kind, &key) {
                let taken = inner.window.take(partition, example);
                changed += u64::from(matches!(taken, Taken::New | Taken::Revised));
                continue;
            }
            // A device that is kept must not seem to have gone away because its shopper is not kept.
            let (target, shopper) = (example.kind, example.shopper_id);
            let devices = example.point.map(|point| point.devices);
            for device in devices.into_iter().flatten() {
                if thinning.keeps(target, &shopper_key(&device)) {
                    inner.window.belongs(target, device, shopper);
                }
            }
        }
        changed
    }

    /// Takes in decisions.
    pub(super) fn decided(&self, reading: u32, decisions: &[Decided]) {
        let mut inner = self.inner.lock();
        if inner.reading != reading {
            return;
        }
        let thinning = inner.thinning;
        for decided in decisions {
            let (shopper, mut is_strange) = (&decided.shopper, false);
            let key = shopper_key(shopper);
            for target in Target::ALL {
                if thinning.keeps(target, &key) || inner.window.is_device(target, shopper) {
                    inner.window.decided_for(target, decided);
                } else {
                    is_strange = true;
                }
            }
            if is_strange {
                inner.window.decided_for_stranger(decided);
            }
        }
    }

    /// `stream` has been read to what was its end when that was asked for last.
    pub(super) fn has_read(&self, reading: u32, stream: Stream) {
        let mut inner = self.inner.lock();
        if inner.reading == reading {
            match stream {
                Stream::Examples => inner.has_examples = true,
                Stream::Decisions => inner.has_decisions = true,
            }
        }
    }

    /// Asks for all that is on the log now: until it has been read, the window is not complete.
    pub(super) fn ask(&self) {
        let mut inner = self.inner.lock();
        inner.asked += 1;
        inner.has_examples = false;
        inner.has_decisions = false;
    }

    /// How often it was asked.
    pub(super) fn asked(&self) -> u32 {
        self.inner.lock().asked
    }

    /// Whether both streams have been read.
    pub(super) fn is_complete(&self) -> bool {
        let inner = self.inner.lock();
        inner.has_examples && inner.has_decisions
    }

    /// How many points of `target` are held.
    pub(super) fn held(&self, target: Target) -> usize {
        self.inner.lock().window.held(target)
    }

    /// How long after a point of `target` what became of it is certain, in milliseconds.
    pub(super) fn certain_after_ms(&self, target: Target) -> i64 {
        self.inner.lock().window.certain_after_ms(target)
    }

    /// By what drift is measured.
    pub(super) fn measure(&self) -> Feature {
        self.inner.lock().window.settings().drift.measure
    }

    /// What may be learnt from at `now`; `None` where it turned out that another choice of points has to be held, which is read
    /// from the log first.
    pub(super) fn rows(&self, target: Target, now: EpochMs) -> Option<Rows> {
        let mut inner = self.inner.lock();
        let rows = inner.window.rows(target, now);
        let held = inner.window.held(target);
        let mut settings = inner.window.settings().clone();
        let mut thinning = inner.thinning;
        let share = |count: u64| count as f64 / held.max(1) as f64;
        let is_full = held as f64 >= FULL * settings.most_points as f64;
        let reaches_too_near = is_full && share(rows.left_out.uncertain) > UNCERTAIN_AT_MOST;
        let lacks_decisions =
            held >= ENOUGH_TO_JUDGE && share(rows.left_out.unknown_treatment) > UNKNOWN_AT_MOST;
        if reaches_too_near || lacks_decisions {
            thinning.thinner(target);
        }
        let says_nothing = held >= ENOUGH_TO_JUDGE && share(rows.left_out.inactive) > HARDLY_ANY;
        if let (Some(other), Target::Drift, true) = (self.other, target, says_nothing) {
            settings.drift = other;
        }
        if thinning == inner.thinning && settings == *inner.window.settings() {
            return Some(rows);
        }
        inner.read_again(settings, thinning);
        None
    }
}

impl Inner {
    fn read_again(&mut self, settings: WindowSettings, thinning: Thinning) {
        self.window = Window::new(settings);
        self.thinning = thinning;
        self.reading += 1;
        self.has_examples = false;
        self.has_decisions = false;
    }
}

#[cfg(test)]
mod tests;
