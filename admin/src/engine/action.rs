//! What staff can do to objects beyond editing them: on one object's page, or on the ticked rows of a list.

use axum::{
    extract::{Path, State},
    response::Response,
};
use sea_orm::{
    ConnectionTrait,
    sea_query::{Expr, ExprTrait},
};
use usher_shared::audit::{self, Entry};

use super::{
    model::{Answer, Model, Saving},
    object::back_query,
    row::Row,
};
use crate::{error::AdminError, posted::Posted, staff::Staff, state::AppState, visit::Visit};

/// An act on objects of one model.
#[derive(Debug)]
pub(crate) struct Action {
    /// In the posted form, in the permission `jobs.retry` and in the audit log.
    pub(crate) name: &'static str,
    /// On the button.
    pub(crate) label: &'static str,
    /// In the message afterwards: "3 jobs retried".
    pub(crate) done: &'static str,
    /// Said of those that it does not fit.
    pub(crate) unfit: &'static str,
    /// Whether it fits an object, as far as its row tells.
    pub(crate) fits: fn(&Row) -> bool,
    /// Does it to one object; false when it does not fit after all.
    pub(crate) run: for<'a> fn(&'a Saving<'a>, &'a Row) -> Answer<'a, bool>,
}

impl Action {
    pub(crate) fn permission(&self, model: &Model) -> String {
        format!("{}.{}", model.meta.name, self.name)
    }
}

/// `POST /admin/{models}/actions` with `action` and one `id` for each object. All of them or none: one
/// transaction, with an audit row for each object.
pub(crate) async fn run(
    State(state): State<AppState>,
    visit: Visit,
    staff: Staff,
    Path(name): Path<String>,
    Posted(form): Posted,
) -> Result<Response, AdminError> {
    let model = state.site.model(&name).ok_or(AdminError::NotFound)?;
    let wanted = form.get("action").unwrap_or_default();
    let action = model.actions.iter().find(|action| action.name == wanted);
    let Some(action) = action else {
        return Err(AdminError::BadRequest("Choose an action from the list".to_owned()));
    };
    staff.require(&action.permission(model))?;

    let ids: Vec<_> = form
        .all("id")
        .filter_map(|id| model.id_field().storage.parse(id))
        .collect();
    let back = back_query(&form).map_or_else(|| model.href(), |query| format!("{}?{query}", model.href()));
    let to = form.get("from_object").map_or(back, |id| {
        format!("{}/{}", model.href(), super::object::path_segment(id))
    });
    if ids.is_empty() {
        return Ok(visit.say_warning(format!("Tick the {} to {} first", model.meta.plural, action.name), &to));
    }

    let tx = state.ledger.begin().await?;
    let actor = staff.actor(&visit);
    let saving = Saving {
        tx: &tx,
        config: &state.config,
        actor: &actor,
        staff: &staff,
    };
    let mut done = 0;
    let select = model
        .select()
        .and_where(Expr::col(model.id).is_in(ids))
        .limit(super::keyset::PAGE)
        .to_owned();
    let results = tx.query_all(&select).await?;
    for result in &results {
        let row = Row::read(&model.fields, result)?;
        if (action.fits)(&row) && (action.run)(&saving, &row).await? {
            let entry = Entry {
                action: action.name,
                object_type: model.meta.singular,
                object_id: row.text(model.id),
                object_label: Some(model.label(&row)),
                ..Entry::default()
            };
            audit::record(&*tx, &actor, entry).await?;
            done += 1;
        }
    }
    tx.commit().await?;

    let noun = |count| {
        if count == 1 {
            model.meta.singular
        } else {
            model.meta.plural
        }
    };
    let unfit = results.len() - done;
    if unfit > 0 {
        let words = format!(
            "{done} {} {}; {unfit} left alone: {}",
            noun(done),
            action.done,
            action.unfit
        );
        return Ok(visit.say_warning(words, &to));
    }
    Ok(visit.say(format!("{done} {} {}", noun(done), action.done), &to))
}
