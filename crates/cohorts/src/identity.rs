//! Which cohort of a candidate is which of those that serve, and what became of the others.
//!
//! Pairs are made so that the sum of their costs is least (the Hungarian method); a cost is half how far the centroids are
//! apart and half how few of their shoppers they share. A pair is the same cohort if half of its shoppers stayed together, or
//! a quarter did and they are half of those who are there now, and if they stayed where they were. The latter is more than MONIC
//! asks for, which knows who was in a cohort when that was formed: here its shoppers are those who are nearest to it now, and they
//! may be people of a new behaviour to whom it was the nearest, and far away. What happened to the others is told after MONIC (Spiliopoulou,
//! Ntoutsi, Theodoridis & Schult 2006), by where shoppers went; shoppers who are where no cohort reached before are a birth
//! rather than a split, whichever cohort was nearest to them.

use foretide_events::Text;

use crate::{Change, Rows, assign::squared_distance, hungarian};

/// Of its shoppers, the part that makes a cohort the same.
const STAYED: f64 = 0.5;
/// Of its shoppers, the part that makes another a part of it.
const PART: f64 = 0.25;
/// Fewer shoppers of the sample than this say nothing of where a cohort went.
const TELLING: u64 = 10;

/// A cohort that serves.
#[derive(Clone, Debug)]
pub(crate) struct Old {
    pub(crate) id: Text<32>,
    /// Where its middle lies in the candidate's space, if that is known.
    pub(crate) place: Option<Vec<f32>>,
    /// How far its shoppers are from there, root mean square.
    pub(crate) radius: f64,
}

/// Who the candidate's cohorts are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identities {
    /// The id of each.
    pub(crate) ids: Vec<Text<32>>,
    /// The place of the old one that each is.
    pub(crate) parents: Vec<Option<usize>>,
    /// What became of all.
    pub(crate) lineage: Vec<Change>,
    /// The number of the next that is born.
    pub(crate) next_number: u32,
}

/// Tells who the cohorts at `places` are. The labels are of the same shoppers, before and now; one beyond the cohorts is of those
/// like nobody.
pub(crate) fn identify(
    olds: &[Old],
    old_labels: &[u16],
    places: &Rows,
    labels: &[u16],
    mut next_number: u32,
) -> Identities {
    let shared = Shared::count(olds, old_labels, places, labels);
    let parents = shared.parents();
    let ids: Vec<Text<32>> = parents
        .iter()
        .map(|parent| {
            if let Some(old) = parent {
                return olds[*old].id.clone();
            }
            let id = format!("c-{next_number}");
            next_number = next_number.saturating_add(1);
            Text::new(&id).unwrap_or_default()
        })
        .collect();
    let lineage = shared.lineage(&parents, &ids);
    Identities {
        ids,
        parents,
        lineage,
        next_number,
    }
}

/// How many shoppers each old and each new cohort share, and how far they are apart.
struct Shared<'a> {
    olds: &'a [Old],
    /// By old, then new.
    both: Vec<Vec<u64>>,
    before: Vec<u64>,
    now: Vec<u64>,
    /// By old, then new; `None` where the old place is unknown.
    apart: Vec<Vec<Option<f64>>>,
    /// How far an old one usually is from the next.
    usual: f64,
}

impl<'a> Shared<'a> {
    fn count(olds: &'a [Old], old_labels: &[u16], places: &Rows, labels: &[u16]) -> Self {
        let mut both = vec![vec![0; places.len()]; olds.len()];
        let (mut before, mut now) = (vec![0; olds.len()], vec![0; places.len()]);
        for (old, new) in old_labels.iter().zip(labels) {
            let (old, new) = (usize::from(*old), usize::from(*new));
            if let Some(count) = before.get_mut(old) {
                *count += 1;
            }
            if let Some(count) = now.get_mut(new) {
                *count += 1;
            }
            if let Some(count) = both.get_mut(old).and_then(|row| row.get_mut(new)) {
                *count += 1;
            }
        }
        let distance = |old: &Old, new: &[f32]| {
            let place = old.place.as_ref()?;
            Some(squared_distance(place, new).sqrt())
        };
        let apart = olds
            .iter()
            .map(|old| places.iter().map(|new| distance(old, new)).collect())
            .collect();
        Self {
            olds,
            both,
            before,
            now,
            apart,
            usual: usual_distance(olds),
        }
    }

    /// The old cohort that each new one is.
    fn parents(&self) -> Vec<Option<usize>> {
        let (before, now) = (self.before.len(), self.now.len());
        let size = before.max(now);
        let cost = |old: usize, new: usize| {
            if old < before && new < now {
                self.cost(old, new)
            } else {
                1.0
            }
        };
        let costs: Vec<Vec<f64>> = (0..size)
            .map(|old| (0..size).map(|new| cost(old, new)).collect())
            .collect();
        let mut parents = vec![None; now];
        for (old, new) in hungarian::assign(&costs).into_iter().enumerate() {
            if old < before && new < now && self.is_same(old, new) {
                parents[new] = Some(old);
            }
        }
        parents
    }

