//! `POST /v1/decisions`: what to offer a shopper now.

use std::{sync::Arc, time::Instant};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{self, Method},
    response::Response,
};
use foretide_decision::{DecisionRecord, Reason, ReasonCode};
use foretide_events::{EpochMs, SessionId, Text};
use foretide_http::{
    BodyReader, DirectRoute, Problem, ProblemCode, Protection, RequestBody, Role, direct_answer,
    documented,
    openapi::{BODY, KEYED},
    parse_json, read_body,
};
use schemars::{JsonSchema, Schema};
use serde::Deserialize;

use self::answer::Answer;
use super::{BODY_LIMITS, parameters};
use crate::{
    api::Api,
    cart::NamedCart,
    decide::{Question, decide as decided},
    instant::parse_at,
    page::NamedPage,
    shopper::NamedShopper,
};

mod answer;

/// An answer, as the description has it.
type Answered = Answer<'static>;

/// What is asked.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "Question", example = example(), transform = need_shopper)]
pub(crate) struct Asked {
    /// By `user_id`, `anonymous_id` or `shopper_id`.
    #[serde(default)]
    shopper: NamedShopper,
    /// The visit, as the shop names it.
    #[serde(default)]
    session: Option<Text<{ SessionId::MAX_CHARS }>>,
    /// What is in the cart; where given, it counts instead of what actions told of it.
    #[serde(default)]
    cart: Option<NamedCart>,
    /// The page the shopper is on.
    #[serde(default)]
    page: Option<NamedPage>,
    /// Where the offer is to be shown.
    #[serde(default)]
    placement: Option<Text<128>>,
    /// The shop's own id of the request.
    #[serde(default)]
    request_id: Option<Text<128>>,
}

/// What the query may hold.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Parameters {
    /// The instant to decide for, which makes the decision dry: answered, not recorded.
    #[schemars(with = "Option<EpochMs>")]
    at: Option<String>,
}

/// Read as nobody where it is absent, so that the refusal says how to name one: needed all the same.
fn need_shopper(schema: &mut Schema) {
    schema.insert("required".to_owned(), serde_json::json!(["shopper"]));
}

fn example() -> serde_json::Value {
    serde_json::json!({
        "shopper": { "user_id": "ann" },
        "session": "s1",
        "cart": { "total": "129.90", "currency": "EUR" },
        "page": "/cart",
        "placement": "cart-page",
    })
}

documented! {
    asked Asked;
    answered Answered;
    query Parameters;
    refused Refusals = KEYED, BODY, &[ProblemCode::NotRemembered];
}

/// Decides what to offer a shopper.
///
/// A discount, recommendations, or nothing (`offer` is `null`), with the shopper's cohort, the probabilities it rests on and the
/// reasons. Probabilities are those of the models that serve, blended with the prior as far as their evidence does not carry;
/// `source` names them. A small share of shoppers never gets an offer (`untreated`).
///
/// A cart in the request (`total` and `currency`, or `items` with prices) counts instead of the one that actions told of. A
/// shopper of whom nothing is known gets an answer with the reason `unknown_shopper`. Where something behind is down or late
/// the answer says `degraded`, and the reasons say why; it is never an error for that.
///
/// With `at` (RFC 3339) it is dry: answered as of then, not recorded, not counted. 422 if `at` lies before what is still
/// remembered of the shopper: the 25 hours before the newest action, and 256 actions at most.
#[utoipa::path(post, path = "/v1/decisions", operation_id = "decide", tag = "decisions",
    params(Parameters), request_body = Asked,
    responses((status = 200, description = "The decision", body = Answered), Refusals))]
pub(crate) async fn decide(
    State(api): State<Arc<Api>>,
    request: Request,
) -> Result<Response, Problem> {
    let answer = answer(&api, request.map(RequestBody::from)).await?;
    Ok(answer.map(Body::new))
}

/// The same in front of the router: a shop asks on every page.
pub(crate) fn direct(api: &Arc<Api>, protection: Protection) -> DirectRoute {
    let api = Arc::clone(api);
    let keyed = move |request: http::Request<RequestBody>| {
        let api = Arc::clone(&api);
        async move {
            match api.keys.require(request.headers(), Role::Admin) {
                Ok(_) => answer(&api, request).await,
                Err(problem) => {
                    Box::pin(BodyReader::of(request).1.discard()).await;
                    Err(problem)
                }
            }
        }
    };
    DirectRoute::new(Method::POST, "/v1/decisions", protection, keyed)
}

/// Answers a caller who may ask.
async fn answer(
    api: &Api,
    request: http::Request<RequestBody>,
) -> Result<foretide_http::Answer, Problem> {
    let (parts, body) = read_body(request, BODY_LIMITS, &api.budget).await?;
    let began = Instant::now();
    let at = match parts.uri.query() {
        Some(_) => parse_at(parameters::<Parameters>(&parts.uri)?.at.as_deref())?,
        None => None,
    };
    let asked: Asked = parse_json(&body)?;
    let question = asked.question(api, at)?;
    let partition = question.partition;
    let mut record = decided(api, question)?;
    let dry = at.is_some();
    if !dry {
        keep(api, &mut record, partition);
        count(api, &record, began);
    }
    let text = Answer::of(&record, dry).text();
    Ok(direct_answer(parts.headers, text))
}

impl Asked {
    fn question(self, api: &Api, at: Option<EpochMs>) -> Result<Question, Problem> {
        let given = |text: &Text<{ SessionId::MAX_CHARS }>| SessionId::new(text).ok();
        let shopper = self.shopper.resolve(&api.pseudonymiser, "shopper")?;
        Ok(Question {
            shopper,
            partition: api.table.partition_of(&shopper),
            at,
            session: self.session.as_ref().and_then(given),
            cart: self.cart.map(NamedCart::resolve).transpose()?.flatten(),
            page: self.page.and_then(|page| page.kept()),
            placement: self.placement,
            request_id: self.request_id,
        })
    }
}

/// Queues the record for the log, in its shopper's `partition`. Where that fails, the answer says so.
fn keep(api: &Api, record: &mut DecisionRecord, partition: u32) {
    if let Err(why) = api.recorder.record(record, partition) {
        record.degraded = true;
        record.degraded_by.push(ReasonCode::DecisionQueueFull);
        record
            .reasons
            .push(Reason::new(ReasonCode::DecisionQueueFull, why.text()));
    }
}

fn count(api: &Api, record: &DecisionRecord, began: Instant) {
    let kind = record.served.as_ref().map(|offer| offer.content.kind());
    api.recorder.decided(kind);
    for cause in &record.degraded_by {
        api.metrics
            .degraded
            .with_label_values(&[cause.as_str()])
            .inc();
    }
    if let Some(age_ms) = record.features.age_ms {
        api.metrics.features_age.observe(age_ms as f64 / 1000.0);
    }
    api.metrics.deciding.observe(began.elapsed().as_secs_f64());
}

#[cfg(test)]
mod learnt_tests;
#[cfg(test)]
mod tests;
