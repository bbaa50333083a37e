//! The columns of a list: those declared, or those that a person chose for themselves.

use axum::{
    extract::{Path, State},
    response::Response,
};
use sea_orm::{ActiveValue::Set, EntityTrait, sea_query::OnConflict};
use usher_shared::foundation::entity::chosen_columns::{ActiveModel, Column, Entity};

use crate::engine::{declare::{field::{Kind, Spec}, meta::Operation, model::Model}, pages::object::back_query};
use crate::{engine::{error::AdminError, request::{posted::Posted, staff::Staff, visit::Visit}}, state::AppState};

/// The field that holds a chosen column.
const COLUMN: &str = "column";
/// The field that asks for the declared columns again.
const DECLARED: &str = "_declared";

/// One column that a list can have.
pub(crate) struct Choosable {
    pub(crate) name: &'static str,
    pub(crate) label: String,
    pub(crate) shown: bool,
    /// What names the object is always there.
    pub(crate) fixed: bool,
}

impl Model {
    /// The list's columns for this person: what names the object first.
    pub(crate) fn columns(&self, staff: &Staff) -> Vec<&Spec> {
        let Some(chosen) = staff.columns(self.meta.name) else {
            return self.listed().collect();
        };
        let name = self.name_field();
        let others = self.choosable().filter(|spec| spec.name != name.name);
        let others = others.filter(|spec| chosen.iter().any(|column| column == spec.name));
        std::iter::once(name).chain(others).collect()
    }

    /// What a list can show: whatever the page of an object shows, but for what fills more than a line.
    fn choosable(&self) -> impl Iterator<Item = &Spec> {
        let fits = |kind: &Kind| {
            let broad = matches!(kind, Kind::Json | Kind::Bytes | Kind::Text { long: true });
            !broad && !matches!(kind, Kind::Secret | Kind::Internal | Kind::RowVersion)
        };
        let own = |spec: &&Spec| spec.listed || spec.in_form || spec.name == self.id;
        self.fields.iter().filter(own).filter(move |spec| fits(&spec.kind))
    }

    /// The choice, as the list's page offers it.
    pub(crate) fn choice(&self, staff: &Staff) -> Vec<Choosable> {
        let (shown, name) = (self.columns(staff), self.name_field().name);
        let choosable = self.choosable().map(|spec| Choosable {
            name: spec.name,
            label: spec.label.clone(),
            shown: shown.iter().any(|column| column.name == spec.name),
            fixed: spec.name == name,
        });
        choosable.collect()
    }
}

/// `POST /admin/{models}/columns` with one `column` for each; it holds for this person, wherever they sign in.
pub(crate) async fn choose(
    State(state): State<AppState>,
    visit: Visit,
    staff: Staff,
    Path(name): Path<String>,
    Posted(form): Posted,
) -> Result<Response, AdminError> {
    let model = state.site.model(&name).ok_or(AdminError::NotFound)?;
    staff.require(&model.meta.permission(Operation::View))?;
    let to = back_query(&form).map_or_else(|| model.href(), |query| format!("{}?{query}", model.href()));
    let key = (staff.id(), model.meta.name.to_owned());
    if form.get(DECLARED).is_some() {
        let tx = form.begin(&state).await?;
        Entity::delete_by_id(key).exec(&**tx).await?;
        return tx
            .finish(visit.say("The list has its usual columns again".to_owned(), &to))
            .await;
    }
    let wanted: Vec<_> = form.all(COLUMN).collect();
    // Of what was sent, only what there is to choose is kept.
    let chosen: Vec<_> = model
        .choosable()
        .map(|spec| spec.name)
        .filter(|name| wanted.contains(name))
        .collect();
    let row = ActiveModel {
        user_id: Set(key.0),
        list: Set(key.1),
        columns: Set(chosen.join(" ")),
    };
    let replaced = OnConflict::columns([Column::UserId, Column::List])
        .update_column(Column::Columns)
        .to_owned();
    let tx = form.begin(&state).await?;
    Entity::insert(row)
        .on_conflict(replaced)
        .exec_without_returning(&**tx)
        .await?;
    tx.finish(visit.say("The list has the columns you chose".to_owned(), &to))
        .await
}