    fn cost(&self, old: usize, new: usize) -> f64 {
        let both = self.both[old][new];
        let either = (self.before[old] + self.now[new] - both).max(1);
        let together = both as f64 / either as f64;
        let far = self.apart[old][new].map_or(1.0, |apart| (apart / self.usual).min(1.0));
        f64::midpoint(far, 1.0 - together)
    }

    fn is_same(&self, old: usize, new: usize) -> bool {
        if self.before[old] < TELLING {
            return self.apart[old][new].is_some_and(|apart| apart <= self.usual / 2.0);
        }
        let (went, came) = (self.went(old, new), self.came(old, new));
        self.is_where_it_was(old, new) && (went >= STAYED || (went >= PART && came >= STAYED))
    }

    /// Whether `new` is no further from the place of `old` than its shoppers usually are, or than half of the way to the next cohort. Where
    /// the place is unknown its shoppers alone tell.
    fn is_where_it_was(&self, old: usize, new: usize) -> bool {
        let reach = self.olds[old].radius.max(self.usual / 2.0);
        self.apart[old][new].is_none_or(|apart| apart <= reach)
    }

    /// Of the shoppers of `old`, the part who are in `new` now.
    fn went(&self, old: usize, new: usize) -> f64 {
        self.both[old][new] as f64 / self.before[old].max(1) as f64
    }

    /// Of the shoppers of `new`, the part who were in `old`.
    fn came(&self, old: usize, new: usize) -> f64 {
        self.both[old][new] as f64 / self.now[new].max(1) as f64
    }

    /// Whether `new`, which is none of the old, is a part of `old`.
    fn is_part(&self, old: usize, new: usize) -> bool {
        let within = self.apart[old][new].is_some_and(|apart| apart <= self.olds[old].radius);
        within && self.went(old, new) >= PART && self.came(old, new) >= STAYED
    }

    fn lineage(&self, parents: &[Option<usize>], ids: &[Text<32>]) -> Vec<Change> {
        let id = |new: usize| ids[new].clone();
        let mut lineage = Vec::new();
        let mut explained = vec![false; ids.len()];
        let mut merged: Vec<Vec<Text<32>>> = vec![Vec::new(); ids.len()];
        let mut kept = Vec::new();
        for (old, own) in self.olds.iter().enumerate() {
            let heir = parents.iter().position(|parent| *parent == Some(old));
            let parts: Vec<usize> = (0..ids.len())
                .filter(|new| parents[*new].is_none() && self.is_part(old, *new))
                .collect();
            if (heir.is_some() && !parts.is_empty()) || parts.len() > 1 {
                let into = heir
                    .into_iter()
                    .chain(parts)
                    .inspect(|new| explained[*new] = true);
                lineage.push(Change::Split {
                    from: own.id.clone(),
                    into: into.map(id).collect(),
                });
            } else if let Some(heir) = heir {
                kept.push(heir);
            } else if let Some(new) = self.absorber(old) {
                merged[new].push(own.id.clone());
            } else {
                lineage.push(Change::Died { id: own.id.clone() });
            }
        }
        for (new, mut from) in merged.into_iter().enumerate() {
            if parents[new].is_none() && from.len() == 1 {
                // One went and another came where nobody was: they have nothing but some shoppers in common.
                lineage.extend(from.into_iter().map(|id| Change::Died { id }));
            } else if !from.is_empty() {
                explained[new] = true;
                if let Some(parent) = parents[new] {
                    from.insert(0, self.olds[parent].id.clone());
                    kept.retain(|heir| *heir != new);
                }
                let into = id(new);
                lineage.push(Change::Merged { from, into });
            }
        }
        lineage.extend(kept.iter().map(|heir| Change::Kept { id: id(*heir) }));
        let born = (0..ids.len()).filter(|new| parents[*new].is_none() && !explained[*new]);
        lineage.extend(born.map(|new| Change::Born { id: id(new) }));
        lineage
    }

    /// Where the shoppers of `old`, which is gone, are together now.
    fn absorber(&self, old: usize) -> Option<usize> {
        let new = (0..self.now.len()).max_by_key(|new| self.both[old][*new])?;
        (self.before[old] >= TELLING && self.went(old, new) >= STAYED).then_some(new)
    }
}

