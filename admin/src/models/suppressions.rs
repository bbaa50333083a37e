//! Addresses that no email is sent to, because their server said that they don't exist.

use super::bulk_job;
use super::registered::{Suppressions, Users};
use crate::texts;
use usher_shared::{
    accounts::staff::bulk::BulkAction,
    audit::ObjectType,
    foundation::entity::mail_suppression::{COLUMN as C, Column, Entity},
};

use usher_admin_engine::{AdminModel, Deletion, Field, Meta, Ordering, Search};

impl AdminModel for Suppressions {
    type Entity = Entity;

    const META: Meta = Meta::new("suppressions", "suppressed address", "suppressed addresses")
        .heading("Suppression list")
        .object_type_of(ObjectType::SuppressedAddress.as_str())
        .section("Mail")
        .icon("mails")
        .about("No email is sent to these addresses. Delete an entry to allow sending again.")
        .deletable();

    const DELETION: Option<&'static Deletion> = Some(
        &Deletion::rows(&[])
            .bulk(|acting, select| Box::pin(bulk_job::enqueue(acting, BulkAction::DeleteSuppressions, select))),
    );

    fn ordering() -> Ordering<Entity> {
        Ordering::ascending(Column::AddressKey)
    }

    fn field(column: Column) -> Field<Entity> {
        match column {
            Column::AddressKey => Field::id(C.address_key)
                .address()
                .label("Address")
                .link()
                .search(Search::Prefix {
                    key_column: Column::AddressKey,
                    key: usher_shared::foundation::rules::Email::key_of,
                }),
            Column::Answer => Field::text(C.answer)
                .label(texts::emails::SERVER_RESPONSE)
                .list()
                .readonly(),
            Column::UserId => Field::foreign_key::<Users>(C.user_id).list().readonly(),
            Column::CreatedAt => Field::time(C.created_at).label("Since").list().readonly(),
        }
    }
}
