//! Users: searched by email, name or id, edited by the same rules as in the API, with their sessions and API keys
//! beside the form.

use super::registered::{ApiKeys, Roles, Sessions, Users};
use super::user_actions::{self, held};
use sea_orm::{ActiveEnum, DbErr, IdenStatic};
use usher_admin_engine::{
    Action, AdminModel, Change, Changed, Deletion, Draft, Field, HookFuture, Inline, ManyToMany, Meta, Ordering, Row,
    SaveContext, Search, Staff, TimeDependent, Tone, capitalized, nothing, short_time,
};
use usher_shared::{
    accounts::{
        staff::policy::{Act, Target},
        users::{self, ChangeError, CreateUserError, Edit, NewUser},
    },
    foundation::{
        config::Config,
        entity::{
            api_key, session,
            user::{COLUMN as C, Column, Entity, UserStatus},
            user_role,
        },
        rules::{Age, Email, Name, Violation, ViolationKind},
        search::{self, Part},
    },
};

/// The same text as in the API.
const TAKEN: &str = "Email already registered";

impl AdminModel for Users {
    type Entity = Entity;

    const META: Meta = Meta::new("users", "user", "users")
        .section("People")
        .icon("users")
        .about("Everyone with an account, including staff.")
        .link("Import", "/admin/users/import", "import")
        .editable()
        .deletable();

    const ACTIONS: &'static [Action] = user_actions::ACTIONS;

    const FACTS: &'static [(&'static str, &'static str)] = &[(
        "has_factor",
        "EXISTS (SELECT 1 FROM mfa_factors f WHERE f.user_id = users.id AND f.confirmed_at IS NOT NULL)",
    )];

    const DELETION: Option<&'static Deletion> = Some(&user_actions::DELETION);

    fn ordering() -> Ordering<Entity> {
        Ordering::descending(Column::CreatedAt)
    }

    fn field(column: Column) -> Field<Entity> {
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
            Age => Field::int(C.age).list().form().help("0–150, or leave empty"),
            Status => Field::choice(C.status, tone)
                .time_dependent(STATUS)
                .list()
                .filter()
                .readonly()
                .not_new()
                .fieldset("Access"),
            LockedUntil => Field::time(C.locked_until).readonly().not_new().fieldset("Access"),
            LockReason => Field::text(C.lock_reason)
                .readonly()
                .not_new()
                .fieldset("Access")
                .help("Visible to staff only"),
            ExternalId => Field::text(C.external_id)
                .readonly()
                .label("External ID")
                .fieldset("Record"),
            IsStaff => Field::bool(C.is_staff).filter().readonly().fieldset("Access"),
            IsSuperuser => Field::bool(C.is_superuser).filter().readonly().fieldset("Access"),
            PasswordHash => Field::secret(PasswordHash),
            PasswordChangedAt => Field::time(C.password_changed_at)
                .label("Password changed")
                .readonly()
                .fieldset("Record"),
            EmailVerifiedAt => Field::time(C.email_verified_at).filter().readonly().fieldset("Record"),
            WelcomedAt => Field::time(C.welcomed_at).readonly().fieldset("Record"),
            LastLoginAt => Field::time(C.last_login_at)
                .label("Last sign-in")
                .list()
                .readonly()
                .fieldset("Record"),
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
                .label("Deletion scheduled for")
                .readonly()
                .fieldset("Record")
                .help("The user asked to delete the account"),
        }
    }

    const CHANGE: Option<Change> = Some(|saving, row, draft| Box::pin(change(saving, row, draft)));

    fn locked_for(row: &Row, staff: &Staff, act: &str) -> Option<String> {
        let act = Act::by_permission(&format!("{}.{act}", Self::META.name))?;
        if row.get("deleted_at").is_some() && act != Act::RestoreUser {
            return Some("This account is deleted. Restore it to make changes.".to_owned());
        }
        let target = Target {
            id: user_actions::id_of(row),
            is_staff: row.is_true("is_staff"),
            is_superuser: row.is_true("is_superuser"),
        };
        let refusal = staff.holder().refuses_target(act, target)?;
        Some(match act {
            // Shown as a sentence of its own.
            Act::ChangeUser | Act::DeleteUser => capitalized(&format!("{refusal}.")),
            _ => refusal.to_string(),
        })
    }

    fn banner(row: &Row) -> Option<String> {
        let because = row
            .text("lock_reason")
            .map(|reason| format!(": {reason}"))
            .unwrap_or_default();
        let time = |column: &str| row.time(column).map(short_time);
        match row.text("status").as_deref() {
            _ if row.get("deleted_at").is_some() => {
                Some(format!("Deleted on {} UTC.", time("deleted_at").unwrap_or_default()))
            }
            Some("locked") => Some(match time("locked_until") {
                Some(until) => format!("Locked until {until} UTC{because}"),
                None => format!("Locked until someone unlocks it{because}"),
            }),
            Some("deactivated") => Some("Deactivated. Nobody can sign in to this account.".to_owned()),
            _ => None,
        }
    }

    fn clean(draft: &mut Draft, before: Option<&Row>, config: &Config) {
        wanted(draft, before, config);
    }

    fn create<'a>(saving: &'a SaveContext<'a>, draft: &'a mut Draft) -> HookFuture<'a, Option<String>> {
        Box::pin(create(saving, draft))
    }

    fn many_to_many() -> Vec<ManyToMany> {
        vec![ManyToMany::to::<Roles, _>(
            user_role::Column::UserId,
            user_role::Column::RoleId,
        )]
    }

    fn inlines() -> Vec<Inline> {
        vec![
            Inline::of::<Sessions, _>(
                session::Column::UserId,
                [
                    session::Column::UserAgent,
                    session::Column::Kind,
                    session::Column::LastSeenAt,
                    session::Column::EndedAt,
                ],
            )
            .empty("Hasn't signed in yet."),
            Inline::of::<ApiKeys, _>(
                api_key::Column::CreatedBy,
                [api_key::Column::Name, api_key::Column::CreatedAt],
            )
            .title("API keys created"),
        ]
    }
}

