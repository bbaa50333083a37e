//! The engine of the admin: lists, forms, saves, actions and histories for any declared model.

mod context;
mod declare;
mod error;
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
    action::{Acting, Action, Enqueue, Ran},
    admin_model::{AdminModel, Column, Ordering},
    by_clock::ByClock,
    checklist::{TickGroup, TickOption, Ticks},
    deletion::{Deletion, Fate, Related, Soft},
    field::{Field, IdColumn, IntColumn, Search, TextColumn},
    indexes::{Missing, missing as missing_indexes},
    inline::Inline,
    many_to_many::Across,
    meta::{Meta, Operation},
    model::Model,
    panel::{Panel, headings},
    params::{Answers, Ask},
    permissions::COLUMNS as PERMISSION_COLUMNS,
    saving::{Answer, Change, Changed, Saving},
    site::Site,
    spec::Spellings,
    tone::Tone,
};
pub use error::{AdminError, Waiting, allowed};
pub use lists::{count::EXACT_UP_TO, search::nothing};
pub use request::{
    cookie::{Cookie, FLASH, is_https},
    csrf,
    form_token::FormTx,
    posted::{Posted, PostedOutside, Upload},
    sent::{Fields, METHOD, NEXT, SAVED_FORM},
    staff::{ActingFor, Person, Staff},
    visit::{SentForm, Visit, new_visitor},
};
pub use routes::routes;
pub use rows::{
    cell::{Cell, Named, Names},
    draft::Draft,
    row::Row,
};
pub use shell::{
    assets::serve_asset,
    flash::Message,
    frame::{Crumb, NavItem, Shell},
    page,
    theme::Theme,
};
pub use text::{capitalised, grouped, short_time};
