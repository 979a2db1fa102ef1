//! What must hold of an artefact before it serves.

use std::collections::BTreeSet;

use foretide_features::schema_id;

use crate::{
    Algorithm, Cohort, Counts, Dimension, Form, Kind, MAX_DIMENSIONS, Method, Refused, Transform,
    artefact::FORMAT,
};

/// The largest number that a scaled place may have: winsorised values are far nearer.
const FARTHEST: f32 = 1e6;

/// The most core points.
pub(crate) const MOST_CORE_POINTS: usize = 512;

fn ensure(holds: bool, part: impl Into<String>, cause: &'static str) -> Result<(), Refused> {
    if holds {
        return Ok(());
    }
    let part = part.into();
    Err(Refused::Unsound { part, cause })
}

impl Form {
    /// Whether it can serve: the format and the catalogue are ours, and every number holds.
    pub fn check(&self) -> Result<(), Refused> {
        if self.format != FORMAT {
            return Err(Refused::Format(self.format));
        }
        let ours = schema_id();
        if *self.schema_id != *ours {
            let theirs = self.schema_id.clone();
            return Err(Refused::Schema { theirs, ours });
        }
        ensure(!self.version.is_empty(), "version", "must not be empty")?;
        self.check_space()?;
        self.check_members()?;
        self.check_method()?;
        let quality = self.quality;
        let finite = [quality.inertia, quality.explained, quality.silhouette];
        let sound = finite.iter().all(|number| number.is_finite());
        ensure(sound, "quality", "must hold finite numbers")
    }

    fn check_space(&self) -> Result<(), Refused> {
        let dimensions = &self.space.dimensions;
        let some = (1..=MAX_DIMENSIONS).contains(&dimensions.len());
        ensure(some, "space", "must have 1 to 64 dimensions")?;
        let mut seen = BTreeSet::new();
        for dimension in dimensions {
            let name = format!("space.{}", dimension.feature.spec().name);
            let own = (dimension.feature, dimension.kind == Kind::Presence);
            ensure(seen.insert(own), &name, "is there twice")?;
            check_dimension(dimension, &name)?;
        }
        Ok(())
    }

    fn check_members(&self) -> Result<(), Refused> {
        let members = &self.members;
        let some = (1..=Counts::MOST + 1).contains(&members.len());
        ensure(some, "members", "must be 1 to 257")?;
        let mut ids = BTreeSet::new();
        for (place, cohort) in members.iter().enumerate() {
            let name = format!("members.{}", &*cohort.id);
            ensure(!cohort.id.is_empty(), "members.id", "must not be empty")?;
            ensure(ids.insert(&*cohort.id), &name, "is there twice")?;
            let last = place + 1 == members.len();
            ensure(
                !cohort.noise || last,
                &name,
                "must be the last one, for it is that of those like nobody",
            )?;
            check_cohort(cohort, self.space.len(), &name)?;
        }
        Ok(())
    }

    fn check_method(&self) -> Result<(), Refused> {
        let noise = self.members.iter().any(|cohort| cohort.noise);
        let Method::Dbscan {
            epsilon,
            reach,
            core,
            ..
        } = &self.method
        else {
            return ensure(
                !noise,
                "members",
                "must not hold one of those like nobody under k-means",
            );
        };
        ensure(
            noise,
            "members",
            "must hold one of those like nobody under DBSCAN",
        )?;
        let sound = epsilon.is_finite() && *epsilon > 0.0 && reach.is_finite() && reach >= epsilon;
        ensure(
            sound,
            "method.reach",
            "must be finite, and at least `epsilon`, which is above zero",
        )?;
        let some = (1..=MOST_CORE_POINTS).contains(&core.len());
        ensure(some, "method.core", "must hold 1 to 512 points")?;
        for point in core {
            let owned = usize::from(point.cohort) + 1 < self.members.len();
            ensure(owned, "method.core", "names a cohort that is not there")?;
            let sound = point.at.len() == self.space.len() && point.at.iter().copied().all(is_near);
            ensure(
                sound,
                "method.core",
                "must hold one finite number a dimension",
            )?;
        }
        Ok(())
    }

    /// Which algorithm it comes from.
    pub fn algorithm(&self) -> Algorithm {
        self.method.algorithm()
    }
}

fn is_near(place: f32) -> bool {
    place.abs() <= FARTHEST
}

fn check_dimension(dimension: &Dimension, name: &str) -> Result<(), Refused> {
    let Dimension {
        transform,
        winsor_low,
        winsor_high,
        location,
        scale,
        missing,
        ..
    } = dimension;
    let numbers = [*winsor_low, *winsor_high, *location, *scale];
    let finite = numbers.iter().all(|number| number.is_finite());
    ensure(
        finite && is_near(*missing),
        name,
        "must hold finite numbers",
    )?;
    ensure(*scale > 0.0, name, "must have a scale above zero")?;
    ensure(
        winsor_low <= winsor_high,
        name,
        "must have its bounds in order",
    )?;
    let defined = *transform == Transform::Linear || *winsor_low >= 0.0;
    ensure(
        defined,
        name,
        "must not take the logarithm of negative values",
    )?;
    let ends = [
        dimension.scaled(Some(*winsor_low)),
        dimension.scaled(Some(*winsor_high)),
    ];
    ensure(
        ends.iter().copied().all(is_near),
        name,
        "scales values to places that are too far",
    )
}

fn check_cohort(cohort: &Cohort, width: usize, name: &str) -> Result<(), Refused> {
    let sound = cohort.centroid.len() == width && cohort.centroid.iter().copied().all(is_near);
    ensure(
        sound,
        name,
        "must have a centroid of one finite number a dimension",
    )?;
    ensure(
        (0.0..=1.0).contains(&cohort.share),
        name,
        "must have a share between 0 and 1",
    )?;
    let radius = cohort.radius.is_finite() && cohort.radius >= 0.0;
    ensure(radius, name, "must have a radius of at least zero")?;
    let typical = cohort.typical.iter().all(|typical| {
        typical.value.is_none_or(f64::is_finite) && (0.0..=1.0).contains(&typical.known)
    });
    let traits = cohort.traits.iter().all(|own| own.difference.is_finite());
    ensure(typical && traits, name, "must hold finite numbers")
}
