//! Users in the admin: found by email, name or id; edited by the rules that the API has; with their mails, jobs
//! and sessions beside the form.

use sea_orm::{
    ActiveEnum, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, Statement, Value,
};
use usher_shared::{
    config::Config,
    entity::{
        job::JobState,
        mail::MailState,
        user::{COLUMN as C, Column, Entity, UserStatus},
    },
    rules::{Age, Email, Name, Violation, ViolationKind},
    users::{self, CreateUserError, NewUser},
};
use uuid::Uuid;

use super::{jobs, mails, user_actions};
use crate::{
    engine::{
        Action, AdminModel, Answer, Cell, Deletion, Draft, Field, Meta, Ordering, Panel, Row, Saving, Search, Tone,
        capitalised, short_time,
    },
    staff::Staff,
    state::AppState,
};

/// The API's words for it.
const TAKEN: &str = "Email already registered";

impl AdminModel for Entity {
    const META: Meta = Meta::new("users", "user", "users")
        .section("People")
        .icon("users")
        .about("Everybody with an account; staff are users too.")
        .editable()
        .deletable();

    const ACTIONS: &'static [Action] = user_actions::ACTIONS;

    const DELETION: Option<&'static Deletion> = Some(&user_actions::DELETION);

    fn ordering() -> Ordering<Self> {
        Ordering::descending(Column::CreatedAt)
    }

    fn field(column: Column) -> Field<Self> {
        use Column::*;
        match column {
            Id => Field::id(C.id).readonly().fieldset("Record"),
            Email => Field::text(C.email)
                .link()
                .form()
                .sort_by(EmailKey)
                .search(Search::Prefix {
                    key_column: EmailKey,
                    key: usher_shared::rules::Email::key_of,
                }),
            EmailKey => Field::internal(EmailKey),
            Name => Field::text(C.name).list().form().sort().search(Search::Words),
            Age => Field::int(C.age).list().form().help("0–150, or empty"),
            Status => Field::choice(C.status, tone)
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

    fn panels<'a>(state: &'a AppState, row: &'a Row, staff: &'a Staff) -> Answer<'a, Vec<Panel>> {
        Box::pin(panels(state, row, staff))
    }
}

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
            .filter(Column::Status.eq(UserStatus::Active))
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

/// The newest of each kind: one statement for all.
const BESIDE: &str = "
    SELECT * FROM (SELECT 'mail' AS part, id, subject AS title, state, created_at AS at
                     FROM mails WHERE user_id = $1 ORDER BY id DESC LIMIT 5) AS m
    UNION ALL
    SELECT * FROM (SELECT 'job', id, kind, state, created_at
                     FROM jobs WHERE user_id = $1 ORDER BY id DESC LIMIT 5) AS j
    UNION ALL
    SELECT * FROM (SELECT 'session', id, COALESCE(user_agent, ''),
                          CASE WHEN ended_at IS NULL AND expires_at > $2 THEN kind ELSE 'ended' END, last_seen_at
                     FROM sessions WHERE user_id = $1 ORDER BY id DESC LIMIT 5) AS s";

/// What has numbers for ids: API keys that the user made, and what was done to the account.
const BESIDE_NUMBERED: &str = "
    SELECT * FROM (SELECT 'key' AS part, id, name AS title, '' AS who, created_at AS at
                     FROM api_keys WHERE created_by = $1 ORDER BY id DESC LIMIT 5) AS k
    UNION ALL
    SELECT * FROM (SELECT 'entry', id, action, actor_label, at
                     FROM audit_log WHERE object_type = 'user' AND object_id = $2 ORDER BY id DESC LIMIT 8) AS a";

async fn panels(state: &AppState, row: &Row, staff: &Staff) -> Result<Vec<Panel>, DbErr> {
    let id = row.text("id").unwrap_or_default();
    let key = id.parse::<i64>().unwrap_or_default();
    let values = [key.into(), usher_shared::time::now().into()];
    let statement = Statement::from_sql_and_values(state.db.get_database_backend(), BESIDE, values);
    let panel = |title, columns, empty, list: Option<&str>| Panel {
        title,
        columns,
        empty,
        href: list.map(|list| format!("/admin/{list}?user_id={id}")),
        ..Panel::default()
    };
    let mut mails = panel("Mails", vec!["Subject", "State", "When"], "No mail yet.", Some("mails"));
    let mut jobs = panel("Jobs", vec!["Kind", "State", "When"], "No jobs yet.", Some("jobs"));
    let mut sessions = panel(
        "Sessions",
        vec!["Browser or client", "State", "Last seen"],
        "Has not signed in yet.",
        None,
    );
    for found in state.db.query_all_raw(statement).await? {
        let text = |column: &str| found.try_get::<String>("", column);
        let (id, title, word): (Uuid, _, _) = (found.try_get("", "id")?, text("title")?, text("state")?);
        let at = Cell::time(found.try_get("", "at")?);
        let label = capitalised(&word);
        match text("part")?.as_str() {
            "mail" => {
                let tone = MailState::try_from_value(&word).map_or(Tone::Quiet, |state| mails::tone(&state));
                let link = Cell::link(title, format!("/admin/mails/{id}"));
                mails.rows.push(vec![link, Cell::badge(label, tone.class()), at]);
            }
            "job" => {
                let tone = JobState::try_from_value(&word).map_or(Tone::Quiet, |state| jobs::tone(&state));
                let link = Cell::link(title, format!("/admin/jobs/{id}"));
                jobs.rows.push(vec![link, Cell::badge(label, tone.class()), at]);
            }
            _ => {
                let tone = if word == "ended" { Tone::Quiet } else { Tone::Good };
                sessions
                    .rows
                    .push(vec![Cell::text(title), Cell::badge(label, tone.class()), at]);
            }
        }
    }
    sessions.href = staff
        .may("sessions.view")
        .then(|| format!("/admin/sessions?user_id={id}"));
    let mut keys = panel("API keys made", vec!["Name", "When"], "None.", None);
    let mut done = panel("Audit", vec!["Action", "By", "When"], "Nothing was done yet.", None);
    keys.href = Some(format!("/admin/api_keys?created_by={id}"));
    done.href = Some(format!("/admin/audit?object_type=user&object_id={id}"));
    let values = [key.into(), id.as_str().into()];
    let statement = Statement::from_sql_and_values(state.db.get_database_backend(), BESIDE_NUMBERED, values);
    for found in state.db.query_all_raw(statement).await? {
        let text = |column: &str| found.try_get::<String>("", column);
        let (id, title): (i64, _) = (found.try_get("", "id")?, text("title")?);
        let at = Cell::time(found.try_get("", "at")?);
        if text("part")? == "key" {
            keys.rows
                .push(vec![Cell::link(title, format!("/admin/api_keys/{id}")), at]);
        } else {
            let action = capitalised(&title.replace('_', " "));
            let link = Cell::link(action, format!("/admin/audit/{id}"));
            done.rows.push(vec![link, Cell::text(text("who")?), at]);
        }
    }
    let allowed = [
        ("mails.view", mails),
        ("jobs.view", jobs),
        ("users.view", sessions),
        ("api_keys.view", keys),
        ("audit.view", done),
    ];
    Ok(allowed
        .into_iter()
        .filter(|(permission, _)| staff.may(permission))
        .map(|(_, panel)| panel)
        .collect())
}
