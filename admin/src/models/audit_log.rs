//! The audit log, read-only.

use super::registered::{AuditLog, Users};
use usher_shared::{
    audit::{ObjectType, spellings},
    foundation::entity::audit_log::{ActorKind, COLUMN as C, Column, Entity},
};

use usher_admin_engine::{AdminModel, Field, Meta, Ordering, Tone};

impl AdminModel for AuditLog {
    type Entity = Entity;

    const META: Meta = Meta::new("audit", "entry", "entries")
        .heading("Audit log")
        .object_type_of(ObjectType::AuditEntry.as_str())
        .section("Record")
        .icon("audit")
        .about("Who did what to what, from where. Append-only.");

    fn ordering() -> Ordering<Entity> {
        Ordering::descending(Column::At)
    }

    fn field(column: Column) -> Field<Entity> {
        use Column::*;
        match column {
            Id => Field::id(C.id).label("Entry"),
            At => Field::time(C.at).list().sort().filter().readonly(),
            ActorKind => Field::choice(C.actor_kind, tone).list().filter().readonly(),
            ActorId => Field::foreign_key::<Users>(C.actor_id)
                .filter_beside(ActorKind, "user")
                .readonly(),
            ActorLabel => Field::text(C.actor_label).label("Actor").list().readonly(),
            OnBehalfOf => Field::foreign_key::<Users>(C.on_behalf_of)
                .label("On behalf of")
                .readonly(),
            Action => Field::text(C.action).link().readonly(),
            ObjectType => Field::text(C.object_type)
                .label("Object")
                .list()
                .filter()
                .spelt(spellings)
                .readonly(),
            ObjectId => Field::text(C.object_id)
                .label("Object ID")
                .list()
                .scanned_filter()
                .readonly(),
            ObjectLabel => Field::text(C.object_label).label("Object name").list().readonly(),
            Changes => Field::json(C.changes).readonly(),
            Reason => Field::text(C.reason).list().readonly(),
            Address => Field::text(C.address).label("IP address").list().readonly(),
            RequestId => Field::text(C.request_id).label("Request ID").readonly(),
            RowHash => Field::internal(RowHash),
        }
    }
}

pub(super) fn tone(kind: &ActorKind) -> Tone {
    match kind {
        ActorKind::User => Tone::Busy,
        ActorKind::ApiKey => Tone::Good,
        ActorKind::System => Tone::Quiet,
        ActorKind::Anonymous => Tone::Warning,
    }
}
