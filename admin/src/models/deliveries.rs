//! How events were delivered, read-only.

use super::registered::{Deliveries, Webhooks};
use usher_shared::foundation::entity::webhook_delivery::{COLUMN as C, Column, DeliveryState, Entity};

use usher_admin_engine::{AdminModel, Field, Meta, Ordering, Tone};

impl AdminModel for Deliveries {
    type Entity = Entity;

    const META: Meta = Meta::new("deliveries", "delivery", "deliveries")
        .section("Webhooks")
        .icon("mails")
        .about("One event for one webhook, and how the last attempt went.")
        .empty("No event was sent to a webhook yet");

    fn ordering() -> Ordering<Entity> {
        Ordering::descending(Column::Id)
    }

    fn field(column: Column) -> Field<Entity> {
        use Column::*;
        match column {
            Id => Field::id(C.id).label("Delivery").link(),
            EndpointId => Field::foreign_key::<Webhooks>(C.endpoint_id)
                .label("Webhook")
                .list()
                .filter()
                .readonly(),
            Position => Field::int(C.position).list().readonly(),
            EventId => Field::internal(EventId),
            Kind => Field::text(C.kind).label("Type").list().readonly(),
            State => Field::choice(C.state, tone).list().readonly(),
            Attempts => Field::int(C.attempts).list().readonly(),
            NextAttemptAt => Field::time(C.next_attempt_at).label("Next attempt").readonly(),
            LastStatus => Field::int(C.last_status).label("HTTP status").list().readonly(),
            LastError => Field::text(C.last_error).label("Error").list().readonly(),
            LastResponse => Field::text(C.last_response).label("Response").readonly(),
            LastDurationMs => Field::int(C.last_duration_ms).label("Duration in ms").readonly(),
            DeliveredAt => Field::time(C.delivered_at).label("Delivered").readonly(),
            CreatedAt => Field::time(C.created_at).list().readonly(),
        }
    }
}

fn tone(state: &DeliveryState) -> Tone {
    match state {
        DeliveryState::Pending => Tone::Busy,
        DeliveryState::Delivered => Tone::Good,
        DeliveryState::Failed => Tone::Bad,
    }
}
