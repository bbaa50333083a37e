//! What staff can do to objects beyond editing them: on one object's page, on the ticked rows of a list, or on all
//! that match its filters.

use std::{borrow::Cow, sync::Mutex};

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use sea_orm::DbErr;
use usher_shared::audit::{self, Entry};

use crate::engine::{declare::{deletion::{self, Deletion}, model::{Answer, Model, Saving}, params::{Answers, Ask}}, lists::selection::{AT_ONCE, Selection}, pages::{bulk, confirm::{self, Again}, object::{BACK, back_query, path_segment}, seen::Seen}, rows::row::Row};
use crate::{engine::{error::AdminError, request::{posted::{Fields, Posted}, staff::Staff, visit::Visit}}, state::AppState};

/// The field that a confirmed form holds.
pub(crate) const CONFIRMED: &str = "_confirmed";
/// The object on whose page the action was chosen.
pub(crate) const FROM: &str = "from_object";

/// An act on objects of one model.
#[derive(Debug)]
pub(crate) struct Action {
    /// In the posted form, in the permission `jobs.retry` and in the audit log.
    pub(crate) name: &'static str,
    /// On the button.
    pub(crate) label: &'static str,
    /// In the message afterwards: "3 jobs retried".
    pub(crate) done: &'static str,
    /// What it means, on the page that asks whether it is meant.
    pub(crate) about: &'static str,
    pub(crate) asks: &'static [Ask],
    /// Whether it is confirmed even for one object.
    pub(crate) grave: bool,
    /// Whether the password must have been shown within the last minutes.
    pub(crate) fresh: bool,
    /// Whether it is done to one object at a time.
    single: bool,
    /// Whether it fits an object, as far as its row tells.
    pub(crate) fits: fn(&Row) -> bool,
    /// Said of those that it does not fit.
    pub(crate) unfit: &'static str,
    /// Does it to one object.
    pub(crate) run: for<'a> fn(&'a Acting<'a>, &'a Row) -> Answer<'a, Ran>,
    /// Orders a job that does it to more objects than are done at once.
    pub(crate) bulk: Option<bulk::Order>,
}

/// What became of one object.
#[derive(Debug)]
pub(crate) enum Ran {
    Done,
    /// Done, and already written down with more detail than the engine knows.
    Recorded,
    /// Left alone, and why.
    Unfit(Cow<'static, str>),
}

/// What an action is given.
pub(crate) struct Acting<'a> {
    pub(crate) state: &'a AppState,
    pub(crate) model: &'a Model,
    pub(crate) saving: &'a Saving<'a>,
    pub(crate) answers: &'a Answers,
    /// What the person had seen; none where the form does not say.
    pub(crate) seen: Option<&'a Seen>,
}

impl Action {
    /// One that fits every object and takes no confirmation on an object's own page.
    pub(crate) const fn new(
        name: &'static str,
        label: &'static str,
        run: for<'a> fn(&'a Acting<'a>, &'a Row) -> Answer<'a, Ran>,
    ) -> Self {
        Self {
            name,
            label,
            done: "done",
            about: "",
            asks: &[],
            grave: false,
            fresh: false,
            single: false,
            fits: |_| true,
            unfit: "it does not fit them",
            run,
            bulk: None,
        }
    }

    pub(crate) const fn done(self, done: &'static str) -> Self {
        Self { done, ..self }
    }

    pub(crate) const fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }

    pub(crate) const fn asks(self, asks: &'static [Ask]) -> Self {
        Self {
            asks,
            grave: true,
            ..self
        }
    }

    pub(crate) const fn grave(self) -> Self {
        Self { grave: true, ..self }
    }

    pub(crate) const fn fresh(self) -> Self {
        Self {
            fresh: true,
            grave: true,
            ..self
        }
    }

    /// Done to one object at a time, on its own page.
    pub(crate) const fn single(self) -> Self {
        Self { single: true, ..self }
    }

    pub(crate) const fn fits(self, fits: fn(&Row) -> bool, unfit: &'static str) -> Self {
        Self { fits, unfit, ..self }
    }

    pub(crate) const fn bulk(self, order: bulk::Order) -> Self {
        Self {
            bulk: Some(order),
            ..self
        }
    }

    /// What orders the job, where there is one.
    pub(crate) fn order(&self, model: &Model) -> Option<bulk::Order> {
        let of_deletion = || model.deletion.filter(|_| self.name == delete::DELETE)?.bulk;
        self.bulk.or_else(of_deletion)
    }

    pub(crate) fn permission(&self, model: &Model) -> String {
        format!("{}.{}", model.meta.name, self.name)
    }

    pub(crate) fn one_at_a_time(&self, model: &Model) -> String {
        format!("{} is done to one {} at a time", self.label, model.meta.singular)
    }

    /// Whether it replaces what was seen, such as a set or an end, so that it is not done unseen.
    pub(crate) fn replaces(&self) -> bool {
        self.asks
            .iter()
            .any(|ask| matches!(ask, Ask::Some { .. } | Ask::Until { .. }))
    }

    /// Whether it is done to one object at a time, as one that asks something that depends on the object always is.
    pub(crate) fn is_for_one(&self) -> bool {
        self.single || self.asks.iter().any(|ask| matches!(ask, Ask::Some { .. }))
    }
}

