//! One admin: the models, pages and cards that its apps registered.

use std::sync::Arc;

use sea_orm::EntityTrait;

use super::{card::Card, meta::Operation, model::Model, page::Page};
use crate::request::staff::Staff;
use crate::shell::assets::AppAsset;

/// Every registered model, page and card, in the order of registration.
#[derive(Debug)]
pub struct Site {
    pub(super) base: &'static str,
    pub models: Vec<Arc<Model>>,
    pub(crate) pages: Vec<Page>,
    pub(crate) cards: Vec<Card>,
    /// What the navigation leads to, app by app: the models of each, then its pages.
    pub(crate) entries: Vec<Entry>,
    pub(crate) logo: Option<AppAsset>,
    /// Where pages hear of changes, if the application says so anywhere.
    pub(crate) live_path: Option<&'static str>,
    pub(crate) stylesheets: Vec<AppAsset>,
    pub(crate) scripts: Vec<AppAsset>,
}

/// A model or a page in the navigation, by its place among them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entry {
    Model(usize),
    Page(usize),
}

impl Site {
    /// The files that apps add.
    pub(crate) fn assets(&self) -> impl Iterator<Item = &AppAsset> {
        self.logo.iter().chain(&self.stylesheets).chain(&self.scripts)
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
