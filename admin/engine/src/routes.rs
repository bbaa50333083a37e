//! The addresses of every model's pages, and of those that apps add.

use axum::{
    extract::{Path, Request, State},
    http::HeaderMap,
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};

use crate::context::AdminContext;
use crate::pages::{action, autocomplete, columns, confirm, delete, export, history, list, object, object_export};
use crate::request::staff::Staff;
use crate::shell::assets;

/// The pages of every registered model and of apps, each with its path. All of them are for signed-in staff: the
/// application adds them to its router behind its own check. The handlers of models ask for the permission; an app's
/// page has its own checked before its handler runs.
pub fn routes<S>(context: &AdminContext) -> Vec<(String, MethodRouter<S>)> {
    let base = context.site.base();
    let of_models = engine_routes().map(|(path, methods)| (format!("{base}{path}"), methods));
    let of_apps = context.site.pages.iter().map(|page| {
        let permitted = from_fn_with_state(page.permission, permit);
        (page.path.to_owned(), page.methods.clone().route_layer(permitted))
    });
    let all = of_models.into_iter().chain(of_apps);
    all.map(|(path, methods)| (path, methods.with_state(context.clone())))
        .collect()
}

/// Those of the engine, without the base of all addresses.
fn engine_routes() -> [(&'static str, MethodRouter<AdminContext>); 13] {
    [
        ("/search", get(autocomplete::search)),
        ("/{model}", get(list::show)),
        ("/{model}/autocomplete", get(autocomplete::suggest)),
        ("/{model}/new", get(object::blank).post(object::create)),
        ("/{model}/export.csv", get(export::as_csv)),
        ("/{model}/export.json", get(export::as_json)),
        ("/{model}/columns", post(columns::choose)),
        ("/{model}/actions", get(confirm::show).post(action::run)),
        ("/{model}/{id}", get(object::show).post(object::change)),
        ("/{model}/{id}/delete", get(delete::show).post(delete::run)),
        ("/{model}/{id}/restore", post(delete::restore)),
        ("/{model}/{id}/export.json", get(object_export::export)),
        ("/{model}/{id}/history", get(history::show)),
    ]
}

/// `GET {base}/assets/{file}`
pub async fn serve_asset(
    State(context): State<AdminContext>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Response {
    assets::serve(&file, context.site.assets(), &headers)
}

/// Lets signed-in staff with the page's permission through.
async fn permit(State(permission): State<&'static str>, staff: Staff, request: Request, next: Next) -> Response {
    match staff.require(permission) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declare::registering::OF_MODELS;

    #[test]
    fn pages_of_apps_are_refused_at_every_address_of_a_model() {
        let routes = engine_routes().map(|(path, _)| path.replace("{id}", "{}"));
        let of_models: Vec<_> = routes.iter().filter_map(|path| path.strip_prefix("/{model}")).collect();
        assert_eq!(of_models, OF_MODELS);
    }
}
