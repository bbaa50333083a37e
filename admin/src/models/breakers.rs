//! Mail servers that refuse us: while one is listed, mail waits.

use super::registered::Breakers;
use usher_shared::{
    audit::ObjectType,
    foundation::entity::mail_breaker::{COLUMN as C, Column, Entity},
};

use usher_admin_engine::{AdminModel, Deletion, Field, Meta, Ordering};

impl AdminModel for Breakers {
    type Entity = Entity;

    const META: Meta = Meta::new("breakers", "refusing mail server", "refusing mail servers")
        .object_type_of(ObjectType::MailBreaker)
        .few()
        .section("Mail")
        .icon("workers")
        .about("Mail waits while its server refuses us. Delete one to let it be tried at once.")
        .deletable();

    const DELETION: Option<&'static Deletion> = Some(&Deletion::rows(&[]));

    fn ordering() -> Ordering<Entity> {
        Ordering::ascending(Column::Server)
    }

    fn field(column: Column) -> Field<Entity> {
        match column {
            Column::Server => Field::id(C.server).link(),
            Column::Reason => Field::long_text(C.reason).list().readonly(),
            Column::Refusals => Field::int(C.refusals).list().readonly(),
            Column::OpenedAt => Field::time(C.opened_at).label("Since").list().readonly(),
            Column::ProbeAt => Field::time(C.probe_at).label("Next try").list().readonly(),
        }
    }
}
