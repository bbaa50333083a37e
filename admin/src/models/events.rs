//! What happened, as others are told: the stream of events, read-only.

use super::registered::{Events, Users};
use usher_shared::foundation::entity::event::{COLUMN as C, Column, Entity};

use usher_admin_engine::{AdminModel, Field, Meta, Ordering};

impl AdminModel for Events {
    type Entity = Entity;

    const META: Meta = Meta::new("events", "event", "events")
        .section("Record")
        .icon("audit")
        .about("What other services are told by the API and by webhooks, in order. Kept for EVENT_RETENTION_DAYS.")
        .empty("Nothing has happened yet");

    fn ordering() -> Ordering<Entity> {
        Ordering::descending(Column::Id)
    }

    fn field(column: Column) -> Field<Entity> {
        use Column::*;
        match column {
            Id => Field::id(C.id).label("Position").link().sort(),
            EventId => Field::internal(EventId),
            At => Field::time(C.at).label("Time").list().readonly(),
            Kind => Field::text(C.kind).label("Type").list().readonly(),
            ObjectId => Field::text(C.object_id).label("Object ID").list().readonly(),
            ObjectVersion => Field::int(C.object_version).label("Version").readonly(),
            UserId => Field::foreign_key::<Users>(C.user_id)
                .label("About")
                .list()
                .filter()
                .readonly(),
            ActorKind => Field::choice(C.actor_kind, super::audit_log::tone)
                .label("By")
                .list()
                .readonly(),
            ActorId => Field::int(C.actor_id).label("ID of the actor").readonly(),
            OnBehalfOf => Field::foreign_key::<Users>(C.on_behalf_of)
                .label("On behalf of")
                .readonly(),
            RequestId => Field::text(C.request_id).label("Request ID").readonly(),
            Data => Field::long_text(C.data).readonly(),
        }
    }
}
