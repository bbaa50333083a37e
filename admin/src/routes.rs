//! The admin's addresses, each registered once with who may reach it at all. What is not said to be open is closed
//! to everybody but signed-in staff, before its handler runs; the handler asks for the permission.

use axum::{Router, middleware::from_extractor_with_state, routing::MethodRouter};

use crate::{staff::Staff, state::AppState};

/// A router that remembers its paths, so that a test can walk every one of them.
pub(crate) struct Routes {
    state: AppState,
    router: Router<AppState>,
    paths: Vec<&'static str>,
}

impl Routes {
    pub(crate) fn new(state: AppState) -> Self {
        Self {
            state,
            router: Router::new(),
            paths: vec![],
        }
    }

    /// A page for anybody, such as the log-in.
    #[must_use]
    pub(crate) fn open(mut self, path: &'static str, methods: MethodRouter<AppState>) -> Self {
        self.paths.push(path);
        self.router = self.router.route(path, methods);
        self
    }

    /// A page for signed-in staff.
    #[must_use]
    pub(crate) fn staff(self, path: &'static str, methods: MethodRouter<AppState>) -> Self {
        let signed_in = from_extractor_with_state::<Staff, _>(self.state.clone());
        self.open(path, methods.route_layer(signed_in))
    }

    pub(crate) fn into_router(self) -> Router<AppState> {
        self.router
    }

    pub(crate) fn paths(&self) -> &[&'static str] {
        &self.paths
    }
}
