//! The addresses in the `type` of every error: what the code means and what to do, for people and programs.

use askama::Template;
use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::assets::address;
use crate::{
    state::AppState,
    toolkit::{
        code::Code,
        error::ApiError,
        html::{BY_ACCEPT, Page, wants_html},
        openapi::{ErrorList, Errors},
    },
};

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show))
}

/// What an error code means.
#[derive(Serialize, ToSchema)]
#[schema(as = Explanation)]
pub(crate) struct ExplanationOut {
    code: Code,
    /// The status that comes with it.
    #[schema(example = 409, minimum = 400, maximum = 599)]
    status: u16,
    #[schema(example = "Email already registered")]
    title: &'static str,
    /// What happened and what to do.
    explanation: &'static str,
}

impl ExplanationOut {
    /// The explanation in pieces, of which every second one is code.
    fn pieces(&self) -> impl Iterator<Item = (bool, &str)> {
        self.explanation
            .split('`')
            .enumerate()
            .map(|(at, piece)| (at % 2 == 1, piece))
    }
}

impl From<Code> for ExplanationOut {
    fn from(code: Code) -> Self {
        Self {
            code,
            status: code.status().as_u16(),
            title: code.title(),
            explanation: code.explanation(),
        }
    }
}

#[derive(Template)]
#[template(path = "explanations.html")]
struct Explanations {
    title: &'static str,
    product: String,
    root: String,
    style: String,
    icon: String,
    explanations: Vec<ExplanationOut>,
}

impl Explanations {
    fn new(state: &AppState, title: &'static str, explanations: Vec<ExplanationOut>) -> Page<Self> {
        let root = state.root.clone();
        let (style, icon) = (address(&root, "pages.css"), address(&root, "icon.svg"));
        Page::new(Self {
            title,
            product: state.config.product_name.clone(),
            root,
            style,
            icon,
            explanations,
        })
    }
}

/// Every error code
#[utoipa::path(
    get, path = "/problems", operation_id = "listProblems", tag = "Service",
    responses((
        status = 200, description = "What each error code means",
        content((Vec<ExplanationOut> = "application/json"), (String = "text/html")),
    )),
    security(()),
)]
async fn list(State(state): State<AppState>, headers: HeaderMap) -> Response {
    let explanations = state
        .described
        .codes
        .iter()
        .copied()
        .map(ExplanationOut::from)
        .collect();
    if wants_html(&headers) {
        Explanations::new(&state, "Error codes", explanations).into_response()
    } else {
        (BY_ACCEPT, Json(explanations)).into_response()
    }
}

/// One error code
///
/// The address in the `type` of an error leads here.
#[utoipa::path(
    get, path = "/problems/{code}", operation_id = "getProblem", tag = "Service",
    params(("code" = Code, Path, description = "The code", example = "email_exists")),
    responses(
        (
            status = 200, description = "What it means",
            content((ExplanationOut = "application/json"), (String = "text/html")),
        ),
        Errors<Show>,
    ),
    security(()),
)]
async fn show(
    State(state): State<AppState>,
    code: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let code = code
        .ok()
        .and_then(|Path(word)| state.described.codes.iter().copied().find(|code| code.as_str() == word))
        .ok_or(Code::NOT_FOUND)?;
    Ok(if wants_html(&headers) {
        Explanations::new(&state, code.title(), vec![code.into()]).into_response()
    } else {
        (BY_ACCEPT, Json(ExplanationOut::from(code))).into_response()
    })
}

/// Needs no database.
struct Show;

impl ErrorList for Show {
    const CODES: &'static [&'static [Code]] = &[&[Code::NOT_FOUND]];
}
