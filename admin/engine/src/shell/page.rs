//! Rendering a template as a response.
//!
//! An application's own page is a template of its own crate, drawn inside the frame by [`framed`]: the page has header,
//! navigation, messages, style sheet and theme without access to the engine's templates.
//!
//! ```
//! use askama::Template;
//! use axum::{extract::State, response::Response};
//! use usher_admin_engine::{AdminContext, AdminError, Cell, Panel, Posted, Shell, Staff, Visit, headings, page};
//!
//! #[derive(Template)]
//! #[template(ext = "html", source = r#"
//!     <div class="head"><h1>Board</h1></div>
//!     {{ oldest }}
//!     <form method="post" class="card narrow stack">
//!       <input type="hidden" name="csrf_token" value="{{ csrf }}">
//!       <div class="field"><label for="note">Note</label><input id="note" name="note"></div>
//!       <div class="confirm-buttons"><button class="primary">Save</button></div>
//!     </form>
//! "#)]
//! struct Board {
//!     csrf: String,
//!     oldest: Panel,
//! }
//!
//! async fn board(State(context): State<AdminContext>, visit: Visit, staff: Staff) -> Result<Response, AdminError> {
//!     let shell = Shell::new(&context, &visit, &staff, "Board").here("Board");
//!     let board = Board {
//!         csrf: shell.csrf.to_string(),
//!         oldest: Panel {
//!             title: "Oldest tickets".to_owned(),
//!             columns: headings(["Subject"]),
//!             rows: vec![vec![Cell::link("No connection", "/admin/tickets/1")]],
//!             ..Panel::default()
//!         },
//!     };
//!     page::framed(shell, &board)
//! }
//!
//! /// What the form sends. `Posted` has checked its token; the transaction makes it take effect once.
//! async fn note(
//!     State(context): State<AdminContext>,
//!     visit: Visit,
//!     staff: Staff,
//!     Posted(form): Posted,
//! ) -> Result<Response, AdminError> {
//!     staff.require("tickets.change")?;
//!     let note = form.get("note").unwrap_or_default();
//!     let tx = form.begin(&context).await?;
//!     // Changes go through `&**tx`, with an audit entry by `staff.actor(&visit)`.
//!     tx.finish(visit.say(format!("Noted: {note}"), "/admin/tickets/board")).await
//! }
//! ```
//!
//! A [`Panel`](crate::Panel) and a [`Cell`](crate::Cell) draw themselves in a template. Beside them these classes are
//! there for pages: `head` (heading and buttons), `title`, `head-tools`, `about`; `card` (a box), with `panel`,
//! `panel-head`, `panel-tools` and `panel-empty` for tables, `narrow` and `stack` for forms; `table-frame` (scrolls a
//! broad table), `number` and `time` for cells, `none` for a missing value; `field`, `field-help`, `field-error`,
//! `tick-label`, `confirm-buttons`; `button`, `primary`, `danger`; `badge` and `message` with `good`, `busy`,
//! `warning`, `bad` or `quiet`; `groups` and `group` (cards of figures), `empty`, `quiet`, `unseen`. Scripts and styles
//! in the page itself don't run: the admin's content security policy refuses them.

use std::sync::Arc;

use askama::Template;
use axum::{
    http::{
        HeaderName, StatusCode,
        header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    response::{Html, IntoResponse, Response},
};

use super::frame::Shell;
use crate::error::AdminError;

/// A page, 200.
pub fn show(page: &impl Template) -> Result<Response, AdminError> {
    show_with(StatusCode::OK, page)
}

/// The headers of a file for download.
pub fn attachment(media_type: &str, file: &str) -> [(HeaderName, String); 2] {
    [
        (CONTENT_TYPE, media_type.to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{file}\"")),
    ]
}

/// A page of a template that doesn't know the frame, 200.
pub fn framed(shell: Shell, content: &impl Template) -> Result<Response, AdminError> {
    framed_with(StatusCode::OK, shell, content)
}

/// The same with another status, such as 422 for a form with errors.
pub fn framed_with(status: StatusCode, shell: Shell, content: &impl Template) -> Result<Response, AdminError> {
    let content = &rendered(content)?;
    show_with(status, &Framed { shell, content })
}

/// The same for HTML that is there already.
pub fn framed_html(shell: Shell, content: &Html<impl AsRef<str>>) -> Result<Response, AdminError> {
    let content = content.0.as_ref();
    show(&Framed { shell, content })
}

/// HTML inside the frame.
#[derive(Template)]
#[template(path = "framed.html")]
struct Framed<'a> {
    shell: Shell,
    content: &'a str,
}

/// A page with another status.
pub fn show_with(status: StatusCode, page: &impl Template) -> Result<Response, AdminError> {
    Ok((status, Html(rendered(page)?)).into_response())
}

fn rendered(page: &impl Template) -> Result<String, AdminError> {
    page.render()
        .map_err(|error| AdminError::Internal(Arc::new(error.into())))
}
