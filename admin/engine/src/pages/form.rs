//! A form as its template draws it: fieldsets of fields, each an input or a value that is only shown.

use crate::declare::checklist::CheckOption;
use crate::declare::spec::{Kind, Spec};
use crate::declare::{many_to_many::ManyToMany, model::Model};
use crate::request::sent::Fields;
use crate::rows::cell::{Cell, Names};
use crate::rows::draft::{Draft, shown};
use crate::rows::options::{AllOptions, Options};
use crate::rows::row::Row;

pub(crate) struct Fieldset {
    pub(crate) title: &'static str,
    pub(crate) fields: Vec<FormField>,
}

pub(crate) struct FormField {
    pub(crate) name: &'static str,
    pub(crate) label: String,
    pub(crate) help: &'static str,
    /// Notes that depend on the form's values.
    pub(crate) notes: Vec<String>,
    pub(crate) error: Option<String>,
    pub(crate) required: bool,
    /// Whether it takes the form's whole width, as text of several lines does.
    pub(crate) long: bool,
    pub(crate) input: Input,
}

impl FormField {
    /// The ids of help and error, for `aria-describedby`.
    pub(crate) fn described_by(&self) -> String {
        let error = self.error.as_ref().map(|_| format!("error-{}", self.name));
        let help = (!self.help.is_empty()).then(|| format!("help-{}", self.name));
        let notes = (!self.notes.is_empty()).then(|| format!("notes-{}", self.name));
        error.into_iter().chain(help).chain(notes).collect::<Vec<_>>().join(" ")
    }
}

/// How a field is filled in.
pub(crate) enum Input {
    /// `kind` is the input's `type`, `mode` its `inputmode`.
    Line {
        kind: &'static str,
        mode: &'static str,
        value: String,
    },
    Lines {
        value: String,
    },
    /// The id of another object; `source` suggests some.
    Reference {
        value: String,
        source: String,
    },
    Choice {
        options: Vec<ChoiceOption>,
    },
    Checkbox {
        checked: bool,
    },
    /// Related objects: those to choose from, or if there are many, those that are chosen and a field for the ids of
    /// others, for which `source` suggests some.
    Options {
        options: Vec<CheckOption>,
        source: Option<String>,
        typed: String,
        more: bool,
    },
    /// Read only.
    Shown(Cell),
}

pub(crate) struct ChoiceOption {
    pub(crate) value: String,
    pub(crate) label: String,
    pub(crate) selected: bool,
}

/// What the fields show.
pub(crate) enum Filled<'a> {
    /// A new object, prefilled from the address.
    Blank(&'a Fields),
    Stored(&'a Row),
    /// What was typed, and what is stored.
    Typed(&'a Draft, Option<&'a Row>),
}

impl Filled<'_> {
    fn row(&self) -> Option<&Row> {
        match self {
            Self::Blank(_) => None,
            Self::Stored(row) => Some(row),
            Self::Typed(_, row) => *row,
        }
    }

    fn value(&self, spec: &Spec) -> String {
        let stored = || self.row().map(|row| shown(spec, row)).unwrap_or_default();
        match self {
            Self::Blank(fields) => fields.get(spec.name).unwrap_or_default().to_owned(),
            Self::Stored(_) => stored(),
            Self::Typed(draft, _) => draft.typed_by_name(spec.name).map_or_else(stored, str::to_owned),
        }
    }

    fn error(&self, spec: &Spec) -> Option<String> {
        match self {
            Self::Typed(draft, _) => draft.error(spec.name).map(str::to_owned),
            _ => None,
        }
    }
}

/// The form's fieldsets, in the order in which the columns first name them. Without `editable` every
/// field is only shown. Relations without options are left out.
pub(crate) fn fieldsets(
    model: &Model,
    filled: &Filled<'_>,
    names: &Names,
    related: &AllOptions,
    editable: bool,
) -> Vec<Fieldset> {
    let mut sets: Vec<Fieldset> = vec![];
    for spec in model.fields.iter().filter(|spec| spec.in_form) {
        let edited = editable && spec.is_asked(filled.row().is_none());
        if !edited && filled.row().is_none() {
            continue; // a new object has nothing to show yet
        }
        let input = match (&spec.kind, related.get(spec.name)) {
            (Kind::ManyToMany(_), None) => continue,
            (Kind::ManyToMany(across), Some(options)) => relation(model.base, across, options, edited),
            _ if edited => input(model.base, spec, filled.value(spec)),
            _ => {
                let cell = filled.row().map(|row| model.whole_cell(spec, row, names));
                Input::Shown(cell.unwrap_or_default())
            }
        };
        let field = FormField {
            name: spec.name,
            label: spec.label.clone(),
            help: spec.help,
            notes: (model.notes)(spec.name, &|name| {
                model.field(name).map_or_else(String::new, |spec| filled.value(spec))
            }),
            error: filled.error(spec),
            long: matches!(spec.kind, Kind::Text { long: true }),
            required: edited && !spec.optional && !matches!(spec.kind, Kind::Bool),
            input,
        };
        match sets.iter_mut().find(|set| set.title == spec.fieldset) {
            Some(set) => set.fields.push(field),
            None => sets.push(Fieldset {
                title: spec.fieldset,
                fields: vec![field],
            }),
        }
    }
    // Editable fields come before read-only ones.
    let is_asked = |set: &Fieldset| {
        set.title.is_empty()
            || set
                .fields
                .iter()
                .any(|field| model.field(field.name).is_some_and(|spec| spec.is_asked(false)))
    };
    sets.sort_by_key(|set| !is_asked(set));
    sets
}

fn relation(base: &'static str, across: &ManyToMany, options: &Options, edited: bool) -> Input {
    if !edited {
        return Input::Shown(Cell::text(options.names()));
    }
    Input::Options {
        options: options.options.clone(),
        source: options.picks.then(|| format!("{base}/{}/autocomplete", across.model)),
        typed: options.unknown.join(" "),
        more: options.more,
    }
}

fn input(base: &'static str, spec: &Spec, value: String) -> Input {
    match &spec.kind {
        Kind::Text { long: true } => Input::Lines { value },
        Kind::Bool => Input::Checkbox {
            checked: value == "true",
        },
        Kind::Choice(choices) => {
            let option = |value: &str, label: &str, selected| ChoiceOption {
                value: value.to_owned(),
                label: label.to_owned(),
                selected,
            };
            let none = spec.nullable.then(|| option("", "—", value.is_empty()));
            let offered = choices
                .iter()
                .map(|choice| option(&choice.value, &choice.label, choice.value == value));
            Input::Choice {
                options: none.into_iter().chain(offered).collect(),
            }
        }
        Kind::ForeignKey(to) => Input::Reference {
            value,
            source: format!("{base}/{to}/autocomplete"),
        },
        Kind::Int => Input::Line {
            kind: "text",
            mode: "numeric",
            value,
        },
        Kind::Time => Input::Line {
            kind: "datetime-local",
            mode: "text",
            value,
        },
        _ => Input::Line {
            kind: "text",
            mode: if spec.name == "email" { "email" } else { "text" },
            value,
        },
    }
}
