//! Saving a form: the row, what belongs to it, and the audit row, in one transaction or not at all.

use std::collections::BTreeSet;

use sea_orm::{
    ConnectionTrait, DbErr, SqlErr, Value,
    sea_query::{Expr, ExprTrait, Query},
};
use serde_json::{Map, Value as Json, json};
use usher_shared::{
    audit::{self, Entry},
    foundation::time::now,
};

use super::model_request::ModelRequest;
use crate::declare::saving::{Changed, SaveContext};
use crate::declare::{meta::Operation, model::Model, spec::Kind};
use crate::error::AdminError;
use crate::request::{form_token::FormTx, sent::Fields};
use crate::rows::cell::{Cell, Names};
use crate::rows::draft::{Draft, shown};
use crate::rows::options::{self, AllOptions};
use crate::rows::related_change::RelatedChange;
use crate::rows::{find::find, row::Row, storage::text_of};

/// The result of saving an existing object.
pub(crate) enum SaveResult {
    /// In this transaction, still to be committed.
    Saved(Box<FormTx>),
    /// The form equals the row.
    Unchanged,
    Invalid(Draft, Row),
    /// Someone saved the object since the form was opened.
    Stale(Draft, Row),
}

/// A new object, in a transaction that is still to be committed.
pub(crate) struct Created {
    pub(crate) tx: FormTx,
    pub(crate) id: String,
    /// A message such as a secret that is shown once.
    pub(crate) said: Option<String>,
}

/// Changes an object as the form says.
pub(crate) async fn change(request: &ModelRequest, id: &Value, form: &Fields) -> Result<SaveResult, AdminError> {
    let ModelRequest {
        context,
        visit,
        staff,
        model,
        ..
    } = request;
    let tx = form.begin(context).await?;
    let select = model
        .select()
        .and_where(Expr::col(model.id).eq(id.clone()))
        .lock_exclusive()
        .to_owned();
    let result = tx.query_one(&select).await?.ok_or(AdminError::NotFound)?;
    let row = Row::read(&model.fields, &result)?;
    if let Some(why) = (model.locked_for)(&row, staff, Operation::Change.as_str()) {
        return Err(AdminError::Forbidden(why));
    }
    let mut draft = Draft::read(&model.fields, form, Some(&row));
    if let Some(version) = model.row_version()
        && form.get(version.name) != row.text(version.name).as_deref()
    {
        return Ok(SaveResult::Stale(draft, row));
    }
    let actor = staff.actor(visit);
    let mut saving = SaveContext::new(&**model, &tx, context, &actor, staff);
    (model.clean)(&mut draft, Some(&row), &context.config);
    draft.require_texts(&model.fields, Some(&row));
    refuse_dangling(request, &**tx, &mut draft).await?;
    if draft.errors().is_empty() {
        (model.guard)(&saving, &row, &mut draft).await?;
    }
    if draft.errors().is_empty() {
        saving.checked = newly_checked(request, form, &row, &mut draft).await?;
        saving.related = newly_related(request, &**tx, form, Some(id), &mut draft).await?.into();
    }
    if !draft.errors().is_empty() {
        return Ok(SaveResult::Invalid(draft, row));
    }
    let changes = draft.changes(&row);
    let is_sensitive = |column: &str| model.field(column).is_some_and(|spec| spec.sensitive);
    if changes.iter().any(|(column, _)| is_sensitive(column)) {
        staff.require_fresh(visit, Some(form))?;
    }
    let written = match model.change {
        Some(change) => {
            let changed = change(&saving, &row, &mut draft).await;
            and_related(&saving, model, id, &row, changed).await
        }
        None => write(&saving, model, id, &row, &changes).await,
    };
    match written {
        Ok(Changed::Saved) => Ok(SaveResult::Saved(Box::new(tx))),
        Ok(Changed::Unchanged) => Ok(SaveResult::Unchanged),
        Ok(Changed::Refused) => Ok(SaveResult::Invalid(draft, row)),
        Err(error) => {
            refuse_taken(model, &mut draft, error)?;
            Ok(SaveResult::Invalid(draft, row))
        }
    }
}

