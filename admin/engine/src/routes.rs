//! The addresses of every model's pages.

use axum::routing::{MethodRouter, get, post};

use crate::context::AdminContext;
use crate::pages::{action, autocomplete, columns, confirm, delete, export, history, list, object, object_export};

/// The pages of every registered model, each with its path. All of them are for signed-in staff: the application adds
/// them to its router behind its own check, and the handlers ask for the permission.
pub fn routes<S>(context: &AdminContext) -> Vec<(String, MethodRouter<S>)> {
    let routes: [(&str, MethodRouter<AdminContext>); 13] = [
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
    ];
    let base = context.site.base();
    let served = routes.map(|(path, methods)| (format!("{base}{path}"), methods.with_state(context.clone())));
    served.into()
}
