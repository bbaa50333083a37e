//! The confirmation page of an action: what will be done to how many objects, and the action's parameters.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::{http::StatusCode, response::Response};
use sea_orm::{ConnectionTrait, DbErr};

use crate::declare::deletion::{Affected, DELETE, preview};
use crate::declare::params::{Param, REASON};
use crate::declare::{checklist::CheckOption, model::Model};
use crate::error::AdminError;
use crate::lists::back::BACK;
use crate::lists::selection::{ALL, ID, NAMED, Selection};
use crate::pages::chosen::{Chosen, FROM};
use crate::pages::model_request::ModelRequest;
use crate::pages::snapshot::{Change, SEEN, Snapshot};
use crate::request::sent::Fields;
use crate::rows::row::Row;
use crate::shell::{frame::Shell, page};

/// Objects that the page names.
const SHOWN: usize = 8;

#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmPage {
    shell: Shell,
    heading: String,
    about: &'static str,
    /// The objects that it will run on.
    named: Vec<(String, String)>,
    /// "and 12 more".
    more: Option<String>,
    /// How many will be skipped, and why.
    unfit: Option<String>,
    /// Whether someone changed the object since it was opened, and what.
    stale: bool,
    changes: Vec<Change>,
    questions: Vec<Question>,
    preview: Vec<Affected>,
    /// Why it asks once more.
    changed: Option<String>,
    refused: Option<String>,
    label: &'static str,
    action: &'static str,
    actions_href: String,
    kept: Vec<(String, String)>,
    back: String,
}

struct Question {
    name: &'static str,
    label: &'static str,
    help: String,
    error: Option<String>,
    required: bool,
    input: Asked,
}

enum Asked {
    Text(String),
    Time(String),
    Checklist(Vec<CheckOption>),
}

/// `GET {models}/actions?action=&id=`
pub(crate) async fn show(request: ModelRequest) -> Result<Response, AdminError> {
    let form = request.parameters();
    page(&Chosen::read(&request, &form)?, StatusCode::OK, Again::No).await
}

/// Asks once more, because more objects match by now than were named. Typed values stay.
pub(crate) async fn again(chosen: &Chosen<'_>, before: &Selection) -> Result<Response, AdminError> {
    let of_selection = [NAMED, ID];
    let anew = Fields::of(chosen.form.iter().filter(|(name, _)| !of_selection.contains(name)));
    let named = usize::try_from(before.named().unwrap_or_default()).unwrap_or(usize::MAX);
    let changed = format!(
        "The list changed while you were confirming: it had {} before. Nothing was done. Review it and confirm again.",
        chosen.request.model.meta.counted(named)
    );
    let chosen = Chosen { form: &anew, ..*chosen };
    page(&chosen, StatusCode::CONFLICT, Again::Matched(changed)).await
}

/// Why the page is shown again.
pub(crate) enum Again<'a> {
    No,
    /// Errors of the parameters.
    Errors(BTreeMap<&'static str, String>),
    /// Someone changed the object since; what the person had seen, if known.
    Stale(Option<&'a Snapshot>),
    /// More match by now than were named; the message.
    Matched(String),
}

/// Draws it for the action and objects that a form has chosen.
pub(crate) async fn page(chosen: &Chosen<'_>, status: StatusCode, again: Again<'_>) -> Result<Response, AdminError> {
    let Chosen { request, action, form } = *chosen;
    let ModelRequest {
        context, staff, model, ..
    } = request;
    let Some(selection) = Selection::read(&context.db, model, staff, form).await? else {
        return Ok(chosen.nothing_selected());
    };
    let (rows, beyond) = selection.rows(&context.db, model).await?;
    if rows.is_empty() {
        return Err(AdminError::NotFound);
    }
    if action.is_for_one() && (rows.len() > 1 || beyond) {
        return Ok(chosen.one_at_a_time());
    }
    let (number, mut kept) = kept(&context.db, model, form, &selection, &rows, beyond).await?;
    let (fit, unfit): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| (action.fits)(row));
    let deletion = model.deletion.filter(|_| action.name == DELETE);
    let (preview, refused) = match deletion {
        Some(deletion) => preview(&context.db, staff, deletion, model, &selection.condition(model)).await?,
        None => (vec![], None),
    };
    let refused = refused.map(|why| format!("This can't be deleted. {why}"));
    let too_many = beyond && action.enqueue(model).is_none();
    let mut questions = vec![];
    for param in action.params {
        questions.push(question(chosen, param, &again, fit.first().copied()).await?);
    }
    let now = Snapshot::now(chosen, &fit).await?;
    let changes = match (&again, &fit[..]) {
        (Again::Stale(Some(seen)), [row]) => seen.changes(&now, model, row, &options(&questions)),
        _ => vec![],
    };
    // After a typing error the person has still seen what they saw before.
    let before = form.get(SEEN).filter(|_| matches!(again, Again::Errors(_)));
    kept.push((SEEN.to_owned(), before.map_or_else(|| now.text(), str::to_owned)));
    let is_one = fit.len() == 1 && !beyond;
    let heading = match fit.first() {
        Some(row) if is_one => format!("{}: {}", action.label, model.label(row)),
        _ => {
            let count = model.meta.counted(if beyond { number } else { fit.len() });
            format!("{}: {count}", action.label)
        }
    };
    let page = ConfirmPage {
        shell: request.shell(heading.clone()).here(action.label),
        heading,
        about: deletion.map_or(action.about, |deletion| deletion.about),
        more: (fit.len() > SHOWN && !beyond).then(|| format!("and {} more", fit.len() - SHOWN)),
        named: if is_one { vec![] } else { named(model, &fit) },
        unfit: (!unfit.is_empty()).then(|| {
            let count = model.meta.counted(unfit.len());
            format!("{count} will be skipped: {}", action.unfit)
        }),
        stale: matches!(again, Again::Stale(_)),
        changes,
        questions,
        preview,
        changed: match again {
            Again::Matched(words) => Some(words),
            _ => None,
        },
        refused: refused.or_else(|| too_many.then(|| chosen.too_many())),
        label: action.label,
        action: action.name,
        actions_href: format!("{}/actions", model.href()),
        kept,
        back: chosen.way_back(),
    };
    page::show_with(status, &page)
}

