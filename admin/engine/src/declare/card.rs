//! Cards of figures on the dashboard.

use std::fmt;

use sea_orm::{EntityTrait, sea_query::Condition};
use usher_shared::AppContext;

use super::{saving::HookFuture, tone::Tone};

/// Reads figures that are no counts of rows.
pub type LoadFigures = for<'a> fn(&'a AppContext) -> HookFuture<'a, Vec<Figure>>;

/// A card of the dashboard: a title that links to a list or page, and figures.
#[derive(Clone, Debug)]
pub struct Card {
    pub(crate) title: &'static str,
    pub(crate) href: &'static str,
    pub(crate) permission: &'static str,
    pub(crate) icon: &'static str,
    pub(crate) figures: Vec<Figure>,
    pub(crate) load: Option<LoadFigures>,
}

impl Card {
    /// A card for staff with this permission.
    #[must_use]
    pub fn new(title: &'static str, href: &'static str, permission: &'static str) -> Self {
        Self {
            title,
            href,
            permission,
            icon: "table",
            figures: vec![],
            load: None,
        }
    }

    /// See [`Meta::icon`](crate::Meta::icon).
    #[must_use]
    pub fn icon(self, icon: &'static str) -> Self {
        Self { icon, ..self }
    }

    /// Adds a figure. The counts of all cards take one statement together.
    #[must_use]
    pub fn figure(mut self, figure: Figure) -> Self {
        self.figures.push(figure);
        self
    }

    /// Adds figures that an async function reads, after the others.
    #[must_use]
    pub fn load(self, load: LoadFigures) -> Self {
        let load = Some(load);
        Self { load, ..self }
    }
}

/// A number with its label.
#[derive(Clone)]
pub struct Figure {
    pub(crate) value: FigureValue,
    /// For one and for many.
    pub(crate) label: [&'static str; 2],
    pub(crate) href: Option<&'static str>,
    pub(crate) tone: Tone,
    pub(crate) tone_at_zero: Option<Tone>,
}

#[derive(Clone)]
pub(crate) enum FigureValue {
    Number(i64),
    /// The rows of a table that match.
    Count(&'static str, fn() -> Condition),
}

impl Figure {
    /// The number of rows that match, up to 10,000. `label` is for one and for many: `["ticket", "tickets"]`.
    #[must_use]
    pub fn count<E: EntityTrait>(label: [&'static str; 2], rows: fn() -> Condition) -> Self {
        Self::of(FigureValue::Count(E::default().table_name(), rows), label)
    }

    /// A number that is known already.
    #[must_use]
    pub fn number(label: [&'static str; 2], number: i64) -> Self {
        Self::of(FigureValue::Number(number), label)
    }

    fn of(value: FigureValue, label: [&'static str; 2]) -> Self {
        Self {
            value,
            label,
            href: None,
            tone: Tone::Quiet,
            tone_at_zero: None,
        }
    }

    /// Links it to the list that it counts.
    #[must_use]
    pub fn link(self, href: &'static str) -> Self {
        let href = Some(href);
        Self { href, ..self }
    }

    /// How it looks above zero.
    #[must_use]
    pub fn tone(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }

    /// How it looks at zero.
    #[must_use]
    pub fn tone_at_zero(self, tone: Tone) -> Self {
        let tone_at_zero = Some(tone);
        Self { tone_at_zero, ..self }
    }
}

impl fmt::Debug for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Figure").field(&self.label).finish()
    }
}
