//! Who was shown an offer, and how likely it was that nobody would be.

use std::collections::{BTreeMap, BTreeSet};

use foretide_events::{EpochMs, ShopperId, Text};

/// What a decision says about treatment.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// The decision.
    pub decision_id: Text<64>,
    /// For whom.
    pub shopper: ShopperId,
    /// When.
    pub at: EpochMs,
    /// Whether an offer was served.
    pub served: bool,
    /// The probability, 0 to 1, that no offer would have been served to a shopper in this situation *who may get offers*: with a policy that
    /// leaves nothing to chance 1 where it chose nothing, 0 where it chose an offer, or would have for a shopper who may get one.
    pub no_offer: f64,
    /// The share of shoppers, 0 to 1, who never got offers when it was decided, whatever the policy chose. They are drawn by a hash of the
    /// pseudonym, and whoever is drawn for a share is drawn for any larger one.
    pub share: f64,
}

/// What bears on treatment of one decision.
#[derive(Clone, Copy, Debug)]
struct Exposure {
    served: bool,
    no_offer: f64,
    share: f64,
}

/// Whether something was treated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Treatment {
    /// An offer was served.
    Treated,
    /// None was, and that had this probability.
    Untreated(f64),
    /// It lies so far back that decisions have been let go.
    Unknown,
}

/// The decisions that could have shown an offer, by shopper.
#[derive(Clone, Debug)]
pub(super) struct Exposures {
    most: usize,
    by_shopper: BTreeMap<ShopperId, BTreeMap<(EpochMs, Text<64>), Exposure>>,
    order: BTreeSet<(EpochMs, Text<64>, ShopperId)>,
    /// When the newest decision happened that had to leave.
    left_at: Option<EpochMs>,
}

impl Exposures {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            by_shopper: BTreeMap::new(),
            order: BTreeSet::new(),
            left_at: None,
        }
    }

    /// When the newest decision happened that had to leave.
    pub(super) fn left_at(&self) -> Option<EpochMs> {
        self.left_at
    }

    pub(super) fn take(&mut self, decided: &Decided) {
        let exposure = Exposure {
            served: decided.served,
            no_offer: probability(decided.no_offer),
            share: probability(decided.share),
        };
        if !exposure.served && exposure.no_offer >= 1.0 {
            // Nothing could have been shown, so nothing follows from it.
            return;
        }
        self.put(decided.shopper, decided.at, &decided.decision_id, exposure);
    }

    /// Takes in what `others` know of `shopper`.
    pub(super) fn take_from(&mut self, others: &Self, shopper: &ShopperId) {
        for ((at, decision_id), exposure) in others.by_shopper.get(shopper).into_iter().flatten() {
            self.put(*shopper, *at, decision_id, *exposure);
        }
    }

    fn put(&mut self, shopper: ShopperId, at: EpochMs, decision_id: &Text<64>, exposure: Exposure) {
        if self.left_at.is_some_and(|left_at| at <= left_at) {
            return;
        }
        let of_shopper = self.by_shopper.entry(shopper).or_default();
        of_shopper.insert((at, decision_id.clone()), exposure);
        self.order.insert((at, decision_id.clone(), shopper));
        while self.order.len() > self.most {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some((at, decision_id, shopper)) = self.order.pop_first() else {
            return;
        };
        self.left_at = self.left_at.max(Some(at));
        if let Some(of_shopper) = self.by_shopper.get_mut(&shopper) {
            of_shopper.remove(&(at, decision_id));
            if of_shopper.is_empty() {
                self.by_shopper.remove(&shopper);
            }
        }
    }

    /// Whether someone with these `names` was shown an offer between `from` and `until`, both included. Whoever never gets offers is drawn
    /// for each name by itself.
    pub(super) fn treatment<'a>(
        &self,
        names: impl IntoIterator<Item = &'a ShopperId>,
        from: EpochMs,
        until: EpochMs,
    ) -> Treatment {
        if self.left_at.is_some_and(|left_at| from <= left_at) {
            return Treatment::Unknown;
        }
        let mut no_offer = 1.0;
        for of_name in names
            .into_iter()
            .filter_map(|name| self.by_shopper.get(name))
        {
            let first = (from, Text::default());
            let during = of_name
                .range(first..)
                .map_while(|((at, _), exposure)| (*at <= until).then_some(*exposure));
            let during: Vec<Exposure> = during.collect();
            if during.iter().any(|exposure| exposure.served) {
                return Treatment::Treated;
            }
            no_offer *= no_offer_at_all(&during);
        }
        Treatment::Untreated(no_offer)
    }
}