/// A lock can expire.
const STATUS: TimeDependent = TimeDependent {
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
    let number = number.map_err(|_| Violation::new(ViolationKind::IntParsing, "Enter a whole number"))?;
    Age::parse(number)
}

/// What the form changes or creates, by the same rules as in the API. Fields that equal the stored value are left out.
/// None when the draft has errors.
fn wanted(draft: &mut Draft, before: Option<&Row>, config: &Config) -> Option<Edit> {
    let is_new = |draft: &Draft, column: Column| {
        let stored = before.map(|row| row.text(column.as_str()).unwrap_or_default());
        stored.is_none_or(|stored| draft.typed(column) != stored)
    };
    let (mut edit, mut valid) = (Edit::default(), true);
    if is_new(draft, Column::Name) {
        edit.name = draft.rule(Column::Name, Name::parse);
        valid &= edit.name.is_some();
    }
    if is_new(draft, Column::Email) {
        edit.email = draft.rule(Column::Email, |raw| Email::parse(raw, config.email_policy));
        valid &= edit.email.is_some();
    }
    if is_new(draft, Column::Age) {
        edit.age = match draft.typed(Column::Age).trim() {
            "" => Some(None),
            _ => draft.rule(Column::Age, parse_age).map(Some),
        };
        valid &= edit.age.is_some();
    }
    valid.then_some(edit)
}

async fn change(saving: &SaveContext<'_>, row: &Row, draft: &mut Draft) -> Result<Changed, DbErr> {
    let Some(edit) = wanted(draft, Some(row), saving.config) else {
        return Ok(Changed::Refused);
    };
    let before = match held(saving, row, Act::ChangeUser).await? {
        Ok(before) => before,
        Err(why) => {
            draft.refuse(Column::Email, capitalized(&why));
            return Ok(Changed::Refused);
        }
    };
    let version = before.version;
    match users::edit(saving.tx, before, edit, saving.actor).await {
        Ok(after) if after.version == version => Ok(Changed::Unchanged),
        Ok(_) => Ok(Changed::Saved),
        Err(ChangeError::EmailTaken) => {
            draft.refuse(Column::Email, TAKEN);
            Ok(Changed::Refused)
        }
        Err(ChangeError::Refused(errors)) => {
            draft.refuse_all(errors);
            Ok(Changed::Refused)
        }
        Err(ChangeError::Db(error)) => Err(error),
        Err(error) => Err(DbErr::Custom(error.to_string())),
    }
}

/// Creates the user as the API does, so that the welcome email goes out.
async fn create(saving: &SaveContext<'_>, draft: &mut Draft) -> Result<Option<String>, DbErr> {
    let Some(Edit {
        name: Some(name),
        email: Some(email),
        age,
    }) = wanted(draft, None, saving.config)
    else {
        return Ok(None);
    };
    let new = NewUser {
        name,
        email,
        age: age.flatten(),
    };
    let user = match users::create(saving.tx, &new, saving.actor).await {
        Ok(user) => user,
        Err(CreateUserError::EmailTaken) => {
            draft.refuse(Column::Email, TAKEN);
            return Ok(None);
        }
        Err(CreateUserError::Refused(errors)) => {
            draft.refuse_all(errors);
            return Ok(None);
        }
        Err(CreateUserError::Db(error)) => return Err(error),
        Err(CreateUserError::Enqueue(error)) => return Err(DbErr::Custom(error.to_string())),
    };
    Ok(Some(user.id.to_string()))
}
