//! Figures of the stream.

use crate::table::{Figure, Goal};

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(super) fn note(on: &str, what: &'static str, count: usize, beside: String) -> Figure {
    let value = count as f64;
    Figure {
        beside,
        ..measured(on, what, value, "", None)
    }
}

pub(super) fn none(on: &str, what: &'static str, count: usize) -> Figure {
    let goal = Some(Goal::AtMost(0.0));
    Figure {
        goal,
        ..note(on, what, count, String::new())
    }
}

pub(super) fn measured(on: &str, what: &'static str, value: f64, unit: &'static str, at_most: Option<f64>) -> Figure {
    Figure {
        on: on.to_owned(),
        what: what.into(),
        value,
        unit,
        beside: String::new(),
        goal: at_most.map(Goal::AtMost),
    }
}