/// The probability that none of `decisions` served an offer: over u, uniform between 0 and 1, which draws the shoppers who never get
/// offers, the mean of the product of what each decision does to a shopper with that u. Where the share never changed that is
/// share + (1 − share) · product.
fn no_offer_at_all(decisions: &[Exposure]) -> f64 {
    let mut by_share = decisions.to_vec();
    by_share.sort_by(|a, b| a.share.total_cmp(&b.share));
    // From u = 0 on, where every decision spares the shopper, to 1, where none does.
    let (mut from, mut spared, mut sum) = (0.0, 1.0, 0.0);
    for Exposure {
        share, no_offer, ..
    } in by_share
    {
        sum += (share - from) * spared;
        spared *= no_offer;
        from = share;
    }
    probability(sum + (1.0 - from) * spared)
}

fn probability(value: f64) -> f64 {
    if value.is_nan() {
        0.0
    } else {
        value.clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHOPPER: ShopperId = ShopperId([3; 16]);

    fn decided(at: i64, served: bool, no_offer: f64) -> Decided {
        Decided {
            decision_id: Text::new(&format!("decision-{at}")).unwrap(),
            shopper: SHOPPER,
            at: EpochMs(at),
            served,
            no_offer,
            share: 0.05,
        }
    }

    fn treatment(decisions: &[Decided], from: i64, until: i64) -> Treatment {
        let mut exposures = Exposures::new(100);
        for decided in decisions {
            exposures.take(decided);
        }
        exposures.treatment([&SHOPPER], EpochMs(from), EpochMs(until))
    }

    #[test]
    fn who_could_not_have_been_shown_an_offer_counts_once() {
        assert_eq!(treatment(&[], 0, 10), Treatment::Untreated(1.0));
        assert_eq!(
            treatment(&[decided(5, false, 1.0)], 0, 10),
            Treatment::Untreated(1.0)
        );
    }

    #[test]
    fn who_was_spared_by_the_hash_alone_stands_for_all_who_were_not() {
        let spared = decided(5, false, 0.0);
        assert_eq!(
            treatment(std::slice::from_ref(&spared), 0, 10),
            Treatment::Untreated(0.05)
        );
        assert_eq!(
            treatment(&[spared.clone(), decided(6, false, 0.0)], 0, 10),
            Treatment::Untreated(0.05)
        );
        assert_eq!(
            treatment(&[spared], 6, 10),
            Treatment::Untreated(1.0),
            "before it began"
        );
    }

    #[test]
    fn chances_of_several_decisions_multiply() {
        let Treatment::Untreated(p) =
            treatment(&[decided(5, false, 0.5), decided(6, false, 0.5)], 0, 10)
        else {
            panic!("untreated");
        };
        assert!((p - (0.05 + 0.95 * 0.25)).abs() < 1e-12, "{p}");
    }

    #[test]
    fn an_offer_that_was_served_treats_what_it_lies_in_and_nothing_else() {
        let served = [decided(5, true, 0.0)];
        assert_eq!(treatment(&served, 0, 10), Treatment::Treated);
        assert_eq!(treatment(&served, 5, 5), Treatment::Treated);
        assert_eq!(treatment(&served, 6, 10), Treatment::Untreated(1.0));
        assert_eq!(treatment(&served, 0, 4), Treatment::Untreated(1.0));
    }

    #[test]
    fn what_lies_before_decisions_that_were_let_go_is_not_known() {
        let mut exposures = Exposures::new(2);
        for at in [1, 2, 3] {
            exposures.take(&decided(at, true, 0.0));
        }
        let treatment = |from| exposures.treatment([&SHOPPER], EpochMs(from), EpochMs(9));
        assert_eq!(
            [treatment(1), treatment(2)],
            [Treatment::Unknown, Treatment::Treated]
        );
        assert_eq!(treatment(4), Treatment::Untreated(1.0));
    }

    proptest! {
        /// By playing it: shoppers with every u, each decision by its own luck.
        #[test]
        fn the_probability_is_how_often_it_happens(
            decisions in prop::collection::vec((0.0..1.0_f64, 0.0..1.0_f64), 0..4),
        ) {
            let decisions: Vec<Exposure> = decisions
                .iter()
                .map(|(no_offer, share)| Exposure { served: false, no_offer: *no_offer, share: *share })
                .collect();
            let steps = 2_000;
            let played: f64 = (0..steps)
                .map(|step| (f64::from(step) + 0.5) / f64::from(steps))
                .map(|u| decisions.iter().map(|d| if u < d.share { 1.0 } else { d.no_offer }).product::<f64>())
                .sum::<f64>() / f64::from(steps);
            prop_assert!((no_offer_at_all(&decisions) - played).abs() < 4e-3);
        }
    }
}
