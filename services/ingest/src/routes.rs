//! The routing table.

mod actions;
mod document;
mod pixel;
mod schema;
mod segment;
mod settings;

use axum::Router;
use foretide_http::{Protection, open_to_pages, protect};
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{IngestState, intake::Ingest};

/// Every route of ingest, bounded by `protection`, and their description. Any page of any origin may call them: what protects
/// is the key.
pub fn router(state: IngestState, protection: Protection) -> (Router, OpenApi) {
    let ingest = Ingest::new(state);
    let (native, mut document) = OpenApiRouter::default()
        .routes(routes!(actions::post))
        .routes(routes!(schema::get))
        .merge(pixel::routes())
        .split_for_parts();
    let (segment, of_segment) = segment::routes()
        .merge(settings::routes())
        .split_for_parts();
    document.merge(of_segment);
    let segment = segment::shaped(protect(
        segment.with_state(ingest.clone()),
        protection.clone(),
    ));
    let native = protect(native.with_state(ingest), protection);
    (native.merge(segment).layer(open_to_pages()), document)
}

#[cfg(test)]
mod tests;
