//! The engine of the admin: lists, forms, actions, exports and histories for any declared model.
//!
//! A model is declared by implementing [`AdminModel`]: its names and operations, and for **every** column what the
//! admin does with it, so that a new column does not compile until someone decides who sees it. An [`Extension`] is
//! what one app adds: models; rows, panels and actions for other apps' objects; pages; cards. A [`Site`] is all of it,
//! and [`routes`] serves it:
//!
//! ```
//! # mod ticket {
//! #     use sea_orm::entity::prelude::*;
//! #     #[sea_orm::model]
//! #     #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
//! #     #[sea_orm(table_name = "tickets")]
//! #     pub struct Model {
//! #         #[sea_orm(primary_key)]
//! #         pub id: i64,
//! #         pub subject: String,
//! #         pub version: i32,
//! #     }
//! #     impl ActiveModelBehavior for ActiveModel {}
//! # }
//! use ticket::{COLUMN as C, Column, Entity};
//! use usher_admin_engine::{AdminModel, Extension, Field, Meta, Site};
//!
//! impl AdminModel for Entity {
//!     type Entity = Self;
//!
//!     const META: Meta = Meta::new("tickets", "ticket", "tickets").section("Support").changeable();
//!
//!     fn field(column: Column) -> Field<Self> {
//!         match column {
//!             Column::Id => Field::id(C.id),
//!             Column::Subject => Field::text(C.subject).link().form(),
//!             Column::Version => Field::row_version(C.version),
//!         }
//!     }
//! }
//!
//! let site = Site::new("/admin", &Extension::new("support").model::<Entity>())?;
//! assert_eq!(site.model("tickets").expect("registered").href(), "/admin/tickets");
//! # Ok::<_, String>(())
//! ```
//!
//! The application around the engine brings an [`AdminContext`], and a layer that puts the [`Visit`] of each request
//! into its extensions and renders the [`AdminError`] of its response. The engine knows neither how people sign in nor
//! which models exist.

mod context;
mod declare;
mod error;
// Not behind a feature: the tests of the admin would turn it on, and build the engine and the admin twice.
#[doc(hidden)]
pub mod fuzzing;
mod lists;
mod pages;
mod request;
mod routes;
mod rows;
mod shell;
mod text;

pub use context::AdminContext;
pub use declare::{
    action::{Action, ActionContext, Enqueue, Outcome},
    admin_model::{AdminModel, Column, Ordering},
    card::{Card, Figure, LoadFigures},
    checklist::{CheckGroup, CheckOption, Checklist, Offered},
    deletion::{Deletion, OnDelete, Related, SoftDelete},
    extension::Extension,
    field::{Field, IdColumn, IntColumn, Search, TextColumn},
    indexes::{Missing, missing as missing_indexes},
    inline::Inline,
    many_to_many::ManyToMany,
    meta::{Meta, Operation},
    model::Model,
    page::Page,
    panel::{Panel, Panels, headings},
    params::{Param, Params},
    permissions::COLUMNS as PERMISSION_COLUMNS,
    saving::{Change, Changed, HookFuture, SaveContext},
    site::Site,
    spec::Spellings,
    time_dependent::TimeDependent,
    tone::Tone,
};
pub use error::{AdminError, Waiting, allowed};
pub use lists::{
    count::{count_up_to_limit, up_to_limit},
    search::nothing,
};
pub use pages::cards::{DrawnCard, DrawnFigure, cards};
pub use request::{
    cookie::{Cookie, FLASH, is_https},
    csrf,
    form_token::FormTx,
    posted::{Posted, PostedOutside, Upload},
    sent::{Fields, METHOD, NEXT, SAVED_FORM},
    staff::{ActingFor, Person, Staff},
    visit::{SentForm, Visit, new_visitor},
};
pub use routes::{routes, serve_asset};
pub use rows::{
    cell::{Cell, Named, Names},
    draft::Draft,
    row::Row,
};
pub use shell::{
    flash::Message,
    frame::{Crumb, Live, NavItem, Shell},
    page,
    theme::Theme,
};
pub use text::{capitalized, grouped, readable, short_time};
