//! Users in the admin: found by email, name or id; edited by the rules that the API has; with their mails, jobs
//! and sessions beside the form.

use super::user_actions;
use crate::{
    engine::{
        Across, Action, AdminModel, Answer, ByClock, Deletion, Draft, Field, Inline, Meta, Ordering, Row, Saving,
        Search, Tone, nothing, short_time,
    },
    staff::Staff,
};
use sea_orm::{ActiveEnum, ColumnTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, Value};
use usher_shared::{
    config::Config,
    entity::{
        api_key, audit_log, job, mail, role, session,
        user::{COLUMN as C, Column, Entity, UserStatus},
        user_role,
    },
    rules::{Age, Email, Name, Violation, ViolationKind},
    search::{self, Part},
    time::now,
    users::{self, CreateUserError, NewUser},
};

/// The API's words for it.
const TAKEN: &str = "Email already registered";

impl AdminModel for Entity {
    const META: Meta = Meta::new("users", "user", "users")
        .section("People")
        .icon("users")
        .about("Everybody with an account; staff are users too.")
        .link("Import", "/admin/users/import", "import")
        .editable()
        .deletable();

    const ACTIONS: &'static [Action] = user_actions::ACTIONS;

    const FACTS: &'static [(&'static str, &'static str)] = &[(
        "has_factor",
        "EXISTS (SELECT 1 FROM mfa_factors f WHERE f.user_id = users.id)",
    )];

    const DELETION: Option<&'static Deletion> = Some(&user_actions::DELETION);

    fn ordering() -> Ordering<Self> {
        Ordering::descending(Column::CreatedAt)
    }

    fn field(column: Column) -> Field<Self> {
        use Column::*;
        match column {
            Id => Field::id(C.id).readonly().fieldset("Record"),
            Email => Field::text(C.email)
                .address()
                .link()
                .form()
                .sensitive()
                .sort_by(EmailKey)
                .search(Search::Folded {
                    at: search::USERS,
                    part: Part::Address,
                }),
            EmailKey => Field::internal(EmailKey),
            Name => Field::text(C.name).list().form().sort().search(Search::Folded {
                at: search::USERS,
                part: Part::Name,
            }),
            SearchText => Field::internal(SearchText),
            Age => Field::int(C.age).list().form().help("0–150, or empty"),
            Status => Field::choice(C.status, tone)
                .by_clock(STATUS)
                .list()
                .filter()
                .form()
                .not_new()
                .fieldset("Access"),
            LockedUntil => Field::time(C.locked_until)
                .form()
                .not_new()
                .fieldset("Access")
                .help("UTC. A lock without an end stays until somebody takes it away"),
            LockReason => Field::text(C.lock_reason)
                .form()
                .not_new()
                .fieldset("Access")
                .help("For staff; the user does not see it"),
            ExternalId => Field::text(C.external_id)
                .readonly()
                .label("External ID")
                .fieldset("Record"),
            IsStaff => Field::bool(C.is_staff).filter().readonly().fieldset("Access"),
            IsSuperuser => Field::bool(C.is_superuser).filter().readonly().fieldset("Access"),
            PasswordHash => Field::secret(PasswordHash),
            PasswordChangedAt => Field::time(C.password_changed_at)
                .label("Password set")
                .readonly()
                .fieldset("Record"),
            EmailVerifiedAt => Field::time(C.email_verified_at).filter().readonly().fieldset("Record"),
            WelcomedAt => Field::time(C.welcomed_at).readonly().fieldset("Record"),
            LastLoginAt => Field::time(C.last_login_at).list().readonly().fieldset("Record"),
            Version => Field::row_version(C.version),
            CreatedAt => Field::time(C.created_at)
                .list()
                .sort()
                .filter()
                .readonly()
                .fieldset("Record"),
            UpdatedAt => Field::touched(C.updated_at).fieldset("Record"),
            DeletedAt => Field::time(C.deleted_at).filter().readonly().fieldset("Record"),
            DeleteAt => Field::time(C.delete_at)
                .label("Ends at")
                .readonly()
                .fieldset("Record")
                .help("The owner has asked for the end of the account"),
        }
    }

    fn locked_for(row: &Row, staff: &Staff) -> Option<&'static str> {
        let is_own = row.text("id") == Some(staff.id().to_string());
        if row.get("deleted_at").is_some() {
            Some("This account was deleted. Restore it to change it.")
        } else if staff.is_superuser() {
            None
        } else if row.is_true("is_superuser") {
            Some("Only superusers may change a superuser.")
        } else {
            // Whoever could move a colleague's address could take their rights with a password reset.
            (row.is_true("is_staff") && !is_own).then_some("Only superusers may change other members of staff.")
        }
    }

    fn banner(row: &Row) -> Option<String> {
        let because = row
            .text("lock_reason")
            .map(|reason| format!(": {reason}"))
            .unwrap_or_default();
        let time = |column: &str| row.time(column).map(short_time);
        match row.text("status").as_deref() {
            _ if row.get("deleted_at").is_some() => {
                Some(format!("Deleted {} UTC.", time("deleted_at").unwrap_or_default()))
            }
            Some("locked") => Some(match time("locked_until") {
                Some(until) => format!("Locked until {until} UTC{because}"),
                None => format!("Locked until somebody unlocks it{because}"),
            }),
            Some("deactivated") => Some("Deactivated: nobody can sign in to this account.".to_owned()),
            _ => None,
        }
    }

    fn clean(draft: &mut Draft, before: Option<&Row>, config: &Config) {
        if let Some(name) = draft.rule(Column::Name, Name::parse) {
            draft.set(Column::Name, name.as_str());
        }
        if let Some(email) = draft.rule(Column::Email, |raw| Email::parse(raw, config.email_policy)) {
            draft.set(Column::Email, email.as_str());
            draft.set(Column::EmailKey, email.key());
            let same = before.is_none_or(|row| row.text("email_key").as_deref() == Some(email.key()));
            if !same {
                // The new address is nobody's until a mail to it was answered.
                draft.set(Column::EmailVerifiedAt, Value::ChronoDateTimeUtc(None));
            }
        }
        if !draft.typed(Column::Age).trim().is_empty() {
            draft.rule(Column::Age, parse_age);
        }
        let locked = draft.text(Column::Status).as_deref() == Some("locked");
        if !locked && (draft.get(Column::LockedUntil).is_some() || draft.get(Column::LockReason).is_some()) {
            // What is left of a lock goes with it.
            draft.set(Column::LockedUntil, Value::ChronoDateTimeUtc(None));
            draft.set(Column::LockReason, Value::String(None));
        }
    }

    fn guard<'a>(saving: &'a Saving<'a>, row: &'a Row, draft: &'a mut Draft) -> Answer<'a, ()> {
        Box::pin(guard(saving, row, draft))
    }

    fn create<'a>(saving: &'a Saving<'a>, draft: &'a mut Draft) -> Answer<'a, Option<String>> {
        Box::pin(create(saving, draft))
    }

    fn taken(violated: &str) -> Option<(Column, &'static str)> {
        violated.contains("email_key").then_some((Column::Email, TAKEN))
    }

    fn across() -> Vec<Across> {
        vec![Across::to::<role::Entity, _>(
            user_role::Column::UserId,
            user_role::Column::RoleId,
        )]
    }

    fn inlines() -> Vec<Inline> {
        vec![
            Inline::of(
                mail::Column::UserId,
                [mail::Column::Subject, mail::Column::State, mail::Column::CreatedAt],
            )
            .empty("No mail yet."),
            Inline::of(
                job::Column::UserId,
                [job::Column::Kind, job::Column::State, job::Column::CreatedAt],
            )
            .empty("No jobs yet."),
            Inline::of(
                session::Column::UserId,
                [
                    session::Column::UserAgent,
                    session::Column::Kind,
                    session::Column::LastSeenAt,
                    session::Column::EndedAt,
                ],
            )
            .empty("Has not signed in yet."),
            Inline::of(
                api_key::Column::CreatedBy,
                [api_key::Column::Name, api_key::Column::CreatedAt],
            )
            .title("API keys made"),
            Inline::of(
                audit_log::Column::ObjectId,
                [
                    audit_log::Column::Action,
                    audit_log::Column::ActorLabel,
                    audit_log::Column::At,
                ],
            )
            .only(audit_log::Column::ObjectType, Self::META.singular)
            .title("Audit")
            .empty("Nothing was done yet."),
        ]
    }
}

