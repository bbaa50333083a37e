//! What the shop sells, and how staff see it.

use sea_orm::{
    ColumnTrait,
    sea_query::{Condition, IntoCondition},
};
use usher_admin_engine::{AdminModel, Card, Extension, Field, Figure, ManyToMany, Meta, Search, Tone};
use usher_shared::foundation::entity::audit_log;

pub mod product {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "products")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub name: String,
        pub description: String,
        pub state: State,
        pub version: i32,
        pub created_at: DateTimeUtc,
        pub updated_at: DateTimeUtc,
    }

    impl ActiveModelBehavior for ActiveModel {}

    #[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
    #[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
    pub enum State {
        Draft,
        OnSale,
        SoldOut,
    }
}

pub mod category {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "categories")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub name: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod product_category {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "product_categories")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub product_id: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub category_id: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

impl AdminModel for product::Entity {
    type Entity = Self;

    const META: Meta = Meta::new("products", "product", "products")
        .section("Catalog")
        .editable()
        .deletable();

    fn field(column: product::Column) -> Field<Self> {
        use product::{COLUMN as C, Column};
        match column {
            Column::Id => Field::id(C.id),
            Column::Name => Field::text(C.name).link().form(),
            Column::Description => Field::long_text(C.description).form(),
            Column::State => Field::choice(C.state, tone).list().filter().form(),
            Column::Version => Field::row_version(C.version),
            Column::CreatedAt => Field::created(C.created_at),
            Column::UpdatedAt => Field::touched(C.updated_at),
        }
    }

    fn many_to_many() -> Vec<ManyToMany> {
        use product_category::Column;
        let categories = ManyToMany::to::<category::Entity, _>(Column::ProductId, Column::CategoryId);
        vec![categories.list().form()]
    }
}

fn tone(state: &product::State) -> Tone {
    match state {
        product::State::Draft => Tone::Quiet,
        product::State::OnSale => Tone::Good,
        product::State::SoldOut => Tone::Warning,
    }
}

impl AdminModel for category::Entity {
    type Entity = Self;

    const META: Meta = Meta::new("categories", "category", "categories")
        .section("Catalog")
        .few()
        .editable();

    fn field(column: category::Column) -> Field<Self> {
        use category::{COLUMN as C, Column};
        match column {
            Column::Id => Field::id(C.id),
            Column::Name => Field::text(C.name).link().form().search(Search::Words),
        }
    }
}

/// The audit log, which the engine writes.
pub struct AuditLog;

impl AdminModel for AuditLog {
    type Entity = audit_log::Entity;

    const META: Meta = Meta::new("audit", "entry", "entries")
        .heading("Audit log")
        .section("Record");

    fn field(column: audit_log::Column) -> Field<audit_log::Entity> {
        use audit_log::{COLUMN as C, Column};
        match column {
            Column::Id => Field::id(C.id),
            Column::At => Field::time(C.at).list().readonly(),
            Column::ActorLabel => Field::text(C.actor_label).label("Actor").list().readonly(),
            Column::Action => Field::text(C.action).link().readonly(),
            Column::ObjectLabel => Field::text(C.object_label).label("Object").list().readonly(),
            Column::Changes => Field::json(C.changes).readonly(),
            Column::Reason => Field::text(C.reason).readonly(),
            Column::ActorKind
            | Column::ActorId
            | Column::OnBehalfOf
            | Column::ObjectType
            | Column::ObjectId
            | Column::Address
            | Column::RequestId
            | Column::RowHash => Field::internal(column),
        }
    }
}

pub fn extension() -> Extension {
    let on_sale = || product::Column::State.eq(product::State::OnSale).into_condition();
    Extension::new("shop")
        .model::<product::Entity>()
        .model::<category::Entity>()
        .model::<AuditLog>()
        .card(
            Card::new("Products", "/admin/products", "products.view")
                .figure(Figure::count::<product::Entity>(
                    ["product", "products"],
                    Condition::all,
                ))
                .figure(Figure::count::<product::Entity>(["on sale"; 2], on_sale).tone(Tone::Good)),
        )
}
