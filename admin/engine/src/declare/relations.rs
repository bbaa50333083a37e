//! Declarations that name another registered model.

use sea_orm::{ColumnTrait, EntityName, EntityTrait, IdenStatic, Iterable, PrimaryKeyToColumn};

use super::admin_model::{AdminModel, Column};
use super::field::{Field, IdColumn};
use super::{inline::Inline, many_to_many::ManyToMany, spec::Kind};
use crate::{rows::storage::Storage, text::capitalized};

impl<E: EntityTrait> Field<E> {
    /// The id of an object of another model, shown by that object's name.
    pub fn foreign_key<To: AdminModel>(column: impl IdColumn<E>) -> Self {
        Self::new(column.column(), Kind::ForeignKey(To::META.name))
    }
}

impl Inline {
    /// The rows whose `column` is the object's id, with these columns; the first one links to the row's own page.
    /// Without columns it has the first ones of the model's list. An index on the column and the primary key must serve
    /// it.
    pub fn of<M: AdminModel, const N: usize>(column: Column<M>, shown: [Column<M>; N]) -> Self {
        Self {
            model: M::META.name,
            column: column.as_str(),
            only: None,
            shown: shown.map(|column| column.as_str()).to_vec(),
            title: None,
            empty: "None yet.",
        }
    }
}

impl ManyToMany {
    /// `own` and `other` are the two columns of the join table: this model's id, and the id in `To`. An index must
    /// begin with `other`.
    pub fn to<To: AdminModel, C: ColumnTrait>(own: C, other: C) -> Self {
        let key = <To::Entity as EntityTrait>::PrimaryKey::iter()
            .next()
            .expect("a key")
            .into_column();
        Self::new(
            (To::META.singular, capitalized(To::META.singular)),
            (To::META.name, capitalized(To::META.plural)),
            (To::META.name, Storage::of(key.def().get_column_type())),
            (C::EntityName::default().table_name(), own.as_str(), other.as_str()),
        )
    }
}
