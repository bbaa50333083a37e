//! GraphiQL, a page to write queries in, whole from the binary.

use askama::Template;
use axum::response::{IntoResponse, Response};

use super::assets;
use crate::{state::AppState, toolkit::html::Page};

/// Scripts and styles come from here alone, and so do answers. GraphiQL and its editor write style elements of their
/// own; its fonts are in its styles.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    font-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(Template)]
#[template(path = "graphiql.html")]
struct GraphiQl {
    title: String,
    address: String,
    icon: String,
    styles: [String; 2],
    scripts: [String; 4],
}

/// The page, for the address of GraphQL.
pub(crate) fn graphiql(state: &AppState, path: &str) -> Response {
    let at = |name| assets::address(&state.root, name);
    let page = GraphiQl {
        title: format!("{} GraphQL", state.described.name),
        address: format!("{}{path}", state.root),
        icon: at("icon.svg"),
        styles: ["graphiql.min.css", "graphiql.css"].map(at),
        scripts: ["react.js", "react-dom.js", "graphiql.min.js", "graphiql.js"].map(at),
    };
    Page::new(page).policy(POLICY).into_response()
}