/// The checked options of the model's checklist, if they differ from what is stored. Errors go to the draft.
async fn newly_checked(
    request: &ModelRequest,
    form: &Fields,
    row: &Row,
    draft: &mut Draft,
) -> Result<Option<BTreeSet<String>>, DbErr> {
    let ModelRequest { context, staff, .. } = request;
    let Some(checklist) = request.model.checklist else {
        return Ok(None);
    };
    let stored = (checklist.load)(context, row).await?;
    match checklist.wanted(&context.site.offered(checklist), staff, form, &stored) {
        Ok(wanted) => Ok(Some(wanted).filter(|wanted| *wanted != stored)),
        Err(words) => {
            draft.refuse_by_name(checklist.name, words);
            Ok(None)
        }
    }
}

/// What the form changes of relations. Errors go to the draft.
async fn newly_related(
    request: &ModelRequest,
    tx: &impl ConnectionTrait,
    form: &Fields,
    own: Option<&Value>,
    draft: &mut Draft,
) -> Result<Vec<RelatedChange>, DbErr> {
    let ModelRequest {
        context, staff, model, ..
    } = request;
    match options::changes(tx, &context.site, staff, model, own, form).await? {
        Ok(changes) => Ok(changes),
        Err((field, words)) => {
            draft.refuse_by_name(field, words);
            Ok(vec![])
        }
    }
}

/// Stores the relations after a model's own change, with an audit row of their own.
async fn and_related(
    saving: &SaveContext<'_>,
    model: &Model,
    id: &Value,
    row: &Row,
    changed: Result<Changed, DbErr>,
) -> Result<Changed, DbErr> {
    let changed = changed?;
    let related = saving.take_related();
    if changed == Changed::Refused || related.is_empty() {
        return Ok(changed);
    }
    if changed == Changed::Unchanged {
        update(&**saving.tx, model, id, &[]).await?;
    }
    finish(saving, (model, id, row), related, Map::new()).await?;
    Ok(Changed::Saved)
}

/// Stores the relations, and writes the audit row of the whole change.
async fn finish(
    saving: &SaveContext<'_>,
    (model, id, row): (&Model, &Value, &Row),
    related: Vec<RelatedChange>,
    mut changes: Map<String, Json>,
) -> Result<(), DbErr> {
    for change in related {
        change.store(&**saving.tx, id).await?;
        changes.insert(change.name.to_owned(), change.audited());
    }
    let entry = Entry {
        changes: Some(Json::Object(changes)),
        ..model.entry(row, "update")
    };
    audit::record(&**saving.tx, saving.actor, entry).await
}