/// The first objects, as name and address.
fn named(model: &Model, rows: &[&Row]) -> Vec<(String, String)> {
    let href = |row: &Row| format!("{}/{}", model.href(), row.text(model.id).unwrap_or_default());
    rows.iter()
        .take(SHOWN)
        .map(|row| (model.label(row), href(row)))
        .collect()
}

/// The number of selected objects, and the hidden fields that carry them: what is named here is what will be done.
async fn kept(
    db: &impl ConnectionTrait,
    model: &Model,
    form: &Fields,
    selection: &Selection,
    rows: &[Row],
    beyond: bool,
) -> Result<(usize, Vec<(String, String)>), DbErr> {
    let own = |names: &'static [&'static str]| {
        let pairs = form.iter().filter(|(name, _)| names.contains(name));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let mut kept: Vec<_> = own(&[BACK, ALL, FROM]).collect();
    let mut number = rows.len();
    match selection {
        Selection::Matching(_) if beyond => {
            let (counted, newest) = selection.count(db, model).await?;
            number = usize::try_from(counted).unwrap_or(usize::MAX);
            kept.push((NAMED.to_owned(), format!("{counted} {newest}")));
        }
        Selection::Matching(_) => {
            kept.push((NAMED.to_owned(), "these".to_owned()));
            let ids = rows.iter().filter_map(|row| row.text(model.id));
            kept.extend(ids.map(|id| (ID.to_owned(), id)));
        }
        Selection::Ids(ids) => {
            number = ids.len();
            kept.extend(own(&[ID]));
        }
        Selection::Named { .. } | Selection::Counted { .. } => {
            number = selection
                .named()
                .map_or(number, |named| usize::try_from(named).unwrap_or(usize::MAX));
            kept.extend(own(&[NAMED, ID]));
        }
    }
    Ok((number, kept))
}

/// The options of all checklists.
fn options(questions: &[Question]) -> Vec<CheckOption> {
    let checklist = questions.iter().filter_map(|question| match &question.input {
        Asked::Checklist(options) => Some(options.clone()),
        _ => None,
    });
    checklist.flatten().collect()
}

async fn question(
    chosen: &Chosen<'_>,
    param: &Param,
    again: &Again<'_>,
    row: Option<&Row>,
) -> Result<Question, AdminError> {
    let errors = match again {
        Again::Errors(errors) => Some(errors),
        _ => None,
    };
    let Chosen { request, form, .. } = *chosen;
    let typed = |name: &str| form.get(name).unwrap_or_default().to_owned();
    let error = |name: &str| errors.and_then(|errors| errors.get(name).cloned());
    Ok(match param {
        Param::Reason { required } => Question {
            name: REASON,
            label: "Reason",
            help: "Saved in the history under your name".to_owned(),
            error: error(REASON),
            required: *required,
            input: Asked::Text(typed(REASON)),
        },
        Param::Time { name, label, help } => Question {
            name,
            label,
            help: (*help).to_owned(),
            error: error(name),
            required: false,
            input: Asked::Time(typed(name)),
        },
        Param::Checklist { name, label, offered } => {
            let mut options = match row {
                Some(row) => offered(&request.context, &request.staff, row).await?,
                None => vec![],
            };
            // Checked options are kept, like typed values.
            if !matches!(again, Again::No) {
                let again: BTreeSet<_> = form.all(name).collect();
                for option in &mut options {
                    option.checked = again.contains(option.value.as_str());
                }
            }
            Question {
                name,
                label,
                help: String::new(),
                error: error(name),
                required: false,
                input: Asked::Checklist(options),
            }
        }
    })
}
