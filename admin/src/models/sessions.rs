//! Sessions: who is signed in and from where, with an action to revoke them.

use super::registered::{Sessions, Users};
use crate::texts;
use sea_orm::{ActiveEnum, DbErr};
use usher_shared::{
    accounts::{
        sessions::{self, Which},
        staff::policy::session_refusal,
    },
    foundation::entity::session::{COLUMN as C, Column, Entity, SessionKind},
};

use usher_admin_engine::{
    Action, ActionContext, AdminModel, Field, Meta, Ordering, Outcome, Row, TimeDependent, Tone, nothing,
};

impl AdminModel for Sessions {
    type Entity = Entity;

    const META: Meta = Meta::new("sessions", "session", "sessions")
        .section("People")
        .icon("sessions")
        .about("Browsers and clients that are or were signed in.");

    const ACTIONS: &'static [Action] = &[
        Action::new("revoke", "Revoke", |acting, row| Box::pin(revoke(acting, row)))
            .done("revoked")
            .fits(|row| row.get("ended_at").is_none(), "already ended"),
    ];

    fn ordering() -> Ordering<Entity> {
        Ordering::descending(Column::Id)
    }

    fn field(column: Column) -> Field<Entity> {
        use Column::*;
        match column {
            Id => Field::id(C.id).link(),
            UserId => Field::foreign_key::<Users>(C.user_id).list().filter().readonly(),
            Kind => Field::choice(C.kind, tone).list().readonly(),
            MfaAt => Field::time(C.mfa_at).label("2FA verified").readonly(),
            ReauthenticatedAt => Field::time(C.reauthenticated_at)
                .label("Password last confirmed")
                .readonly(),
            Address => Field::text(C.address).label("IP address").list().readonly(),
            UserAgent => Field::text(C.user_agent).label("Browser or client").list().readonly(),
            CreatedAt => Field::time(C.created_at)
                .label("Started")
                .list()
                .sort_by(Id)
                .filter()
                .readonly(),
            LastSeenAt => Field::time(C.last_seen_at).label("Last seen").list().readonly(),
            ExpiresAt => Field::time(C.expires_at).label("Expires at").readonly(),
            EndedAt => Field::time(C.ended_at)
                .time_dependent(ENDED_AT)
                .list()
                .filter()
                .readonly(),
            EndReason => Field::text(C.end_reason).label("End reason").readonly(),
            TokenExpiresAt => Field::time(C.token_expires_at).label("Token expires at").readonly(),
            TokenUsedAt => Field::time(C.token_used_at).label("Token first used").readonly(),
            RefreshedAt => Field::time(C.refreshed_at).readonly(),
            ImpersonatorId => Field::foreign_key::<Users>(C.impersonator_id)
                .label("Impersonated by")
                .readonly(),
            ImpersonatorSessionId => Field::internal(ImpersonatorSessionId),
            TokenHash | RefreshHash => Field::secret(column),
        }
    }
}

/// A session expires when it is idle, and after its maximum lifetime.
const ENDED_AT: TimeDependent = TimeDependent {
    with: &["kind", "last_seen_at", "expires_at"],
    value: |row, at| {
        let ended = row.time("ended_at").or_else(|| {
            let kind = SessionKind::try_from_value(&row.text("kind")?).ok()?;
            let end = sessions::run_out(kind, row.time("last_seen_at")?, row.time("expires_at")?);
            (end <= at).then_some(end)
        });
        ended.map(Into::into)
    },
    rows: |word, at| match word {
        None => sessions::live(at),
        Some(_) => nothing(),
    },
};

fn tone(kind: &SessionKind) -> Tone {
    match kind {
        SessionKind::Admin => Tone::Busy,
        SessionKind::Api => Tone::Quiet,
    }
}

async fn revoke(acting: &ActionContext<'_>, row: &Row) -> Result<Outcome, DbErr> {
    let (Some(user), Some(id)) = (row.parse("user_id"), row.parse("id")) else {
        return Ok(Outcome::Skipped(texts::refusals::GONE.into()));
    };
    if let Some(refusal) = session_refusal(&**acting.saving.tx, acting.saving.staff.holder(), user).await? {
        return Ok(Outcome::Skipped(refusal.to_string().into()));
    }
    let ended = sessions::end(&**acting.saving.tx, user, Which::One(id), "revoked by staff").await?;
    Ok(if ended == 1 {
        Outcome::Done
    } else {
        Outcome::Skipped("already ended".into())
    })
}
