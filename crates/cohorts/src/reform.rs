//! One re-forming: a candidate from samples and from what serves, and whether it may take over.

use foretide_events::{EpochMs, Text};

use crate::{
    Algorithm, Cohorts, Comparison, Measured, Method, Reforming, Refusal, Rows, Sample, Settings,
    SettingsError, Space, Trial, Verdict,
    assign::{nearest, squared_distance},
    candidate::{self, Formed},
    choose::Chooser,
    dbscan,
    identity::{Identities, Old, identify},
    quality::{Middles, measure},
    scaling,
};

/// Fewer shoppers in a sample than this tell nothing.
const FEWEST_SAMPLED: u64 = 40;
/// Fewer shoppers of the sample than this are no cohort, however many they stand for.
const FEWEST_TOGETHER: u64 = 5;
/// Cohorts whose middles are closer than this are at one place, in scaled units.
const ONE_PLACE: f64 = 1e-3;
/// How far a centroid may go, as a part of the way to the next one, to be damped: what goes farther is no jitter.
const JITTER: f64 = 0.5;

/// Forms cohorts anew.
#[derive(Clone, Debug)]
pub struct Reformer {
    settings: Settings,
    seed: u64,
}

/// What all steps of one re-forming know.
struct Context<'a> {
    rows: Rows,
    held_out: Rows,
    space: Space,
    /// What serves, and in which of its cohorts the shoppers of the sample are.
    serving: Option<(&'a Cohorts, Vec<u16>)>,
    /// Whether what serves is in the same space.
    same_space: bool,
    /// The fewest shoppers of the sample that a cohort may have.
    fewest: u64,
}