/// The action that a form names, if this person may do it.
pub(crate) fn chosen<'a>(
    state: &'a AppState,
    staff: &Staff,
    name: &str,
    form: &Fields,
) -> Result<(&'a Model, &'a Action), AdminError> {
    let model = state.site.model(name).ok_or(AdminError::NotFound)?;
    let wanted = form.get("action").unwrap_or_default();
    let action = model.actions.iter().find(|action| action.name == wanted);
    let Some(action) = action else {
        let may_any = model.actions.iter().any(|action| staff.may(&action.permission(model)));
        if !may_any {
            staff.require(&format!("{}.action", model.meta.name))?;
        }
        return Err(AdminError::BadRequest("Choose an action from the list".to_owned()));
    };
    staff.require(&model.meta.permission(crate::engine::Operation::View))?;
    staff.require(&action.permission(model))?;
    Ok((model, action))
}

/// Where a form of actions came from: an object's page, which still knows its list, or the list.
pub(crate) fn way_back(model: &Model, form: &Fields) -> String {
    match form.get(FROM) {
        Some(id) => {
            let list = back_query(form).map(|query| format!("?{BACK}={}", path_segment(&query)));
            format!("{}/{}{}", model.href(), path_segment(id), list.unwrap_or_default())
        }
        None => list_of(model, form),
    }
}

/// The list as it was left.
fn list_of(model: &Model, form: &Fields) -> String {
    back_query(form).map_or_else(|| model.href(), |query| format!("{}?{query}", model.href()))
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
    if form.get("action") == Some("")
        && let Some(model) = state.site.model(&name)
    {
        staff.require(&model.meta.permission(crate::engine::Operation::View))?;
        return Ok(visit.say_warning("Choose an action first".to_owned(), &way_back(model, &form)));
    }
    let (model, action) = chosen(&state, &staff, &name, &form)?;
    let to = way_back(model, &form);
    let Some(selection) = Selection::read(&state.db, model, &staff, &form).await? else {
        let words = format!("Tick the {} first, then choose what to do with them", model.meta.plural);
        return Ok(visit.say_warning(words, &to));
    };
    let is_asked = action.grave || form.get(FROM).is_none();
    if selection.is_unnamed() || is_asked && form.get(CONFIRMED).is_none() {
        return confirm::page(&state, &visit, &staff, model, action, &form, Again::No).await;
    }
    // Whatever is done to a key or a role is a change of what somebody may do.
    if action.fresh || model.meta.fresh {
        staff.require_fresh(&visit, Some(&form))?;
    }
    let answers = match Answers::read(action.asks, &form) {
        Ok(answers) => answers,
        Err(errors) => {
            let mut page = confirm::page(&state, &visit, &staff, model, action, &form, Again::Errors(errors)).await?;
            *page.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            return Ok(page);
        }
    };
    let tx = form.begin(&state).await?;
    let (rows, more) = selection.held(&tx, model).await?;
    if rows.len() as u64 > selection.named().unwrap_or(AT_ONCE) {
        tx.rollback().await?;
        return confirm::again(&state, &visit, &staff, model, action, &form, &selection).await;
    }
    if action.is_for_one() && (rows.len() > 1 || more) {
        return Ok(visit.say_warning(action.one_at_a_time(model), &to));
    }
    let seen = Seen::read(&form);
    if let [row] = &rows[..]
        && !more
        && (seen.is_some() || action.replaces())
        && (action.fits)(row)
        && (model.locked_for)(row, &staff, action.name).is_none()
    {
        let now = Seen::now(&state, &staff, model, action, &[row]).await?;
        let seen = seen.as_ref();
        if seen.is_none_or(|seen| seen.is_stale(model, row) || (action.replaces() && seen.differs(&now))) {
            tx.rollback().await?;
            let mut page = confirm::page(&state, &visit, &staff, model, action, &form, Again::Stale(seen)).await?;
            *page.status_mut() = StatusCode::CONFLICT;
            return Ok(page);
        }
    }
    let actor = staff.actor(&visit);
    let saving = Saving {
        tx: &tx,
        config: &state.config,
        actor: &actor,
        staff: &staff,
        ticked: None,
        said: Mutex::default(),
    };
    let acting = Acting {
        state: &state,
        model,
        saving: &saving,
        answers: &answers,
        seen: seen.as_ref(),
    };
    if more {
        let Some((job, rows)) = bulk::order(&acting, action, &selection).await? else {
            return Ok(visit.say_warning(bulk::too_many(model, action), &to));
        };
        if selection.named().is_some_and(|named| rows > named) {
            tx.rollback().await?;
            return confirm::again(&state, &visit, &staff, model, action, &form, &selection).await;
        }
        let jobs = staff.may("jobs.view").then(|| "/admin/jobs".to_owned());
        return tx.finish(bulk::say(&visit, model, action, job, rows, jobs)).await;
    }
    let mut tally = act(&acting, action, &rows).await?;
    tally.changed(selection.named(), rows.len());
    tally.remarks = saving.remarks();
    let response = match saving.said() {
        Some(words) => visit.say(words, &to),
        // What is deleted has no page to go back to, or one that only restores it.
        None if action.name == delete::DELETE && tally.done > 0 => {
            tally.say_deleted(&visit, model, &rows, &list_of(model, &form))
        }
        None => tally.say(&visit, model, action, &to),
    };
    tx.finish(response).await
}