/// The mean distance of an old cohort to the next; 1 where there is none.
fn usual_distance(olds: &[Old]) -> f64 {
    let places: Vec<_> = olds.iter().filter_map(|old| old.place.as_ref()).collect();
    let nearest = |place: usize| {
        let others = places
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != place);
        let distances = others.map(|(_, other)| squared_distance(places[place], other).sqrt());
        distances.fold(f64::INFINITY, f64::min)
    };
    let distances: Vec<f64> = (0..places.len())
        .map(nearest)
        .filter(|distance| distance.is_finite() && *distance > 0.0)
        .collect();
    if distances.is_empty() {
        return 1.0;
    }
    distances.iter().sum::<f64>() / distances.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(id: &str) -> Text<32> {
        Text::new(id).unwrap()
    }

    fn olds(places: &[f32]) -> Vec<Old> {
        let old = |(number, at): (usize, &f32)| Old {
            id: text(&format!("c-{}", number + 1)),
            place: Some(vec![*at]),
            radius: 1.5,
        };
        places.iter().enumerate().map(old).collect()
    }

    /// Labels of as many shoppers as are said, cohort by cohort.
    fn crowd(counts: &[(u16, usize)]) -> Vec<u16> {
        let labels = counts.iter().map(|(label, count)| vec![*label; *count]);
        labels.flatten().collect()
    }

    fn places(at: &[f32]) -> Rows {
        Rows::new(1, at.to_vec())
    }

    #[test]
    fn ids_follow_their_shoppers_whatever_the_order() {
        let before = crowd(&[(0, 100), (1, 100), (2, 100)]);
        let now = crowd(&[(2, 95), (0, 105), (1, 100)]);
        let told = identify(
            &olds(&[0.0, 5.0, 10.0]),
            &before,
            &places(&[5.1, 9.9, 0.2]),
            &now,
            4,
        );
        assert_eq!(told.ids, [text("c-2"), text("c-3"), text("c-1")]);
        assert!(
            told.lineage
                .iter()
                .all(|change| matches!(change, Change::Kept { .. }))
        );
        assert_eq!((told.lineage.len(), told.next_number), (3, 4));
    }

    #[test]
    fn shoppers_where_no_cohort_reached_are_a_birth() {
        let before = crowd(&[(0, 100), (1, 160)]);
        let now = crowd(&[(0, 100), (1, 100), (2, 60)]);
        let told = identify(
            &olds(&[0.0, 5.0]),
            &before,
            &places(&[0.0, 5.0, 9.0]),
            &now,
            3,
        );
        assert_eq!(told.ids, [text("c-1"), text("c-2"), text("c-3")]);
        assert!(told.lineage.contains(&Change::Born { id: text("c-3") }));
        assert_eq!(told.next_number, 4);
    }

    #[test]
    fn a_new_behaviour_does_not_inherit_the_id_of_the_cohort_that_was_nearest() {
        // Who was in the second cohort is gone; those who are nearest to it now are far from it.
        let before = crowd(&[(0, 100), (1, 60)]);
        let told = identify(
            &olds(&[0.0, 5.0]),
            &before,
            &places(&[0.0, 11.0]),
            &crowd(&[(0, 100), (1, 60)]),
            3,
        );
        assert_eq!(told.ids, [text("c-1"), text("c-3")]);
        for change in [
            Change::Died { id: text("c-2") },
            Change::Born { id: text("c-3") },
            Change::Kept { id: text("c-1") },
        ] {
            assert!(told.lineage.contains(&change), "{:?}", told.lineage);
        }
        assert_eq!(told.lineage.len(), 3);
        // One whose shoppers went on together a little way is the same.
        let moved = identify(
            &olds(&[0.0, 5.0]),
            &before,
            &places(&[0.0, 7.0]),
            &crowd(&[(0, 100), (1, 60)]),
            3,
        );
        assert_eq!(moved.ids, [text("c-1"), text("c-2")]);
    }

    #[test]
    fn a_cohort_that_comes_apart_is_a_split_and_the_larger_part_keeps_the_id() {
        let before = crowd(&[(0, 100), (1, 100)]);
        let now = crowd(&[(0, 100), (1, 40), (2, 60)]);
        let told = identify(
            &olds(&[0.0, 5.0]),
            &before,
            &places(&[0.0, 4.2, 5.6]),
            &now,
            3,
        );
        assert_eq!(told.ids, [text("c-1"), text("c-3"), text("c-2")]);
        let split = Change::Split {
            from: text("c-2"),
            into: vec![text("c-2"), text("c-3")],
        };
        assert!(told.lineage.contains(&split), "{:?}", told.lineage);
    }

    #[test]
    fn cohorts_that_come_together_are_merged_and_an_empty_one_died() {
        let before = crowd(&[(0, 100), (1, 40)]);
        let now = crowd(&[(0, 140)]);
        let told = identify(&olds(&[0.0, 2.0, 50.0]), &before, &places(&[0.5]), &now, 4);
        assert_eq!(told.ids, [text("c-1")]);
        let merged = Change::Merged {
            from: vec![text("c-1"), text("c-2")],
            into: text("c-1"),
        };
        let died = Change::Died { id: text("c-3") };
        assert_eq!(told.lineage, [died, merged]);
    }

    #[test]
    fn those_like_nobody_are_in_no_pair() {
        let before = crowd(&[(0, 50), (1, 50)]);
        let now = crowd(&[(0, 50), (1, 50)]);
        let told = identify(&olds(&[0.0]), &before, &places(&[0.0]), &now, 2);
        assert_eq!(told.lineage, [Change::Kept { id: text("c-1") }]);
    }

    #[test]
    fn the_first_forming_bears_all() {
        let told = identify(&[], &[], &places(&[0.0, 1.0]), &crowd(&[(0, 9), (1, 9)]), 1);
        assert_eq!(told.ids, [text("c-1"), text("c-2")]);
        assert_eq!(told.lineage.len(), 2);
    }
}
