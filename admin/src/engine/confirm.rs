//! The page between an action and its effect: what will be done to how many, and what the action asks.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::{
    extract::{Path, RawQuery, State},
    response::Response,
};

use super::{
    action::{ALL, Action, FROM, Selection, chosen, way_back},
    answers::{Ask, REASON},
    delete,
    model::Model,
    object::BACK,
    row::Row,
    ticks::TickOption,
};
use crate::{error::AdminError, page, posted::Fields, shell::Shell, staff::Staff, state::AppState, visit::Visit};

/// Objects that are named.
const NAMED: usize = 8;

#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmPage {
    shell: Shell,
    heading: String,
    about: &'static str,
    /// Those it will be done to.
    named: Vec<(String, String)>,
    /// "and 12 more".
    more: Option<String>,
    /// Those it does not fit: how many, and why.
    unfit: Option<String>,
    questions: Vec<Question>,
    preview: Vec<delete::Goes>,
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
    Ticks(Vec<TickOption>),
}

/// `GET /admin/{models}/actions?action=&id=`
pub(crate) async fn show(
    State(state): State<AppState>,
    visit: Visit,
    staff: Staff,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, AdminError> {
    let form = Fields::parse(query.unwrap_or_default().as_bytes());
    let (model, action) = chosen(&state, &staff, &name, &form)?;
    page(&state, &visit, &staff, model, action, &form, None).await
}

/// Draws it for what a form has chosen, with what is wrong with the answers so far.
pub(crate) async fn page(
    state: &AppState,
    visit: &Visit,
    staff: &Staff,
    model: &Model,
    action: &Action,
    form: &Fields,
    errors: Option<BTreeMap<&'static str, String>>,
) -> Result<Response, AdminError> {
    let back = way_back(model, form);
    let Some(selection) = Selection::read(&state.db, model, form).await? else {
        let words = format!("Tick the {} first, then choose what to do with them", model.meta.plural);
        return Ok(visit.say_warning(words, &back));
    };
    let (rows, beyond) = selection.rows(&state.db, model).await?;
    if rows.is_empty() {
        return Err(AdminError::NotFound);
    }
    let (fit, unfit): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| (action.fits)(row));
    let count = if beyond {
        let condition = selection.condition(model);
        super::count::Count::of(&state.db, model, true, &condition)
            .await?
            .words(model.meta.singular, model.meta.plural)
    } else {
        model.meta.counted(fit.len())
    };
    let label = |row: &&Row| {
        (
            model.label(row),
            format!("{}/{}", model.href(), row.text(model.id).unwrap_or_default()),
        )
    };
    let (preview, refused) = match model.deletion.filter(|_| action.name == delete::DELETE) {
        Some(deletion) => delete::preview(&state.db, model, deletion, &fit).await?,
        None => (vec![], None),
    };
    let is_one = fit.len() == 1 && !beyond;
    let heading = match fit.first() {
        Some(row) if is_one => format!("{}: {}", action.label, model.label(row)),
        _ => format!("{}: {count}", action.label),
    };
    let mut questions = vec![];
    for ask in action.asks {
        questions.push(question(state, staff, ask, form, errors.as_ref(), fit.first().copied()).await?);
    }
    let hidden = [BACK, ALL, FROM];
    let kept = form.iter().filter(|(name, _)| *name == "id" || hidden.contains(name));
    page::show(&ConfirmPage {
        shell: Shell::new(state, visit, staff, heading.clone())
            .crumb(model.meta.title(), model.href())
            .here(action.label),
        heading,
        about: match model.deletion {
            Some(deletion) if action.name == delete::DELETE => deletion.about,
            _ => action.about,
        },
        more: (fit.len() > NAMED && !beyond).then(|| format!("and {} more", fit.len() - NAMED)),
        named: if is_one {
            vec![]
        } else {
            fit.iter().take(NAMED).map(label).collect()
        },
        unfit: (!unfit.is_empty()).then(|| {
            format!(
                "{} will be left alone: {}",
                model.meta.counted(unfit.len()),
                action.unfit
            )
        }),
        questions,
        preview,
        refused,
        label: action.label,
        action: action.name,
        actions_href: format!("{}/actions", model.href()),
        kept: kept.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        back,
    })
}

async fn question(
    state: &AppState,
    staff: &Staff,
    ask: &Ask,
    form: &Fields,
    errors: Option<&BTreeMap<&'static str, String>>,
    row: Option<&Row>,
) -> Result<Question, AdminError> {
    let typed = |name: &str| form.get(name).unwrap_or_default().to_owned();
    let error = |name: &str| errors.and_then(|errors| errors.get(name).cloned());
    Ok(match ask {
        Ask::Reason { required } => Question {
            name: REASON,
            label: "Reason",
            help: "Kept in the history, with your name".to_owned(),
            error: error(REASON),
            required: *required,
            input: Asked::Text(typed(REASON)),
        },
        Ask::Until { name, label, help } => Question {
            name,
            label,
            help: (*help).to_owned(),
            error: error(name),
            required: false,
            input: Asked::Time(typed(name)),
        },
        Ask::Some { name, label, offered } => {
            let mut options = match row {
                Some(row) => offered(state, staff, row).await?,
                None => vec![],
            };
            if errors.is_some() {
                let again: BTreeSet<_> = form.all(name).collect();
                for option in &mut options {
                    option.ticked = again.contains(option.value.as_str());
                }
            }
            Question {
                name,
                label,
                help: String::new(),
                error: error(name),
                required: false,
                input: Asked::Ticks(options),
            }
        }
    })
}
