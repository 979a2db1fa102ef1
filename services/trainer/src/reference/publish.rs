//! What of the references is published, and what is taken away.

use std::sync::Arc;

use foretide_events::{EpochMs, Text};
use foretide_features::Reference;
use foretide_ports::{ReferenceVersion, References};

use super::learn::Learnt;
use crate::parts::{KEPT_MS, free_name, next_since};

/// The version to publish at `now`; `None` where what was learnt is hardly different from what is published already.
pub(crate) fn next_version(
    learnt: Learnt,
    known: &References,
    now: EpochMs,
) -> Option<ReferenceVersion> {
    let newest = known.newest();
    let former = newest.as_ref().map(|newest| Arc::clone(&newest.reference));
    let former = former.unwrap_or_else(|| Arc::new(Reference::prior()));
    if learnt.reference.is_close_to(&former) {
        return None;
    }
    let version = name(&learnt.reference, known);
    let since = next_since(now, newest.map(|newest| newest.since));
    Some(ReferenceVersion {
        reference: Arc::new(learnt.reference.named(version.clone())),
        version,
        since,
        shoppers: learnt.shoppers,
    })
}

/// A name by content.
fn name(reference: &Reference, known: &References) -> Text<64> {
    let taken = known.all();
    let hash = reference.content_hash() >> 32;
    let is_taken = |name: &str| taken.iter().any(|version| *version.version == *name);
    free_name(&format!("reference-{hash:08x}"), is_taken)
}

/// The versions that have not served for so long that nobody asks for them any more, and that nothing rests on (`in_use` says
/// of which that is so).
pub(crate) fn outlived(
    known: &References,
    now: EpochMs,
    in_use: impl Fn(&str) -> bool,
) -> Vec<Arc<ReferenceVersion>> {
    let all = known.all();
    let next = all.iter().skip(1);
    let old = all
        .iter()
        .zip(next)
        .filter(|(version, next)| now.since(next.since) > KEPT_MS && !in_use(&version.version));
    old.map(|(version, _)| Arc::clone(version)).collect()
}

#[cfg(test)]
mod tests {
    use foretide_ports::{NewRecord, Record, Versioned as _};

    use super::*;
    use crate::parts::LEAD_MS;

    const NOW: EpochMs = EpochMs(1_795_341_600_000);
    const DAY_MS: i64 = 24 * 3_600_000;

    /// A reference by which carts are reviewed so often.
    fn reference(review_cart_share: f64) -> Reference {
        let text = r#"{"version":"","ln_daily_engagement":{"location":1,"scale":1},"ln_session_seconds":{"location":1,"scale":1},
            "ln_basket":{"location":1,"scale":1},"category_mix_divergence":{"location":1,"scale":1},
            "ln_visit_gap_hours":{"location":1,"scale":1},"review_cart_share":"#;
        serde_json::from_str(&format!("{text}{review_cart_share}}}")).unwrap()
    }

    fn next(share: f64, known: &References, now: EpochMs) -> Option<ReferenceVersion> {
        let learnt = Learnt {
            reference: reference(share),
            shoppers: 7,
        };
        next_version(learnt, known, now)
    }

    fn publish(known: &References, version: &ReferenceVersion) {
        let NewRecord { key, value, .. } = version.record().unwrap();
        let (offset, appended_at) = (0, version.since);
        let record = Record {
            offset,
            appended_at,
            key,
            value,
        };
        known.take(&record);
    }

    #[test]
    fn a_version_is_named_by_its_content_and_serves_after_those_before_it() {
        let known = References::default();
        let first = next(0.2, &known, NOW).unwrap();
        assert_eq!((first.since, first.shoppers), (NOW.plus(LEAD_MS), 7));
        assert_eq!(
            first.version,
            next(0.2, &known, NOW.plus(9)).unwrap().version
        );
        assert!(first.version.starts_with("reference-") && first.version.len() == 18);
        publish(&known, &first);
        assert_eq!(next(0.2, &known, NOW), None, "the same");
        assert_eq!(next(0.2001, &known, NOW), None, "hardly another");
        let second = next(0.4, &known, NOW.plus(-60_000)).unwrap();
        assert_eq!(second.since, first.since.plus(1), "by a clock that is late");
        publish(&known, &second);
        // Back to what was: it has another name, for it serves at another time, too.
        let third = next(0.2, &known, NOW.plus(60_000)).unwrap();
        assert_eq!(*third.version, *format!("{}-2", &*first.version));
    }

    #[test]
    fn what_is_as_was_assumed_is_not_published() {
        let known = References::default();
        let learnt = Learnt {
            reference: Reference::prior(),
            shoppers: 100,
        };
        assert_eq!(next_version(learnt, &known, NOW), None);
    }

    #[test]
    fn a_version_is_kept_until_long_after_the_next_one_took_over() {
        let known = References::default();
        for (share, days) in [(0.2, 0), (0.4, 10), (0.6, 300)] {
            let version = next(share, &known, NOW.plus(days * DAY_MS)).unwrap();
            publish(&known, &version);
        }
        let at = |days: i64| NOW.plus(days * DAY_MS);
        let outlived = |days: i64| outlived(&known, at(days), |_| false).len();
        assert_eq!([outlived(130), outlived(131), outlived(420)], [0, 1, 1]);
        assert_eq!([outlived(421), outlived(9999)], [2, 2], "the newest stays");
        let first = known.all()[0].version.clone();
        let left = super::outlived(&known, at(9999), |name| *first == *name);
        assert_eq!(left.len(), 1, "cohorts that serve rest on the first");
    }
}
