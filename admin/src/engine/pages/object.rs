//! One object's pages: a new one, an existing one to look at or to change.

use askama::Template;
use axum::{
    extract::{Path, RawQuery, State},
    http::StatusCode,
    response::Response,
};
use sea_orm::{
    ConnectionTrait, DbErr,
    sea_query::{Expr, ExprTrait},
};
use url::form_urlencoded;

use crate::engine::{declare::{action::FROM, checklist::TickTable, deletion::{self, Deletion}, inline, meta::Operation, model::Model, panel::Panel}, pages::{form::{Fieldset, Filled, Input, fieldsets}, save::{self, Difference, Outcome}, seen::Seen}, rows::{draft::Draft, names::{names, reference}, row::{Cell, Names, Row}}};
use crate::{engine::{error::AdminError, request::{posted::{Fields, Posted}, staff::Staff, visit::Visit}, shell::{frame::Shell, page}}, state::AppState};

/// Where those go who may not see what they added.
const HOME: &str = "/admin/";

/// The hidden field and parameter that hold the list's query, for the way back.
pub(crate) const BACK: &str = "_list";

#[derive(Template)]
#[template(path = "object.html")]
struct ObjectPage {
    shell: Shell,
    heading: String,
    /// Its state, beside the heading.
    badges: Vec<Cell>,
    /// Where the form is sent.
    action: String,
    fieldsets: Vec<Fieldset>,
    /// Errors as the summary lists them: the field's name, its label, what is wrong.
    errors: Vec<(&'static str, String, String)>,
    differences: Vec<Difference>,
    stale: bool,
    version: Option<(&'static str, String)>,
    /// What the page shows, for the actions that ask nothing.
    seen: String,
    panels: Vec<Panel>,
    buttons: Vec<ActionButton>,
    delete_href: Option<String>,
    restore_href: Option<String>,
    ticks: Option<TickTable>,
    actions_href: String,
    id: String,
    history_href: Option<String>,
    /// The object and what belongs to it as a file.
    export_href: Option<String>,
    list_query: String,
    list_href: String,
    editable: bool,
    is_new: bool,
    /// Whether the person may look at objects of this model at all.
    may_see: bool,
    banner: Option<String>,
    live: bool,
    /// Why a person with the permission may not change this one.
    locked: Option<String>,
}

struct ActionButton {
    name: &'static str,
    label: &'static str,
    /// The page that asks first, where one does.
    href: Option<String>,
}

/// Reads one object by the id in its address; none when there is no such object.
pub(crate) async fn find(db: &impl ConnectionTrait, model: &Model, id: &str) -> Result<Option<Row>, DbErr> {
    let Some(id) = model.id_field().storage.parse_id(id) else {
        return Ok(None);
    };
    let select = model.select_whole().and_where(Expr::col(model.id).eq(id)).to_owned();
    let result = db.query_one(&select).await?;
    result.map(|result| model.read_whole(&result)).transpose()
}

/// The list's query that a form carries, when it is one.
pub(crate) fn back_query(fields: &Fields) -> Option<String> {
    let query = fields.get(BACK).filter(|query| !query.is_empty())?;
    // Written anew, so that nothing but parameters can be in it.
    let pairs = form_urlencoded::parse(query.as_bytes());
    Some(
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish(),
    )
}

/// A text as one segment of a path.
pub(crate) fn path_segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// `GET /admin/{models}/new`; fields can be prefilled by `?field=value`.
pub(crate) async fn blank(
    State(state): State<AppState>,
    visit: Visit,
    staff: Staff,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, AdminError> {
    let model = permitted(&state, &staff, &name, Operation::Add)?;
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    if model.meta.fresh {
        staff.require_fresh(&visit, None)?;
    }
    let page = Drawing::new(&state, &visit, &staff, model, &fields).blank();
    page::show(&page)
}

/// `POST /admin/{models}/new`
pub(crate) async fn create(
    State(state): State<AppState>,
    visit: Visit,
    staff: Staff,
    Path(name): Path<String>,
    Posted(form): Posted,
) -> Result<Response, AdminError> {
    let model = permitted(&state, &staff, &name, Operation::Add)?;
    if model.meta.fresh {
        staff.require_fresh(&visit, Some(&form))?;
    }
    match save::create(&state, &visit, &staff, model, &form).await? {
        Ok(save::Created {
            tx,
            id,
            said: Some(words),
        }) => {
            // Where something is shown once, it is shown on the object's own page.
            let own = format!("{}/{}", model.href(), path_segment(&id));
            let may_see = staff.may(&model.meta.permission(Operation::View));
            tx.finish(visit.say(words, if may_see { &own } else { HOME })).await
        }
        Ok(save::Created { tx, id, said: None }) => {
            let words = format!("The {} was added", model.meta.singular);
            tx.finish(visit.say(words, &after_save(&staff, model, &id, &form)))
                .await
        }
        Err(draft) => {
            let page = Drawing::new(&state, &visit, &staff, model, &form).new_again(&draft);
            page::show_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

/// `GET /admin/{models}/{id}`
pub(crate) async fn show(
    State(state): State<AppState>,
    visit: Visit,
    staff: Staff,
    Path((name, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, AdminError> {
    let model = permitted(&state, &staff, &name, Operation::View)?;
    let Some(row) = find(&state.db, model, &id).await? else {
        if !staff.may(crate::engine::pages::history::AUDIT) {
            return Err(AdminError::NotFound);
        }
        return crate::engine::pages::history::of_gone(&state, model, &id).await;
    };
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let drawing = Drawing::new(&state, &visit, &staff, model, &fields);
    page::show(&drawing.stored(row).await?)
}

/// `POST /admin/{models}/{id}`
pub(crate) async fn change(
    State(state): State<AppState>,
    visit: Visit,
    staff: Staff,
    Path((name, id)): Path<(String, String)>,
    Posted(form): Posted,
) -> Result<Response, AdminError> {
    let model = permitted(&state, &staff, &name, Operation::Change)?;
    let key = model.id_field().storage.parse_id(&id).ok_or(AdminError::NotFound)?;
    if model.meta.fresh {
        staff.require_fresh(&visit, Some(&form))?;
    }
    let drawing = Drawing::new(&state, &visit, &staff, model, &form);
    match save::change(&state, &visit, &staff, model, &key, &form).await? {
        Outcome::Saved(tx) => {
            let words = format!("The {} was saved", model.meta.singular);
            tx.finish(visit.say(words, &after_save(&staff, model, &id, &form)))
                .await
        }
        Outcome::Unchanged => Ok(visit.say("Nothing was changed".to_owned(), &after_save(&staff, model, &id, &form))),
        Outcome::Invalid(draft, row) => page::show_with(
            StatusCode::UNPROCESSABLE_ENTITY,
            &drawing.again(&draft, row, vec![]).await?,
        ),
        Outcome::Stale(draft, row) => {
            let differences = save::differences(model, &draft, &row);
            let mut page = drawing.again(&draft, row, differences).await?;
            page.stale = true;
            page::show_with(StatusCode::CONFLICT, &page)
        }
    }
}

fn permitted<'a>(
    state: &'a AppState,
    staff: &Staff,
    name: &str,
    operation: Operation,
) -> Result<&'a Model, AdminError> {
    let model = state.site.model(name).ok_or(AdminError::NotFound)?;
    if !model.meta.offers(operation) {
        return Err(AdminError::NotFound);
    }
    // Whoever cannot look at objects learns nothing of them by trying to change them. Adding takes no look.
    if operation != Operation::Add {
        staff.require(&model.meta.permission(Operation::View))?;
    }
    staff.require(&model.meta.permission(operation))?;
    Ok(model)
}

/// The object again, or the list it was opened from, where the person may see it.
fn after_save(staff: &Staff, model: &Model, id: &str, form: &Fields) -> String {
    let back = back_query(form);
    if form.get("_save") == Some("another") {
        return format!("{}/new", model.href());
    }
    if !staff.may(&model.meta.permission(Operation::View)) {
        return HOME.to_owned();
    }
    if form.get("_save") == Some("continue") {
        let query = back
            .map(|query| format!("?{BACK}={}", path_segment(&query)))
            .unwrap_or_default();
        return format!("{}/{}{query}", model.href(), path_segment(id));
    }
    back.map_or_else(|| model.href(), |query| format!("{}?{query}", model.href()))
}

/// What every drawing of an object's page needs.
struct Drawing<'a> {
    state: &'a AppState,
    visit: &'a Visit,
    staff: &'a Staff,
    model: &'a Model,
    fields: &'a Fields,
}

impl<'a> Drawing<'a> {
    fn new(state: &'a AppState, visit: &'a Visit, staff: &'a Staff, model: &'a Model, fields: &'a Fields) -> Self {
        Self {
            state,
            visit,
            staff,
            model,
            fields,
        }
    }

    fn blank(&self) -> ObjectPage {
        self.new_object(&Filled::Blank(self.fields), vec![])
    }

    fn new_again(&self, draft: &Draft) -> ObjectPage {
        self.new_object(&Filled::Typed(draft, None), self.errors(draft))
    }

    fn new_object(&self, filled: &Filled<'_>, errors: Vec<(&'static str, String, String)>) -> ObjectPage {
        let heading = format!("New {}", self.model.meta.singular);
        ObjectPage {
            action: format!("{}/new", self.model.href()),
            fieldsets: fieldsets(self.model, filled, &Names::new(), true),
            ticks: self.model.ticks.map(|ticks| {
                let posted = self.fields.all(ticks.name).map(str::to_owned).collect();
                let error = match filled {
                    Filled::Typed(draft, _) => draft.error(ticks.name),
                    _ => None,
                };
                ticks.table(&self.state.site, self.staff, &posted, true, error)
            }),
            errors,
            editable: true,
            is_new: true,
            ..self.page(heading)
        }
    }

    async fn stored(&self, row: Row) -> Result<ObjectPage, AdminError> {
        self.existing(&Filled::Stored(&row), &row).await
    }

    async fn again(&self, draft: &Draft, row: Row, differences: Vec<Difference>) -> Result<ObjectPage, AdminError> {
        let page = self.existing(&Filled::Typed(draft, Some(&row)), &row).await?;
        Ok(ObjectPage {
            errors: self.errors(draft),
            differences,
            ..page
        })
    }

    async fn existing(&self, filled: &Filled<'_>, row: &Row) -> Result<ObjectPage, AdminError> {
        let Self {
            state, staff, model, ..
        } = *self;
        let id = row.text(model.id).unwrap_or_default();
        let may_change = model.meta.offers(Operation::Change) && staff.may(&model.meta.permission(Operation::Change));
        let is_free = |act: &str| (model.locked_for)(row, staff, act).is_none();
        let locked = (model.locked_for)(row, staff, Operation::Change.word()).filter(|_| may_change);
        let editable = may_change && locked.is_none();
        let inlines = inline::fill(&state.db, &state.site, &model.inlines, &id, staff, self.fields).await?;
        let own = model.fields.iter().map(|spec| (spec, row));
        let beside = inlines.iter().flat_map(inline::Filled::values);
        let references: Vec<_> = own
            .chain(beside)
            .filter_map(|(spec, row)| reference(spec, row))
            .collect();
        let names = names(&state.db, &state.site, staff, references).await?;
        let fits = |action: &&&crate::engine::Action| {
            let own = !matches!(action.name, delete::DELETE | delete::RESTORE);
            own && is_free(action.name) && staff.may(&action.permission(model)) && (action.fits)(row)
        };
        let buttons = model.actions.iter().filter(fits);
        let may_delete = model.meta.offers(Operation::Delete) && staff.may(&model.meta.permission(Operation::Delete));
        let may_restore = may_delete && staff.may(&Deletion::UNDO.permission(model));
        let may_export = staff.may(&model.meta.permission(Operation::Export));
        let is_deleted = model.is_deleted(row);
        let ticks = match model.ticks {
            Some(ticks) => {
                let stored = (ticks.load)(state, row).await?;
                let (ticked, error) = match filled {
                    Filled::Typed(draft, _) => (
                        self.fields.all(ticks.name).map(str::to_owned).collect(),
                        draft.error(ticks.name),
                    ),
                    _ => (stored, None),
                };
                Some(ticks.table(&state.site, staff, &ticked, editable, error))
            }
            None => None,
        };
        let here = format!("{}/{}", model.href(), path_segment(&id));
        let list = back_query(self.fields).map(|query| format!("{BACK}={}", path_segment(&query)));
        let and_list = list.as_ref().map(|list| format!("&{list}")).unwrap_or_default();
        let with_list = list.map(|list| format!("?{list}")).unwrap_or_default();
        let mut panels = (model.panels)(state, row, staff).await?;
        let inlines = inlines.iter();
        panels.extend(inlines.map(|inline| inline.panel(&here, &id, self.fields, &names)));
        Ok(ObjectPage {
            action: format!("{}/{id}", model.href()),
            fieldsets: fieldsets(model, filled, &names, editable),
            version: model
                .row_version()
                .map(|spec| (spec.name, row.text(spec.name).unwrap_or_default())),
            seen: Seen::shown(model, row).text(),
            panels,
            buttons: buttons
                .map(|action| ActionButton {
                    name: action.name,
                    label: action.label,
                    href: action.grave.then(|| {
                        let id = path_segment(&id);
                        format!(
                            "{}/actions?action={}&id={id}&{FROM}={id}{and_list}",
                            model.href(),
                            action.name
                        )
                    }),
                })
                .collect(),
            delete_href: (may_delete && !is_deleted && is_free(delete::DELETE))
                .then(|| format!("{here}/delete{with_list}")),
            restore_href: (may_restore && is_deleted && is_free(delete::RESTORE)).then(|| format!("{here}/restore")),
            ticks,
            history_href: staff.may(crate::engine::pages::history::AUDIT).then(|| format!("{here}/history")),
            export_href: may_export.then(|| format!("{here}/export.json")),
            badges: model
                .listed()
                .map(|spec| model.cell(spec, row, &names))
                .filter(|cell| cell.tone.is_some())
                .collect(),
            editable,
            locked,
            banner: (model.banner)(row),
            live: (model.is_live)(row),
            id,
            ..self.page(model.label(row))
        })
    }

    fn page(&self, heading: String) -> ObjectPage {
        let Self {
            state,
            visit,
            staff,
            model,
            fields,
        } = *self;
        let query = back_query(fields).unwrap_or_default();
        let may_see = staff.may(&model.meta.permission(Operation::View));
        let list_href = match query.as_str() {
            _ if !may_see => HOME.to_owned(),
            "" => model.href(),
            query => format!("{}?{query}", model.href()),
        };
        let shell = Shell::new(state, visit, staff, heading.clone());
        let shell = if may_see {
            shell.crumb(model.meta.title(), list_href.clone())
        } else {
            shell
        };
        ObjectPage {
            shell: shell.here(heading.clone()),
            may_see,
            heading,
            badges: vec![],
            action: String::new(),
            fieldsets: vec![],
            errors: vec![],
            differences: vec![],
            stale: false,
            version: None,
            seen: String::new(),
            panels: vec![],
            buttons: vec![],
            delete_href: None,
            restore_href: None,
            ticks: None,
            actions_href: format!("{}/actions", model.href()),
            id: String::new(),
            history_href: None,
            export_href: None,
            list_query: query,
            list_href,
            editable: false,
            is_new: false,
            banner: None,
            live: false,
            locked: None,
        }
    }

    fn errors(&self, draft: &Draft) -> Vec<(&'static str, String, String)> {
        let ticks = self.model.ticks.map(|ticks| ticks.title).unwrap_or_default();
        let label = |name| {
            self.model
                .field(name)
                .map_or_else(|| ticks.to_owned(), |spec| spec.label.clone())
        };
        draft
            .errors()
            .iter()
            .map(|(name, words)| (*name, label(name), words.clone()))
            .collect()
    }
}