/// How many were done, and why the others were not.
#[derive(Default)]
pub(crate) struct Tally {
    done: usize,
    left_alone: Vec<String>,
    remarks: Vec<String>,
}

/// Does it to these rows, in the caller's transaction.
pub(crate) async fn act(acting: &Acting<'_>, action: &Action, rows: &[Row]) -> Result<Tally, DbErr> {
    let mut tally = Tally::default();
    for row in rows {
        match acted(acting, action, row).await? {
            None => tally.done += 1,
            Some(why) => tally.left_alone.push(why),
        }
    }
    Ok(tally)
}

/// Does it to one row, with its audit row; answers why it was left alone, if it was.
pub(crate) async fn acted(acting: &Acting<'_>, action: &Action, row: &Row) -> Result<Option<String>, DbErr> {
    let Acting { model, saving, .. } = *acting;
    if let Some(why) = (model.locked_for)(row, saving.staff, action.name) {
        return Ok(Some(why));
    }
    if !(action.fits)(row) {
        return Ok(Some(action.unfit.to_owned()));
    }
    if acting.seen.is_some_and(|seen| seen.is_stale(model, row)) {
        return Ok(Some("it was changed since the page was opened".to_owned()));
    }
    match (action.run)(acting, row).await? {
        Ran::Unfit(why) => Ok(Some(why.into_owned())),
        Ran::Recorded => Ok(None),
        Ran::Done => {
            let entry = Entry {
                action: action.name,
                object_type: model.meta.object_type(),
                object_id: row.text(model.id),
                object_label: Some(model.label(row)),
                reason: acting
                    .answers
                    .reason
                    .clone()
                    .map(usher_shared::foundation::rules::Reason::into_text),
                changes: None,
            };
            audit::record(&**saving.tx, saving.actor, entry).await?;
            Ok(None)
        }
    }
}

impl Tally {
    /// Counts those that were named and match the list no longer.
    fn changed(&mut self, named: Option<u64>, rows: usize) {
        let gone = named.map_or(0, |named| {
            usize::try_from(named).unwrap_or(usize::MAX).saturating_sub(rows)
        });
        self.left_alone
            .extend((0..gone).map(|_| "it no longer matches the list".to_owned()));
    }

    /// One that can be restored is led to.
    fn say_deleted(&self, visit: &Visit, model: &Model, rows: &[Row], to: &str) -> Response {
        match rows {
            [row] if model.soft().is_some() => {
                let words = format!("{} deleted", model.meta.counted(1));
                let own = format!(
                    "{}/{}",
                    model.href(),
                    path_segment(&row.text(model.id).unwrap_or_default())
                );
                visit.say_with(words, (&own, "Undo"), to)
            }
            _ => self.say(visit, model, &Deletion::ACTION, to),
        }
    }

    fn say(&self, visit: &Visit, model: &Model, action: &Action, to: &str) -> Response {
        let mut done = format!("{} {}", model.meta.counted(self.done), action.done);
        for remark in &self.remarks {
            done = format!("{done}; {remark}");
        }
        let Some(why) = self.left_alone.first() else {
            return if self.remarks.is_empty() {
                visit.say(done, to)
            } else {
                visit.say_warning(done, to)
            };
        };
        visit.say_warning(format!("{done}; {} left alone: {why}", self.left_alone.len()), to)
    }
}