impl Reformer {
    /// With these settings; every draw is named by `seed`.
    pub fn new(settings: Settings, seed: u64) -> Result<Self, SettingsError> {
        settings.check()?;
        Ok(Self { settings, seed })
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Forms cohorts from `train`, which go on from those of `serving`, and compares both on `held_out`, which must hold other
    /// shoppers. They would serve from `since` on; the features were computed against `reference`.
    pub fn reform(
        &self,
        train: &Sample,
        held_out: &Sample,
        serving: Option<&Cohorts>,
        since: EpochMs,
        reference: &Text<64>,
    ) -> Reforming {
        let needed = (2 * self.settings.minimum_size).max(FEWEST_SAMPLED);
        let shoppers = train.shoppers();
        if shoppers < needed || (train.len() as u64) < FEWEST_SAMPLED || held_out.is_empty() {
            return Reforming::impossible(Refusal::TooFewShoppers { shoppers, needed });
        }
        let context = match self.context(train, held_out, serving) {
            Ok(context) => context,
            Err(cause) => return Reforming::impossible(cause),
        };
        let (formed, trials) = match self.form(&context) {
            Ok(formed) => formed,
            Err(cause) => return Reforming::impossible(cause),
        };
        let identities = context.identities(&formed);
        let formed = self.damped(&context, formed, &identities);
        let quality = context.measured(&formed);
        let basis = candidate::Basis {
            train,
            rows: &context.rows,
            space: &context.space,
            serving,
            since,
            reference,
            seed: self.seed,
        };
        let candidate = match candidate::build(&basis, &formed, identities, quality) {
            Ok(candidate) => candidate,
            Err(error) => {
                let reason = error.to_string();
                return Reforming::impossible(Refusal::Unsound { reason });
            }
        };
        let comparison = context.compare(&candidate, held_out);
        Reforming {
            verdict: self.judge(&candidate, &comparison),
            comparison: Some(comparison),
            candidate: Some(candidate),
            trials,
        }
    }

    fn context<'a>(
        &self,
        train: &Sample,
        held_out: &Sample,
        serving: Option<&'a Cohorts>,
    ) -> Result<Context<'a>, Refusal> {
        let former = serving.map(|serving| &serving.space);
        let space = scaling::learn(train, &self.settings.features, former);
        let space = space.ok_or(Refusal::NothingVaries)?;
        let rows = train.placed(&space);
        let same_space = former == Some(&space);
        let serving = serving.map(|serving| {
            let labels = if same_space {
                serving.assign_rows(&rows, self.settings.threads)
            } else {
                serving.assign_rows(&train.placed(&serving.space), self.settings.threads)
            };
            (serving, labels)
        });
        let part = train.len() as f64 / train.shoppers() as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a part of a count"
        )]
        let fewest = (self.settings.minimum_size as f64 * part).ceil() as u64;
        Ok(Context {
            held_out: held_out.placed(&space),
            rows,
            space,
            serving,
            same_space,
            fewest: fewest.max(FEWEST_TOGETHER),
        })
    }

    fn form(&self, context: &Context<'_>) -> Result<(Formed, Vec<Trial>), Refusal> {
        match self.settings.algorithm {
            Algorithm::KMeans => {
                let (train, held_out) = (&context.rows, &context.held_out);
                let chooser =
                    Chooser::new(&self.settings, self.seed, train, held_out, context.fewest);
                let chosen = match context.start() {
                    Some(start) => chooser.next(start),
                    None => chooser.first(),
                };
                let formed = Formed {
                    method: Method::KMeans,
                    centroids: chosen.fit.centroids,
                    labels: chosen.fit.labels,
                    noise: false,
                    warm: chosen.warm,
                };
                Ok((formed, chosen.trials))
            }
            Algorithm::Dbscan => {
                let formed = self.dense(context).ok_or(Refusal::NoRegion)?;
                Ok((formed, Vec::new()))
            }
        }
    }

    /// The dense regions of the sample.
    fn dense(&self, context: &Context<'_>) -> Option<Formed> {
        let former = context.serving.as_ref().filter(|_| context.same_space);
        let found = dbscan::find(
            &context.rows,
            self.settings.dbscan_sample,
            context.fewest,
            former.map(|(serving, _)| &serving.method),
        )?;
        let (found, labels) =
            dbscan::assign(found, &context.rows, context.fewest, self.settings.threads);
        let middles = Middles::of(&context.rows, &labels, found.cohorts + 1);
        let mut centroids = Rows::new(context.space.len(), Vec::new());
        let everyone = Middles::of(&context.rows, &vec![0; labels.len()], 1).middle(0)?;
        for cohort in 0..=found.cohorts {
            centroids.push(&middles.middle(cohort).unwrap_or_else(|| everyone.clone()));
        }
        Some(Formed {
            method: found.method,
            centroids,
            labels,
            noise: true,
            warm: false,
        })
    }

    /// Centroids that went on from those that serve go only a part of the way, unless that is worse or they went far.
    fn damped(&self, context: &Context<'_>, formed: Formed, identities: &Identities) -> Formed {
        let Some((serving, _)) = context.serving.as_ref().filter(|_| context.same_space) else {
            return formed;
        };
        if !formed.warm || serving.algorithm() != Algorithm::KMeans {
            return formed;
        }
        let mut centroids = formed.centroids.clone();
        for (place, parent) in identities.parents.iter().enumerate() {
            let Some(old) = parent.and_then(|parent| serving.members.get(parent)) else {
                continue;
            };
            let new = formed.centroids.row(place);
            let others = formed.centroids.without(place);
            let room = nearest(new, &others).1.sqrt();
            if squared_distance(new, &old.centroid).sqrt() > JITTER * room {
                continue;
            }
            let step = |(old, new): (&f32, &f32)| {
                let part = f64::from(new - old) * self.settings.damping;
                #[expect(clippy::cast_possible_truncation, reason = "places are small")]
                let part = part as f32;
                old + part
            };
            let damped: Vec<f32> = old.centroid.iter().zip(new).map(step).collect();
            centroids.replace(place, &damped);
        }
        let damped = formed.with_centroids(centroids, &context.rows, self.settings.threads);
        let (before, after) = (formed.inertia(&context.rows), damped.inertia(&context.rows));
        let populated = damped.sizes().iter().all(|size| *size >= context.fewest);
        if populated && after <= before * (1.0 + self.settings.worse_margin / 4.0) {
            damped
        } else {
            formed
        }
    }

    fn judge(&self, candidate: &Cohorts, comparison: &Comparison) -> Verdict {
        let mut causes: Vec<Refusal> = candidate
            .smaller_than(self.settings.minimum_size)
            .map(|cohort| Refusal::TooSmall {
                id: cohort.id.clone(),
                size: cohort.size,
                minimum: self.settings.minimum_size,
            })
            .collect();
        let maximum = self.settings.maximum_share;
        for (place, cohort) in candidate.members.iter().enumerate() {
            if cohort.share > maximum {
                causes.push(Refusal::TooLarge {
                    id: cohort.id.clone(),
                    share: cohort.share,
                    maximum,
                });
            }
            let others = &candidate.members[place + 1..];
            let same = others.iter().filter(|other| {
                let apart = squared_distance(&cohort.centroid, &other.centroid).sqrt();
                apart < ONE_PLACE && !other.noise
            });
            causes.extend(same.map(|other| Refusal::OnePlace {
                one: cohort.id.clone(),
                other: other.id.clone(),
            }));
        }
        causes.extend(self.worse(comparison, candidate.shoppers));
        if causes.is_empty() {
            Verdict::Accepted
        } else {
            Verdict::Refused { causes }
        }
    }

    /// In what a candidate is worse than what serves: as many or more cohorts must be as close around their shoppers, and fewer must
    /// have a variance ratio that is as good. What serves with a cohort that has become too small is no measure: it has to go.
    fn worse(&self, comparison: &Comparison, shoppers: u64) -> Option<Refusal> {
        let (new, old) = (comparison.candidate, comparison.serving?);
        let smallest = old.smallest_share * shoppers as f64;
        if smallest < self.settings.minimum_size as f64 {
            return None;
        }
        let margin = self.settings.worse_margin;
        let cause = |measure: &str, candidate, serving| Refusal::Worse {
            measure: Text::new(measure).unwrap_or_default(),
            candidate,
            serving,
        };
        if new.cohorts >= old.cohorts {
            let worse = new.inertia > old.inertia * (1.0 + margin);
            return worse.then(|| cause("inertia", new.inertia, old.inertia));
        }
        let (ratio, former) = (new.variance_ratio(), old.variance_ratio());
        let worse = ratio < former * (1.0 - margin);
        worse.then(|| cause("variance ratio", ratio, former))
    }
}

