//! The page of one object, as it is drawn for a person.

use askama::Template;
use sea_orm::DbErr;

use super::form::{Fieldset, Filled, Input, fieldsets};
use super::save::{Difference, differences_of};
use super::{chosen::FROM, snapshot::Snapshot};
use super::{history, inlines, model_request::ModelRequest};
use crate::declare::deletion::{DELETE, Deletion, RESTORE};
use crate::declare::{action::Action, checklist::CheckTable, meta::Operation, panel::Panel};
use crate::error::AdminError;
use crate::lists::back::{back_parameter, back_query, href};
use crate::request::sent::Fields;
use crate::rows::cell::{Cell, Names};
use crate::rows::names::{names, reference};
use crate::rows::options::all_options;
use crate::rows::{draft::Draft, row::Row};
use crate::shell::frame::Shell;
use crate::text::path_segment;

/// Seconds between the looks of a page whose object changes by itself.
const EVERY: u16 = 3;

#[derive(Template)]
#[template(path = "object.html")]
pub(super) struct ObjectPage {
    shell: Shell,
    heading: String,
    /// State badges beside the heading.
    badges: Vec<Cell>,
    /// Where the form is sent.
    action: String,
    fieldsets: Vec<Fieldset>,
    /// Errors as the summary lists them: the field's name, its label, what is wrong.
    errors: Vec<(&'static str, String, String)>,
    differences: Vec<Difference>,
    pub(super) stale: bool,
    version: Option<(&'static str, String)>,
    /// A snapshot of what the page shows, for actions without a confirmation page.
    seen: String,
    panels: Vec<Panel>,
    buttons: Vec<ActionButton>,
    delete_href: Option<String>,
    restore_href: Option<String>,
    checklist: Option<CheckTable>,
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
    /// Why a person with the permission may not change this one.
    locked: Option<String>,
}

struct ActionButton {
    name: &'static str,
    label: &'static str,
    /// The confirmation page, if there is one.
    href: Option<String>,
}

/// What an object's page is drawn from.
pub(super) struct Drawing<'a> {
    request: &'a ModelRequest,
    fields: &'a Fields,
}

impl<'a> Drawing<'a> {
    pub(super) fn new(request: &'a ModelRequest, fields: &'a Fields) -> Self {
        Self { request, fields }
    }

    pub(super) async fn blank(&self) -> Result<ObjectPage, DbErr> {
        self.new_object(&Filled::Blank(self.fields), vec![]).await
    }

    pub(super) async fn new_again(&self, draft: &Draft) -> Result<ObjectPage, DbErr> {
        self.new_object(&Filled::Typed(draft, None), self.errors(draft)).await
    }