/// A lock ends by itself.
const STATUS: ByClock = ByClock {
    with: &["locked_until"],
    value: |row, at| {
        let status = UserStatus::try_from_value(&row.text("status")?).ok()?;
        Some(status.at(at, row.time("locked_until")).to_value().into())
    },
    rows: |word, at| {
        let status = word.and_then(|word| UserStatus::try_from_value(&word.to_owned()).ok());
        status.map_or_else(nothing, |status| status.of_rows("users", at))
    },
};

fn tone(status: &UserStatus) -> Tone {
    match status {
        UserStatus::Active => Tone::Good,
        UserStatus::Locked => Tone::Warning,
        UserStatus::Deactivated => Tone::Quiet,
    }
}

fn parse_age(raw: &str) -> Result<Age, Violation> {
    let number = raw.trim().parse::<i64>();
    let number = number.map_err(|_| Violation::new(ViolationKind::IntParsing, "The age must be a whole number"))?;
    Age::parse(number)
}

/// Nobody locks themselves out, and somebody can always sign in as superuser.
async fn guard(saving: &Saving<'_>, row: &Row, draft: &mut Draft) -> Result<(), DbErr> {
    let stays_active = draft.text(Column::Status).as_deref() == Some("active");
    if stays_active {
        return Ok(());
    }
    if row.text("id") == Some(saving.staff.id().to_string()) {
        draft.refuse(
            Column::Status,
            "You cannot lock or deactivate yourself; ask another superuser",
        );
    } else if row.is_true("is_superuser") {
        let others = Entity::find()
            .filter(Column::IsStaff.eq(true))
            .filter(Column::IsSuperuser.eq(true))
            .filter(UserStatus::Active.of_rows("users", now()))
            .filter(Column::DeletedAt.is_null())
            .filter(Column::Id.ne(row.text("id").and_then(|id| id.parse::<i64>().ok())));
        if others.count(&**saving.tx).await? == 0 {
            draft.refuse(
                Column::Status,
                "This is the last active superuser; make another one first",
            );
        }
    }
    Ok(())
}

/// A user made by staff is made as the API makes one, so that the welcome mail goes out.
async fn create(saving: &Saving<'_>, draft: &mut Draft) -> Result<Option<String>, DbErr> {
    let age = draft.typed(Column::Age).trim().parse().ok();
    let name = draft.rule(Column::Name, Name::parse);
    let email = draft.rule(Column::Email, |raw| Email::parse(raw, saving.config.email_policy));
    let (Some(name), Some(email)) = (name, email) else {
        return Ok(None);
    };
    let age = age.and_then(|age| Age::parse(age).ok());
    let user = match users::create(saving.tx, &NewUser { name, email, age }, saving.actor).await {
        Ok(user) => user,
        Err(CreateUserError::EmailTaken) => {
            draft.refuse(Column::Email, TAKEN);
            return Ok(None);
        }
        Err(CreateUserError::Db(error)) => return Err(error),
        Err(CreateUserError::Enqueue(error)) => return Err(DbErr::Custom(error.to_string())),
    };
    Ok(Some(user.id.to_string()))
}
