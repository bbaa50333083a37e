//! Mail servers that reject our mail. While one is listed, its mail is held.

use super::registered::Breakers;
use usher_shared::{
    audit::ObjectType,
    foundation::entity::mail_breaker::{COLUMN as C, Column, Entity},
};

use usher_admin_engine::{AdminModel, Deletion, Field, Meta, Ordering};

impl AdminModel for Breakers {
    type Entity = Entity;

    const META: Meta = Meta::new("breakers", "mail server on hold", "mail servers on hold")
        .object_type_of(ObjectType::MailBreaker.as_str())
        .few()
        .section("Mail")
        .icon("workers")
        .about("Mail is held while a server rejects it. Delete an entry to retry now.")
        .empty("All mail servers are accepting mail")
        .deletable();

    const DELETION: Option<&'static Deletion> = Some(&Deletion::rows(&[]));

    fn ordering() -> Ordering<Entity> {
        Ordering::ascending(Column::Server)
    }

    fn field(column: Column) -> Field<Entity> {
        match column {
            Column::Server => Field::id(C.server).link(),
            Column::Reason => Field::long_text(C.reason).list().readonly(),
            Column::Refusals => Field::int(C.refusals).label("Rejections").list().readonly(),
            Column::OpenedAt => Field::time(C.opened_at).label("Since").list().readonly(),
            Column::ProbeAt => Field::time(C.probe_at).label("Next attempt").list().readonly(),
        }
    }
}
