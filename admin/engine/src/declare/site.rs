//! The registered models of one admin.

use std::sync::Arc;

use sea_orm::EntityTrait;

use super::admin_model::{AdminModel, erase};
use super::{meta::Operation, model::Model};
use crate::request::staff::Staff;

/// Every registered model, in the order of the navigation.
#[derive(Debug)]
pub struct Site {
    base: &'static str,
    pub models: Vec<Arc<Model>>,
}

impl Site {
    /// A site without models, whose addresses begin with `base`, such as `/admin`.
    pub fn new(base: &'static str) -> Self {
        Self { base, models: vec![] }
    }

    /// Registers a model.
    #[must_use]
    pub fn with<M: AdminModel>(mut self) -> Self {
        self.models.push(Arc::new(erase::<M>(self.base)));
        self
    }

    pub fn model(&self, name: &str) -> Option<&Arc<Model>> {
        self.models.iter().find(|model| model.meta.name == name)
    }

    /// The same, if this person may see its objects.
    pub(crate) fn visible(&self, name: &str, staff: &Staff) -> Option<&Arc<Model>> {
        self.model(name).filter(|model| model.allows(staff, Operation::View))
    }

    /// The model of an entity's rows, where it is registered.
    pub(crate) fn model_of<E: EntityTrait>(&self) -> Option<&Arc<Model>> {
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
