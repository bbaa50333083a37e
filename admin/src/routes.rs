//! The admin's routes. Every route that is not registered as open requires signed-in staff before its handler runs; the
//! handler checks the permission.

use axum::{
    Router,
    extract::{FromRequestParts, Request, State},
    http::Method,
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::MethodRouter,
};

use crate::{sign_in::interrupted, state::AppState};
use usher_admin_engine::{AdminError, Staff};

/// A router that records its paths, so that a test can visit every one of them.
pub(crate) struct Routes {
    state: AppState,
    router: Router<AppState>,
    paths: Vec<String>,
}

impl Routes {
    pub(crate) fn new(state: AppState) -> Self {
        Self {
            state,
            router: Router::new(),
            paths: vec![],
        }
    }

    /// A page for everyone, such as sign-in.
    #[must_use]
    pub(crate) fn open(mut self, path: impl Into<String>, methods: MethodRouter<AppState>) -> Self {
        let path = path.into();
        self.router = self.router.route(&path, methods);
        self.paths.push(path);
        self
    }

    /// A page for signed-in staff.
    #[must_use]
    pub(crate) fn staff(self, path: impl Into<String>, methods: MethodRouter<AppState>) -> Self {
        let signed_in = from_fn_with_state(self.state.clone(), admit);
        self.open(path, methods.route_layer(signed_in))
    }

    pub(crate) fn into_router(self) -> Router<AppState> {
        self.router
    }

    pub(crate) fn paths(&self) -> &[String] {
        &self.paths
    }
}

/// Lets signed-in staff through. Other visitors are sent to sign in, and a form they submitted is kept for them.
async fn admit(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match Staff::from_request_parts(&mut parts, &state).await {
        Ok(_) => next.run(Request::from_parts(parts, body)).await,
        Err(AdminError::SignIn(to)) if parts.method == Method::POST => {
            let request = Request::from_parts(parts, body);
            interrupted::ask(&state, request, &to)
                .await
                .unwrap_or_else(IntoResponse::into_response)
        }
        Err(error) => error.into_response(),
    }
}
