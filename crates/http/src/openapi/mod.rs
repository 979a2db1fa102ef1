//! The description of the HTTP interface, `OpenAPI` 3.1, generated from the code that serves it.
//!
//! A route and its documentation are one thing: handlers carry `#[utoipa::path]`, and routers are made by
//! `utoipa_axum::routes!`, so that a route without documentation does not exist. Schemas come from the types that parse and
//! answer, by their `schemars::JsonSchema`; [`documented!`](crate::documented) makes them known to `utoipa`:
//!
//! ```
//! use foretide_http::{documented, openapi::{BODY, KEYED}, ProblemCode};
//!
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! struct Asked { name: String }
//! #[derive(serde::Serialize, schemars::JsonSchema)]
//! struct Answer { greeting: String }
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! struct Parameters { loud: Option<bool> }
//!
//! documented! {
//!     asked Asked;
//!     answered Answer;
//!     query Parameters;
//!     refused Refusals = KEYED, BODY, &[ProblemCode::NotFound];
//! }
//!
//! /// Greets.
//! #[utoipa::path(post, path = "/v1/greetings", tag = "greetings", params(Parameters), request_body = Asked,
//!     responses((status = 200, description = "Greeted", body = Answer), Refusals))]
//! async fn greet() {}
//!
//! let (router, document) = utoipa_axum::router::OpenApiRouter::<()>::default()
//!     .routes(utoipa_axum::routes!(greet))
//!     .split_for_parts();
//! let served = router.merge(foretide_http::openapi::route(vec![document]));
//! # drop(served);
//! ```
//!
//! [`route`] serves the documents of all services of a process as one, at `GET /openapi.json`.

mod document;
mod refusals;
mod schema;

pub(crate) use document::admin_route;
pub use document::route;
pub use refusals::{BODY, KEYED, refusals};
pub use schema::{Written, answered, asked, parameters};

#[doc(hidden)]
pub use utoipa;

/// Makes types known to the description of the interface. One line each, ended by a semicolon:
///
/// * `asked T` — the body of a request, by its `JsonSchema` for deserialising;
/// * `answered T` — the body of an answer, by its `JsonSchema` for serialising;
/// * `written T = EXPR` — a body whose JSON Schema is a `serde_json::Value`; declares the type `T`, which is only a name;
/// * `query T`, `path T`, `header T` — parameters: one for each member of the type's `JsonSchema`;
/// * `refused T = SET, …` — declares the type `T`, which stands for the refusals with the codes of all sets, each a
///   `&[ProblemCode]`.
#[macro_export]
macro_rules! documented {
    () => {};
    (asked $type:ty; $($rest:tt)*) => {
        $crate::documented!(@schema $type, $crate::openapi::asked::<$type>());
        $crate::documented!($($rest)*);
    };
    (answered $type:ty; $($rest:tt)*) => {
        $crate::documented!(@schema $type, $crate::openapi::answered::<$type>());
        $crate::documented!($($rest)*);
    };
    (written $type:ident = $schema:expr; $($rest:tt)*) => {
        /// Names a schema.
        pub(crate) struct $type;
        $crate::documented!(@schema $type, $crate::openapi::Written::new(stringify!($type), $schema));
        $crate::documented!($($rest)*);
    };
    (query $type:ty; $($rest:tt)*) => {
        $crate::documented!(@parameters $type, Query);
        $crate::documented!($($rest)*);
    };
    (path $type:ty; $($rest:tt)*) => {
        $crate::documented!(@parameters $type, Path);
        $crate::documented!($($rest)*);
    };
    (header $type:ty; $($rest:tt)*) => {
        $crate::documented!(@parameters $type, Header);
        $crate::documented!($($rest)*);
    };
    (refused $type:ident = $($set:expr),+; $($rest:tt)*) => {
        /// Names the refusals of a route.
        pub(crate) struct $type;
        impl $crate::openapi::utoipa::IntoResponses for $type {
            fn responses() -> ::std::collections::BTreeMap<
                ::std::string::String,
                $crate::openapi::utoipa::openapi::RefOr<$crate::openapi::utoipa::openapi::Response>,
            > {
                $crate::openapi::refusals(&[$(&$set[..]),+].concat())
            }
        }
        $crate::documented!($($rest)*);
    };
    (@schema $type:ty, $written:expr) => {
        impl $crate::openapi::utoipa::PartialSchema for $type {
            fn schema() -> $crate::openapi::utoipa::openapi::RefOr<$crate::openapi::utoipa::openapi::Schema> {
                $written.schema
            }
        }
        impl $crate::openapi::utoipa::ToSchema for $type {
            fn name() -> ::std::borrow::Cow<'static, str> {
                $written.name
            }
            fn schemas(
                schemas: &mut ::std::vec::Vec<(
                    ::std::string::String,
                    $crate::openapi::utoipa::openapi::RefOr<$crate::openapi::utoipa::openapi::Schema>,
                )>,
            ) {
                schemas.extend($written.parts);
            }
        }
    };
    (@parameters $type:ty, $place:ident) => {
        impl $crate::openapi::utoipa::IntoParams for $type {
            fn into_params(
                _: impl Fn() -> ::std::option::Option<$crate::openapi::utoipa::openapi::path::ParameterIn>,
            ) -> ::std::vec::Vec<$crate::openapi::utoipa::openapi::path::Parameter> {
                $crate::openapi::parameters::<$type>(
                    &$crate::openapi::utoipa::openapi::path::ParameterIn::$place,
                )
            }
        }
    };
}
