//! A figure of the chaos, and the most it may be.

use std::time::Duration;

use super::scene::On;
use crate::{
    sample::quantile,
    table::{Figure, Goal},
};

/// One figure and its limit.
pub struct Measured {
    on: On,
    what: &'static str,
    value: f64,
    unit: &'static str,
    at_most: Option<f64>,
    about: String,
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
impl Measured {
    /// The same with what else there is to say.
    pub fn about(self, about: String) -> Self {
        Self { about, ..self }
    }

    pub fn note(on: On, what: &'static str, value: impl TryInto<u64>, about: String) -> Self {
        let value = value.try_into().unwrap_or(u64::MAX) as f64;
        Self {
            on,
            what,
            value,
            unit: "",
            at_most: None,
            about,
        }
    }

    pub fn at_most(on: On, what: &'static str, value: usize, limit: usize) -> Self {
        Self {
            at_most: Some(limit as f64),
            ..Self::note(on, what, value, String::new())
        }
    }

    pub fn none(on: On, what: &'static str, value: usize) -> Self {
        Self::at_most(on, what, value, 0)
    }

    /// The times' quantile `q` in milliseconds.
    pub fn time(on: On, what: &'static str, times: &mut [Duration], q: f64, limit: Duration, about: String) -> Self {
        let value = quantile(times, q);
        let at_most = Some(limit.as_millis() as f64);
        Self {
            on,
            what,
            value,
            unit: "ms",
            at_most,
            about,
        }
    }

    pub fn size(on: On, what: &'static str, mebibytes: f64, limit: f64, about: String) -> Self {
        Self {
            on,
            what,
            value: mebibytes,
            unit: "MiB",
            at_most: Some(limit),
            about,
        }
    }

    pub fn share(on: On, what: &'static str, percent: f64, limit: f64) -> Self {
        Self {
            unit: "%",
            ..Self::size(on, what, percent, limit, String::new())
        }
    }

    pub fn figure(&self) -> Figure {
        Figure {
            on: self.on.name().to_owned(),
            what: self.what.into(),
            value: self.value,
            unit: self.unit,
            beside: self.about.clone(),
            goal: self.at_most.map(Goal::AtMost),
        }
    }
}
