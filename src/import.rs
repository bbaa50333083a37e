//! What staff can import from a CSV file: in the admin a preview, then a job.

use sea_orm::{EntityTrait, IdenStatic, Iterable};
use usher_admin_engine::{AdminModel, Extension};
use usher_shared::accounts::staff::imports::{ImportExtension, ImportFault, ImportRow, Imported};

/// An import of a model's objects from CSV files of up to 16 MiB and 100,000 lines. Staff with the permission
/// `{model}.import` choose a file in the admin and see what it would do; then a job goes through it line by line.
///
/// ```
/// # mod tag {
/// #     use sea_orm::entity::prelude::*;
/// #     #[sea_orm::model]
/// #     #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
/// #     #[sea_orm(table_name = "tags")]
/// #     pub struct Model {
/// #         #[sea_orm(primary_key)]
/// #         pub id: i64,
/// #         #[sea_orm(unique)]
/// #         pub name: String,
/// #     }
/// #     impl ActiveModelBehavior for ActiveModel {}
/// # }
/// # use usher::admin::{AdminModel, Field, Meta};
/// # impl AdminModel for tag::Entity {
/// #     type Entity = Self;
/// #     const META: Meta = Meta::new("tags", "tag", "tags").few();
/// #     fn field(column: tag::Column) -> Field<Self> {
/// #         match column {
/// #             tag::Column::Id => Field::id(tag::COLUMN.id),
/// #             tag::Column::Name => Field::text(tag::COLUMN.name).link(),
/// #         }
/// #     }
/// # }
/// use sea_orm::{ActiveValue::Set, EntityTrait};
/// use usher::{Import, ImportFault, ImportRow, Imported, api::Text, db::create_row};
///
/// struct TagImport;
///
/// impl Import for TagImport {
///     type Model = tag::Entity;
///     const COLUMNS: &'static [&'static str] = &["name"];
///     const KEY: Option<&'static str> = Some("name");
///
///     async fn apply(row: ImportRow<'_>) -> Result<Imported, ImportFault> {
///         let name = row.rule("name", Text::<1, 50>::parse)?;
///         if tag::Entity::find_by_name(name.as_str()).one(&**row.tx).await?.is_some() {
///             return Ok(Imported::Unchanged);
///         }
///         let tag = tag::ActiveModel { name: Set(name.into()), ..Default::default() };
///         create_row::<tag::Entity>(row.tx, tag, "tag", row.actor).await?;
///         Ok(Imported::Created)
///     }
/// }
/// ```
pub trait Import: 'static {
    type Model: AdminModel;

    /// What the first line of the file must name, in any letter case and order.
    const COLUMNS: &'static [&'static str];
    /// What it may name. Another column is refused, unless an export of the model has it: then it is ignored.
    const OPTIONAL: &'static [&'static str] = &[];
    /// The column that tells objects apart: the second of two lines with the same cell there is a fault. A dry run
    /// rolls each line back, so it can't see by itself that an earlier line creates the same.
    const KEY: Option<&'static str> = None;
    /// What it does, on the page with the form: "Tags that exist stay as they are."
    const ABOUT: &'static str = "";

    /// Applies one line, in a transaction of its own. The dry run calls it too and rolls back, so all that it does must
    /// be in that transaction: enqueue a job for a mail or a request to another service.
    ///
    /// # Errors
    /// What is wrong with the line. It is skipped and reported with its number, and the others go on.
    fn apply(row: ImportRow<'_>) -> impl Future<Output = Result<Imported, ImportFault>> + Send;
}

/// What the worker carries out.
pub(crate) fn extension<I: Import>() -> ImportExtension {
    let meta = <I::Model as AdminModel>::META;
    ImportExtension {
        // Once for each import, at the start of the program.
        permission: format!("{}.import", meta.name).leak(),
        objects: meta.plural,
        required: I::COLUMNS,
        optional: I::OPTIONAL,
        key: I::KEY,
        exported: exported::<I>,
        apply: |row| Box::pin(I::apply(row)),
    }
}

fn exported<I: Import>() -> Vec<&'static str> {
    let columns = <<I::Model as AdminModel>::Entity as EntityTrait>::Column::iter();
    columns.map(|column| column.as_str()).collect()
}

/// The admin with the pages of an import.
pub(crate) fn pages<I: Import>(admin: Extension, import: ImportExtension) -> Extension {
    usher_admin::with_import::<I::Model>(admin, import, I::ABOUT)
}