/// Writes the changed columns, the relations, and the audit row.
async fn write(
    saving: &SaveContext<'_>,
    model: &Model,
    id: &Value,
    row: &Row,
    changes: &[(&'static str, Value)],
) -> Result<Changed, DbErr> {
    let related = saving.take_related();
    if changes.is_empty() && related.is_empty() {
        return Ok(Changed::Unchanged);
    }
    update(&**saving.tx, model, id, changes).await?;
    finish(saving, (model, id, row), related, before_and_after(model, row, changes)).await?;
    Ok(Changed::Saved)
}

/// Creates an object through the model's own `create`. Returns it, or the draft with its errors.
pub(crate) async fn create(request: &ModelRequest, form: &Fields) -> Result<Result<Created, Draft>, AdminError> {
    let ModelRequest {
        context,
        visit,
        staff,
        model,
        ..
    } = request;
    let mut draft = Draft::read(&model.fields, form, None);
    (model.clean)(&mut draft, None, &context.config);
    draft.require_texts(&model.fields, None);
    if !draft.errors().is_empty() {
        return Ok(Err(draft));
    }
    let mut checked = None;
    if let Some(checklist) = model.checklist {
        match checklist.wanted(&context.site.offered(checklist), staff, form, &BTreeSet::new()) {
            Ok(wanted) => checked = Some(wanted),
            Err(words) => {
                draft.refuse_by_name(checklist.name, words);
                return Ok(Err(draft));
            }
        }
    }
    let tx = form.begin(context).await?;
    let actor = staff.actor(visit);
    let mut saving = SaveContext::new(&**model, &tx, context, &actor, staff);
    saving.checked = checked;
    refuse_dangling(request, &**tx, &mut draft).await?;
    saving.related = newly_related(request, &**tx, form, None, &mut draft).await?.into();
    if !draft.errors().is_empty() {
        return Ok(Err(draft));
    }
    match (model.create)(&saving, &mut draft).await {
        Ok(Some(id)) => {
            relate_new(&saving, model, &id).await?;
            let said = saving.said();
            Ok(Ok(Created { tx, id, said }))
        }
        Ok(None) => Ok(Err(draft)),
        Err(error) => {
            refuse_taken(model, &mut draft, error)?;
            Ok(Err(draft))
        }
    }
}

/// Stores the relations of a new object.
async fn relate_new(saving: &SaveContext<'_>, model: &Model, id: &str) -> Result<(), DbErr> {
    let related = saving.take_related();
    if related.is_empty() {
        return Ok(());
    }
    let row = find(&**saving.tx, model, id).await?;
    match row.as_ref().and_then(|row| Some((row, row.get(model.id)?))) {
        Some((row, id)) => finish(saving, (model, id, row), related, Map::new()).await,
        None => Ok(()),
    }
}

/// Refuses ids of objects that don't exist.
async fn refuse_dangling(request: &ModelRequest, tx: &impl ConnectionTrait, draft: &mut Draft) -> Result<(), DbErr> {
    for spec in &request.model.fields {
        let Kind::ForeignKey(to) = spec.kind else { continue };
        let (Some(to), Some(id)) = (request.context.site.model(to), draft.value(spec.name).and_then(text_of)) else {
            continue;
        };
        if find(tx, to, &id).await?.is_none() {
            draft.refuse_by_name(spec.name, format!("No {} has this ID", to.meta.singular));
        }
    }
    Ok(())
}

async fn update(
    tx: &impl ConnectionTrait,
    model: &Model,
    id: &Value,
    changes: &[(&'static str, Value)],
) -> Result<(), DbErr> {
    let mut update = Query::update();
    update.table(model.table).and_where(Expr::col(model.id).eq(id.clone()));
    for (column, value) in changes {
        update.value(*column, value.clone());
    }
    for spec in &model.fields {
        match spec.kind {
            Kind::RowVersion => drop(update.value(spec.name, Expr::col(spec.name).add(1))),
            Kind::Touched => drop(update.value(spec.name, Expr::val(now()))),
            _ => {}
        }
    }
    if update.get_values().is_empty() {
        return Ok(());
    }
    tx.execute(&update).await.map(drop)
}

/// Turns a violated unique constraint into an error beside the field; passes on other errors.
fn refuse_taken(model: &Model, draft: &mut Draft, error: DbErr) -> Result<(), AdminError> {
    let Some(SqlErr::UniqueConstraintViolation(violated)) = error.sql_err() else {
        return Err(error.into());
    };
    let Some((column, words)) = (model.taken)(&violated) else {
        return Err(error.into());
    };
    draft.refuse_by_name(column, words);
    Ok(())
}

/// `{"field": [before, after]}`, without columns that staff never see.
fn before_and_after(model: &Model, row: &Row, changes: &[(&'static str, Value)]) -> Map<String, Json> {
    let mut fields = Map::new();
    for (column, after) in changes {
        let shown = model
            .field(column)
            .is_some_and(|spec| !matches!(spec.kind, Kind::Internal | Kind::Secret));
        if shown {
            fields.insert((*column).to_owned(), json!([row.text(column), text_of(after)]));
        }
    }
    fields
}

/// One field of a stale save: what is stored now, and what was typed.
pub(crate) struct Difference {
    pub(crate) label: String,
    pub(crate) stored: Cell,
    pub(crate) typed: String,
}

/// The relations in which what is stored and what was checked differ.
pub(crate) fn differences_of(model: &Model, related: &AllOptions) -> Vec<Difference> {
    let differ = related.iter().filter_map(|(name, options)| {
        let (stored, typed) = (options.names(), options.checked());
        let label = model.field(name).map(|spec| spec.label.clone()).unwrap_or_default();
        let stored = Cell::text(Some(stored).filter(|stored| *stored != typed)?);
        Some(Difference { label, stored, typed })
    });
    differ.collect()
}

/// The fields in which the stored row and the typed values differ; relations are for [`differences_of`].
pub(crate) fn differences(model: &Model, draft: &Draft, row: &Row) -> Vec<Difference> {
    let editable = model.fields.iter().filter(|spec| spec.is_asked(false));
    let differ = editable.filter_map(|spec| {
        let typed = draft.typed_by_name(spec.name)?;
        (typed != shown(spec, row)).then(|| Difference {
            label: spec.label.clone(),
            stored: Cell::whole(spec, row, &Names::new()),
            typed: typed.to_owned(),
        })
    });
    differ.collect()
}
