//! The registered models of one admin.

use sea_orm::EntityTrait;

use super::admin_model::{AdminModel, erase};
use super::model::Model;

/// Every registered model, in the order of the navigation.
#[derive(Debug)]
pub struct Site {
    base: &'static str,
    pub models: Vec<Model>,
}

impl Site {
    /// A site without models, whose addresses begin with `base`, such as `/admin`.
    pub fn new(base: &'static str) -> Self {
        Self { base, models: vec![] }
    }

    /// Registers a model.
    #[must_use]
    pub fn with<M: AdminModel>(mut self) -> Self {
        self.models.push(erase::<M>(self.base));
        self
    }

    pub fn model(&self, name: &str) -> Option<&Model> {
        self.models.iter().find(|model| model.meta.name == name)
    }

    /// The model of an entity's rows, where it is registered.
    pub(crate) fn model_of<E: EntityTrait>(&self) -> Option<&Model> {
        let table = E::default().table_name().to_owned();
        self.models.iter().find(|model| model.table == table)
    }

    pub fn base(&self) -> &'static str {
        self.base
    }

    /// The dashboard.
    pub fn home(&self) -> String {
        format!("{}/", self.base)
    }
}