impl Context<'_> {
    /// The centroids that serve, in the space of this forming; `None` if k-means cannot go on from them.
    fn start(&self) -> Option<Rows> {
        let (serving, _) = self.serving.as_ref()?;
        if serving.algorithm() != Algorithm::KMeans {
            return None;
        }
        let mut start = Rows::new(self.space.len(), Vec::new());
        for old in self.olds() {
            start.push(&old.place?);
        }
        (start.len() > 1).then_some(start)
    }

    /// What serves, in the space of this forming.
    fn olds(&self) -> Vec<Old> {
        let Some((serving, labels)) = &self.serving else {
            return Vec::new();
        };
        let middles = Middles::of(&self.rows, labels, serving.members.len());
        let members = serving.members.iter().enumerate();
        members
            .filter(|(_, cohort)| !cohort.noise)
            .map(|(index, cohort)| Old {
                id: cohort.id.clone(),
                place: if self.same_space {
                    Some(cohort.centroid.clone())
                } else {
                    middles.middle(index)
                },
                radius: cohort.radius,
            })
            .collect()
    }

    fn identities(&self, formed: &Formed) -> Identities {
        let number = self.serving.as_ref();
        let number = number.map_or(1, |(serving, _)| serving.next_number);
        let before = self.serving.as_ref().map_or(&[][..], |(_, labels)| labels);
        identify(
            &self.olds(),
            before,
            &formed.regular(),
            &formed.labels,
            number,
        )
    }

    fn measured(&self, formed: &Formed) -> Measured {
        let labels = formed.assign(&self.held_out);
        let cohorts = formed.centroids.len();
        let noise = formed.noise.then(|| cohorts - 1);
        let noise = noise.and_then(|place| u16::try_from(place).ok());
        measure(&self.held_out, &labels, cohorts, noise)
    }

    /// Both on the held-out shoppers in the candidate's space.
    fn compare(&self, candidate: &Cohorts, held_out: &Sample) -> Comparison {
        let rows = &self.held_out;
        let now = candidate.assign_rows(rows, 1);
        let measured = |labels: &[u16], cohorts: &Cohorts| {
            let count = cohorts.members.len();
            measure(rows, labels, count, cohorts.noise())
        };
        let before = self.serving.as_ref().map(|(serving, _)| {
            let labels = serving.assign_rows(&held_out.placed(&serving.space), 1);
            (*serving, labels)
        });
        let moved = before.as_ref().map(|(serving, labels)| {
            let id = |cohorts: &Cohorts, label: u16| cohorts.get(label).map(|own| own.id.clone());
            let pairs = labels.iter().zip(&now);
            let moved = pairs.filter(|(old, new)| id(serving, **old) != id(candidate, **new));
            moved.count() as f64 / rows.len().max(1) as f64
        });
        Comparison {
            candidate: measured(&now, candidate),
            serving: before.map(|(serving, labels)| measured(&labels, serving)),
            moved,
        }
    }
}
