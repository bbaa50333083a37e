//! A request for a page of a model: who asks, what the address says, and what this person may do.

use std::{collections::HashMap, sync::Arc};

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
    response::{IntoResponse, Response},
};
use sea_orm::DbErr;

use crate::context::AdminContext;
use crate::declare::{meta::Operation, model::Model};
use crate::error::AdminError;
use crate::request::{sent::Fields, staff::Staff, visit::Visit};
use crate::rows::{find::find, row::Row};
use crate::shell::frame::Shell;

/// The request of signed-in staff for a page of a registered model. What they may do is for the handler to check.
pub(crate) struct ModelRequest {
    pub(crate) context: AdminContext,
    pub(crate) visit: Visit,
    pub(crate) staff: Staff,
    pub(crate) model: Arc<Model>,
    /// The object's id in the address; empty on pages of the whole model.
    pub(crate) id: String,
    /// The query of the address.
    pub(crate) query: String,
}

impl FromRequestParts<AdminContext> for ModelRequest {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, context: &AdminContext) -> Result<Self, Response> {
        let visit = Visit::from_request_parts(parts, context).await;
        let visit = visit.map_err(IntoResponse::into_response)?;
        let staff = Staff::from_request_parts(parts, context).await;
        let staff = staff.map_err(IntoResponse::into_response)?;
        let path = Path::<HashMap<String, String>>::from_request_parts(parts, context).await;
        let Path(mut path) = path.map_err(IntoResponse::into_response)?;
        let model = path.get("model").and_then(|name| context.site.model(name));
        Ok(Self {
            model: Arc::clone(model.ok_or_else(|| AdminError::NotFound.into_response())?),
            context: context.clone(),
            visit,
            staff,
            id: path.remove("id").unwrap_or_default(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
        })
    }
}

impl ModelRequest {
    /// The parameters of the address.
    pub(crate) fn parameters(&self) -> Fields {
        Fields::parse(self.query.as_bytes())
    }

    /// The object of the address.
    pub(crate) async fn find(&self) -> Result<Option<Row>, DbErr> {
        find(&self.context.db, &self.model, &self.id).await
    }

    pub(crate) fn may(&self, operation: Operation) -> bool {
        self.model.allows(&self.staff, operation)
    }

    /// Lets through who may do this; the page does not exist where the model doesn't offer it.
    pub(crate) fn require(&self, operation: Operation) -> Result<(), AdminError> {
        let meta = &self.model.meta;
        if !meta.offers(operation) {
            return Err(AdminError::NotFound);
        }
        // People who may not see objects learn nothing about them by trying to change them. Adding needs no view
        // permission.
        if operation != Operation::Add {
            self.staff.require(&meta.permission(Operation::View))?;
        }
        self.staff.require(&meta.permission(operation))
    }

    /// Asks for the password where any change of the model does.
    pub(crate) fn require_fresh(&self, form: Option<&Fields>) -> Result<(), AdminError> {
        if self.model.meta.sensitive {
            self.staff.require_fresh(&self.visit, form)?;
        }
        Ok(())
    }

    /// The frame of a page, with the list as the first crumb.
    pub(crate) fn shell(&self, title: impl Into<String>) -> Shell {
        Shell::new(&self.context, &self.visit, &self.staff, title).crumb(self.model.meta.title(), self.model.href())
    }
}
