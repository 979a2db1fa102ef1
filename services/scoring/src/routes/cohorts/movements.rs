//! `GET /v1/cohorts/movements`: who moved from which cohort into which.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, extract::State, http::Uri};
use foretide_events::{EpochMs, Text};
use foretide_http::{Problem, ProblemCode, documented, openapi::KEYED};
use foretide_ports::TransitionCause;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{LEAST_SHOPPERS, serving};
use crate::{
    api::Api,
    movements::{Flows, LONGEST_WINDOW_MIN},
    routes::parameters,
};

/// What is looked back where nothing is asked for, in minutes.
const USUAL_WINDOW_MIN: u32 = 60;

/// What the query may hold.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Parameters {
    /// How far to look back, in whole minutes, that of now included.
    #[schemars(schema_with = "window_schema")]
    window_min: Option<String>,
}

fn window_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "integer", "minimum": 1, "maximum": LONGEST_WINDOW_MIN, "default": USUAL_WINDOW_MIN,
    })
}

/// Moves between cohorts.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CohortMovements")]
pub(crate) struct Answer {
    /// From when on moves are counted.
    since: EpochMs,
    /// Until when.
    until: EpochMs,
    /// Whether all moves of the time that was asked for are known here. After a start they are read from the log first.
    complete: bool,
    /// All moves.
    moves: u64,
    /// The matrix, a cell each; ways that nobody went are left out.
    flows: Vec<Flow>,
    /// Moves into or out of cohorts that have fewer than 50 shoppers, or do not serve any more: of these only the sum is told.
    others: u64,
}

/// Moves from one cohort into another.
#[derive(Debug, Default, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "CohortFlow")]
struct Flow {
    /// The cohort left.
    from: Text<32>,
    /// The cohort entered.
    to: Text<32>,
    /// Moves by what shoppers did.
    behaviour: u64,
    /// Moves because the cohorts formed anew.
    reforming: u64,
}

documented! {
    answered Answer;
    query Parameters;
    refused Refusals = KEYED, &[ProblemCode::InvalidField];
}

/// Tells who moved between cohorts lately.
///
/// As a matrix of how many moves there were from which cohort into which, by cause. A shopper who moved twice counts twice.
/// `window_min` (60 by default, at most 1440) says how far to look back.
#[utoipa::path(get, path = "/v1/cohorts/movements", operation_id = "list_cohort_movements", tag = "cohorts",
    params(Parameters),
    responses((status = 200, description = "The movements", body = Answer), Refusals))]
pub(crate) async fn list(State(api): State<Arc<Api>>, uri: Uri) -> Result<Json<Answer>, Problem> {
    let minutes = window(&parameters(&uri)?)?;
    let now = EpochMs(api.clock.now_ms());
    let moved = api.movements.read().lately(minutes, now);
    let serving = serving(&api);
    let is_told = |id: &Text<32>| {
        let cohorts = serving.as_ref().map(|serving| &serving.cohorts);
        let cohort = cohorts.and_then(|cohorts| cohorts.by_id(id));
        cohort.is_some_and(|(_, cohort)| cohort.size >= LEAST_SHOPPERS)
    };
    let (flows, others) = matrix(&moved.flows, is_told);
    Ok(Json(Answer {
        since: moved.since,
        until: now,
        complete: moved.complete,
        moves: moved.flows.values().sum(),
        flows,
        others,
    }))
}

fn window(parameters: &Parameters) -> Result<u32, Problem> {
    let Some(text) = &parameters.window_min else {
        return Ok(USUAL_WINDOW_MIN);
    };
    let minutes = text.parse().ok();
    minutes
        .filter(|minutes| (1..=LONGEST_WINDOW_MIN).contains(minutes))
        .ok_or_else(|| {
            let detail = format!("is not a whole number of minutes from 1 to {LONGEST_WINDOW_MIN}");
            Problem::new(ProblemCode::InvalidField, detail).at("window_min")
        })
}

/// The cells between cohorts that are told, in order, and the sum of the others.
fn matrix(flows: &Flows, is_told: impl Fn(&Text<32>) -> bool) -> (Vec<Flow>, u64) {
    let mut cells = BTreeMap::new();
    let mut others = 0;
    for (way, count) in flows {
        if !is_told(&way.from) || !is_told(&way.to) {
            others += count;
            continue;
        }
        let cell = cells.entry((&way.from, &way.to)).or_insert_with(|| Flow {
            from: way.from.clone(),
            to: way.to.clone(),
            ..Flow::default()
        });
        match way.cause {
            TransitionCause::Behaviour => cell.behaviour += count,
            TransitionCause::Reforming => cell.reforming += count,
        }
    }
    (cells.into_values().collect(), others)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::movements::Way;

    #[test]
    fn cells_have_both_causes_and_what_is_not_told_is_summed() {
        let way = |from: &str, to: &str, cause| Way {
            from: Text::new(from).unwrap(),
            to: Text::new(to).unwrap(),
            cause,
        };
        let flows = Flows::from([
            (way("c-1", "c-2", TransitionCause::Behaviour), 3),
            (way("c-1", "c-2", TransitionCause::Reforming), 4),
            (way("c-1", "c-9", TransitionCause::Behaviour), 5),
            (way("c-9", "c-2", TransitionCause::Reforming), 6),
        ]);
        let (cells, others) = matrix(&flows, |id| &**id != "c-9");
        assert_eq!(others, 11);
        assert_eq!(cells.len(), 1);
        assert_eq!((cells[0].behaviour, cells[0].reforming), (3, 4));
    }
}
