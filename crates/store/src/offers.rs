//! Offers.

use foretide_decision::{
    OfferId,
    catalogue::{CatalogueOffer, Name, NewOffer, OfferState},
};
use foretide_events::EpochMs;
use foretide_ports::{Expected, StoreError};

use crate::{
    connection::{Row, Value},
    errors::nonsense,
    session::Session,
};

/// All, by id.
pub(crate) async fn all(session: &mut Session) -> Result<Vec<CatalogueOffer>, StoreError> {
    let sql = "SELECT id, name, terms, state, version, created_at, updated_at FROM foretide_offers";
    let rows = session.rows(sql, &[]).await?;
    let offers: Result<Vec<_>, _> = rows.iter().map(read).collect();
    let mut offers = offers?;
    // Databases sort texts in ways of their own.
    offers.sort_by(|one, other| one.id.as_str().cmp(other.id.as_str()));
    Ok(offers)
}

/// The one of that id.
pub(crate) async fn one(
    session: &mut Session,
    id: &OfferId,
) -> Result<Option<CatalogueOffer>, StoreError> {
    let sql = "SELECT id, name, terms, state, version, created_at, updated_at FROM foretide_offers WHERE id = $1";
    let rows = session.rows(sql, &[Value::text(id.as_str())]).await?;
    rows.first().map(read).transpose()
}

/// Makes or changes one.
pub(crate) async fn put(
    session: &mut Session,
    offer: NewOffer,
    expected: Expected,
    at: EpochMs,
) -> Result<CatalogueOffer, StoreError> {
    let before = one(session, &offer.id).await?;
    expected.check(before.as_ref().map(|before| before.version))?;
    let after = CatalogueOffer {
        version: before.as_ref().map_or(1, |before| before.version + 1),
        created_at: before.map_or(at, |before| before.created_at),
        updated_at: at,
        id: offer.id,
        name: offer.name,
        terms: offer.terms,
        state: offer.state,
    };
    let terms = serde_json::to_string(&after.terms)
        .map_err(|error| StoreError::Damaged(format!("terms cannot be written: {error}")))?;
    let sql = "INSERT INTO foretide_offers (id, name, terms, state, version, created_at, updated_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7) \
        ON CONFLICT (id) DO UPDATE SET name = excluded.name, terms = excluded.terms, state = excluded.state, \
        version = excluded.version, updated_at = excluded.updated_at";
    let values = [
        Value::text(after.id.as_str()),
        Value::text(&after.name),
        Value::Text(terms),
        Value::text(after.state.as_str()),
        Value::count(after.version),
        Value::Whole(after.created_at.0),
        Value::Whole(at.0),
    ];
    session.execute(sql, &values).await?;
    Ok(after)
}

fn read(row: &Row) -> Result<CatalogueOffer, StoreError> {
    let (id, name, terms, state) = (row.text(0)?, row.text(1)?, row.json(2)?, row.text(3)?);
    Ok(CatalogueOffer {
        name: Name::new(&name).ok_or_else(|| nonsense("the name of an offer", &name))?,
        terms: serde_json::from_str(&terms)
            .map_err(|error| nonsense(&format!("offer {id}: {error}: terms"), &terms))?,
        state: OfferState::parse(&state)
            .ok_or_else(|| nonsense("the state of an offer", &state))?,
        version: row.count(4)?,
        created_at: EpochMs(row.whole(5)?),
        updated_at: EpochMs(row.whole(6)?),
        id: OfferId::new(id.clone()).map_err(|_| nonsense("the id of an offer", &id))?,
    })
}
