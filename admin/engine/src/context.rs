//! What the engine's pages work with.

use std::{ops::Deref, sync::Arc};

use usher_shared::AppContext;

use crate::declare::site::Site;

/// The application and the registered models. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AdminContext {
    pub app: AppContext,
    pub site: Arc<Site>,
}

impl Deref for AdminContext {
    type Target = AppContext;

    fn deref(&self) -> &AppContext {
        &self.app
    }
}