    async fn new_object(
        &self,
        filled: &Filled<'_>,
        errors: Vec<(&'static str, String, String)>,
    ) -> Result<ObjectPage, DbErr> {
        let ModelRequest {
            context, staff, model, ..
        } = self.request;
        let related = all_options(&context.db, &context.site, staff, model, None, Some(self.fields)).await?;
        let heading = format!("New {}", model.meta.singular);
        Ok(ObjectPage {
            action: format!("{}/new", model.href()),
            fieldsets: fieldsets(model, filled, &Names::new(), &related, true),
            checklist: model.checklist.map(|checklist| {
                let posted = self.fields.all(checklist.name).map(str::to_owned).collect();
                let error = match filled {
                    Filled::Typed(draft, _) => draft.error(checklist.name),
                    _ => None,
                };
                checklist.table(context.site.offered(checklist), staff, &posted, true, error)
            }),
            errors,
            editable: true,
            is_new: true,
            ..self.page(heading)
        })
    }

    pub(super) async fn stored(&self, row: Row) -> Result<ObjectPage, AdminError> {
        self.existing(&Filled::Stored(&row), &row).await
    }

    pub(super) async fn again(
        &self,
        draft: &Draft,
        row: Row,
        differences: Vec<Difference>,
    ) -> Result<ObjectPage, AdminError> {
        let mut page = self.existing(&Filled::Typed(draft, Some(&row)), &row).await?;
        page.errors = self.errors(draft);
        page.differences.splice(0..0, differences);
        Ok(page)
    }

    async fn existing(&self, filled: &Filled<'_>, row: &Row) -> Result<ObjectPage, AdminError> {
        let Self { request, fields } = *self;
        let ModelRequest {
            context, staff, model, ..
        } = request;
        let id = row.text(model.id).unwrap_or_default();
        let locked =
            (model.locked_for)(row, staff, Operation::Change.as_str()).filter(|_| request.may(Operation::Change));
        let editable = request.may(Operation::Change) && locked.is_none();
        let inlines = inlines::fill(&context.db, &context.site, &model.inlines, &id, staff, fields).await?;
        let own = model.fields.iter().map(|spec| (spec, row));
        let beside = inlines.iter().flat_map(inlines::InlineRows::values);
        let references = own.chain(beside).filter_map(|(spec, row)| reference(spec, row));
        let names = names(&context.db, &context.site, staff, references.collect()).await?;
        let checklist = self.checklist(filled, row, editable).await?;
        let sent = Some(fields).filter(|_| matches!(filled, Filled::Typed(..)));
        let related = all_options(&context.db, &context.site, staff, model, row.get(model.id), sent).await?;
        let here = model.object_href(&id);
        let mut panels = vec![];
        for of_app in &model.panels {
            panels.extend(of_app(context, row, staff).await?);
        }
        panels.extend(inlines.iter().map(|inline| inline.panel(&here, &id, fields, &names)));
        let badges = model.listed().map(|spec| model.cell(spec, row, &names));
        let mut page = ObjectPage {
            action: format!("{}/{id}", model.href()),
            fieldsets: fieldsets(model, filled, &names, &related, editable),
            version: model
                .row_version()
                .map(|spec| (spec.name, row.text(spec.name).unwrap_or_default())),
            seen: Snapshot::shown(model, row).text(),
            panels,
            checklist,
            differences: differences_of(model, &related),
            history_href: history::may_see(&context.site, staff).then(|| format!("{here}/history")),
            export_href: request.may(Operation::Export).then(|| format!("{here}/export.json")),
            badges: badges.filter(|cell| cell.tone.is_some()).collect(),
            editable,
            locked,
            banner: (model.banner)(row),
            ..self.acts(row, &id, &here)
        };
        // What somebody has typed is not replaced.
        if matches!(filled, Filled::Stored(_)) && (model.is_live)(row) {
            page.shell = page.shell.live(EVERY).told_of(context, model.meta.name, Some(&id));
        }
        Ok(page)
    }

    /// The page with the actions that this person may run on the object.
    fn acts(&self, row: &Row, id: &str, here: &str) -> ObjectPage {
        let (model, staff) = (&self.request.model, &self.request.staff);
        let is_free = |act: &str| (model.locked_for)(row, staff, act).is_none();
        let list = back_query(self.fields);
        let (and_list, with_list) = (back_parameter('&', &list), back_parameter('?', &list));
        let fits = |action: &&&Action| {
            let own = !matches!(action.name, DELETE | RESTORE);
            own && is_free(action.name) && staff.may(&action.permission(model)) && (action.fits)(row)
        };
        let asking_href = |action: &Action| {
            let (href, name, id) = (model.href(), action.name, path_segment(id));
            format!("{href}/actions?action={name}&id={id}&{FROM}={id}{and_list}")
        };
        let button = |action: &&Action| ActionButton {
            name: action.name,
            label: action.label,
            href: action.confirms.then(|| asking_href(action)),
        };
        let (may_delete, is_deleted) = (self.request.may(Operation::Delete), model.is_deleted(row));
        let may_restore = may_delete && staff.may(&Deletion::UNDO.permission(model));
        ObjectPage {
            buttons: model.actions.iter().filter(fits).map(button).collect(),
            delete_href: (may_delete && !is_deleted && is_free(DELETE)).then(|| format!("{here}/delete{with_list}")),
            restore_href: (may_restore && is_deleted && is_free(RESTORE)).then(|| format!("{here}/restore")),
            id: id.to_owned(),
            ..self.page(model.label(row))
        }
    }

    /// The model's checklist, as it is stored or as it was sent.
    async fn checklist(&self, filled: &Filled<'_>, row: &Row, editable: bool) -> Result<Option<CheckTable>, DbErr> {
        let ModelRequest { context, staff, .. } = self.request;
        let Some(checklist) = self.request.model.checklist else {
            return Ok(None);
        };
        let stored = (checklist.load)(context, row).await?;
        let (checked, error) = match filled {
            Filled::Typed(draft, _) => (
                self.fields.all(checklist.name).map(str::to_owned).collect(),
                draft.error(checklist.name),
            ),
            _ => (stored, None),
        };
        Ok(Some(checklist.table(
            context.site.offered(checklist),
            staff,
            &checked,
            editable,
            error,
        )))
    }

    fn page(&self, heading: String) -> ObjectPage {
        let ModelRequest {
            context,
            visit,
            staff,
            model,
            ..
        } = self.request;
        let query = back_query(self.fields);
        let may_see = self.request.may(Operation::View);
        let list_href = if may_see {
            href(model, &query)
        } else {
            context.site.home()
        };
        let shell = Shell::new(context, visit, staff, heading.clone());
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
            checklist: None,
            actions_href: format!("{}/actions", model.href()),
            id: String::new(),
            history_href: None,
            export_href: None,
            list_query: query,
            list_href,
            editable: false,
            is_new: false,
            banner: None,
            locked: None,
        }
    }

    fn errors(&self, draft: &Draft) -> Vec<(&'static str, String, String)> {
        let model = &self.request.model;
        let checklist = model.checklist.map(|checklist| checklist.title).unwrap_or_default();
        let label = |name| {
            let spec = model.field(name);
            spec.map_or_else(|| checklist.to_owned(), |spec| spec.label.clone())
        };
        draft
            .errors()
            .iter()
            .map(|(name, words)| (*name, label(name), words.clone()))
            .collect()
    }
}
