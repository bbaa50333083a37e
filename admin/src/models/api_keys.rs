//! API keys: what another service may do, until when and from which addresses. The key itself is shown once.

use super::registered::{ApiKeys, Users};
use crate::texts;
use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{DbErr, IdenStatic, Value};
use usher_shared::{
    accounts::{
        api_keys::{self, KeyEdit, NewKey, Scope},
        staff::policy::{Act, key_refusal},
    },
    audit::ObjectType,
    foundation::{
        config::Config,
        entity::api_key::{self, COLUMN as C, Column, Entity},
        rules::{Name, Reason},
        time::now,
    },
    jobs::EnqueueError,
};

use usher_admin_engine::{
    Action, ActionContext, AdminModel, Change, Changed, CheckGroup, CheckOption, Checklist, Draft, Field, HookFuture,
    Meta, Offered, Ordering, Outcome, Param, Row, SaveContext, Search, Staff, capitalized, short_time,
};

/// The checkbox that revokes a rotated key's old secret immediately.
const AT_ONCE: &str = "at_once";

impl AdminModel for ApiKeys {
    type Entity = Entity;

    const META: Meta = Meta::new("api_keys", "API key", "API keys")
        .object_type_of(ObjectType::ApiKey.as_str())
        .few()
        .section("People")
        .icon("keys")
        .about(texts::api_keys::ABOUT)
        .editable()
        .sensitive();

    const ACTIONS: &'static [Action] = &[
        Action::new("rotate", "Rotate", |acting, row| Box::pin(rotate(acting, row)))
            .about(texts::api_keys::ROTATE_ABOUT)
            .params(&[Param::Checklist {
                name: AT_ONCE,
                label: "Old secret",
                offered: |_, _, _| Box::pin(async { Ok(vec![at_once()]) }),
            }])
            .sensitive()
            .fits(|row| row.get("revoked_at").is_none(), texts::api_keys::ALREADY_REVOKED),
        Action::new("revoke", "Revoke", |acting, row| Box::pin(revoke(acting, row)))
            .done("revoked")
            .about(texts::api_keys::REVOKE_ABOUT)
            .params(&[Param::Reason { required: false }])
            .fits(|row| row.get("revoked_at").is_none(), texts::api_keys::ALREADY_REVOKED),
    ];

    const CHECKLIST: Option<&'static Checklist> = Some(&Checklist {
        name: "scope",
        title: "Scopes",
        help: "What the key can do. You can only grant what you can do yourself.",
        columns: &[],
        offered: Offered::These(|| vec![scopes()]),
        may: |staff, scope| staff.holder().lacks(Scope::parse(scope)).is_none(),
        load: |_, row| Box::pin(async move { Ok(words(row)) }),
    });

    const CHANGE: Option<Change> = Some(|saving, row, draft| Box::pin(change(saving, row, draft)));

    /// Changing or rotating a key takes every permission its scopes need. A revoked key cannot be changed.
    fn locked_for(row: &Row, staff: &Staff, act: &str) -> Option<String> {
        if act == "change" && row.get("revoked_at").is_some() {
            return Some("This key is revoked. Create a new one instead.".to_owned());
        }
        if act == "revoke" {
            return None;
        }
        let scopes = words(row);
        let (scope, permission) = staff
            .holder()
            .lacks(scopes.iter().filter_map(|word| Scope::parse(word)))?;
        Some(format!(
            "This key has the scope {scope}, which needs the permission {permission}. You don't have it, so you can \
             only revoke the key.",
            scope = scope.as_str()
        ))
    }

    fn ordering() -> Ordering<Entity> {
        Ordering::descending(Column::Id)
    }

    fn field(column: Column) -> Field<Entity> {
        use Column::*;
        match column {
            Id => Field::id(C.id).readonly(),
            Name => Field::text(C.name).link().form().search(Search::Words),
            Hint => Field::text(C.hint)
                .label("Starts with")
                .list()
                .readonly()
                .search(Search::Prefix {
                    key_column: Hint,
                    key: str::to_owned,
                }),
            TokenHash => Field::secret(TokenHash),
            Scopes => Field::text(C.scopes).list().readonly(),
            AllowedCidrs => Field::text(C.allowed_cidrs)
                .label("Allowed IP addresses")
                .form()
                .help(texts::api_keys::NETWORKS_HELP),
            RequestsPerMinute => Field::int(C.requests_per_minute)
                .form()
                .help("Leave empty for the default"),
            CreatedBy => Field::foreign_key::<Users>(C.created_by).list().filter().readonly(),
            Version => Field::row_version(C.version),
            CreatedAt => Field::time(C.created_at).list().sort_by(Id).readonly(),
            ExpiresAt => Field::time(C.expires_at)
                .list()
                .form()
                .help("UTC. Leave empty for no expiry"),
            LastUsedAt => Field::time(C.last_used_at).list().readonly(),
            RevokedAt => Field::time(C.revoked_at).list().filter().readonly(),
            PreviousHash => Field::secret(PreviousHash),
            PreviousUntil => Field::time(C.previous_until)
                .label("Previous key valid until")
                .readonly(),
        }
    }

    fn banner(row: &Row) -> Option<String> {
        if let Some(at) = row.time("revoked_at") {
            return Some(format!(
                "Revoked on {} UTC. Requests with this key are rejected.",
                short_time(at)
            ));
        }
        let end = row.time("expires_at").filter(|end| *end <= now())?;
        Some(format!(
            "Expired on {} UTC. Requests with this key are rejected.",
            short_time(end)
        ))
    }

    fn clean(draft: &mut Draft, before: Option<&Row>, _: &Config) {
        wanted(draft, before, None);
    }

    fn create<'a>(saving: &'a SaveContext<'a>, draft: &'a mut Draft) -> HookFuture<'a, Option<String>> {
        Box::pin(create(saving, draft))
    }
}

fn scopes() -> CheckGroup {
    let option = |scope: Scope| CheckOption {
        value: scope.as_str().to_owned(),
        label: scope.as_str().to_owned(),
        ..CheckOption::default()
    };
    CheckGroup {
        label: "Scopes".to_owned(),
        columns: vec![],
        others: Scope::all().map(option).collect(),
    }
}

fn words(row: &Row) -> BTreeSet<String> {
    let scopes = row.text("scopes").unwrap_or_default();
    scopes.split_whitespace().map(str::to_owned).collect()
}

fn at_once() -> CheckOption {
    CheckOption {
        value: AT_ONCE.to_owned(),
        label: "It has leaked: reject it immediately".to_owned(),
        ..CheckOption::default()
    }
}

/// What the form wants, by the rules that the API has; what is as stored is left alone. None when the draft says what
/// is wrong.
fn wanted(draft: &mut Draft, before: Option<&Row>, checked: Option<&BTreeSet<String>>) -> Option<KeyEdit> {
    let stored = |column: Column| before.and_then(|row| row.text(column.as_str())).unwrap_or_default();
    let mut edit = KeyEdit {
        name: draft.rule(Column::Name, Name::parse),
        ..KeyEdit::default()
    };
    if before.is_none() || draft.typed(Column::AllowedCidrs) != stored(Column::AllowedCidrs) {
        edit.allowed = draft.rule(Column::AllowedCidrs, |raw| {
            api_keys::parse_networks(raw.split_whitespace())
        });
    }
    edit.requests_per_minute = match draft.get(Column::RequestsPerMinute).cloned() {
        Some(Value::Int(Some(limit))) => draft
            .rule(Column::RequestsPerMinute, |_| api_keys::parse_limit(limit.into()))
            .map(Some),
        _ => Some(None),
    };
    edit.expires_at = match end(draft) {
        Some(end) if before.and_then(|row| row.time(Column::ExpiresAt.as_str())) != Some(end) => {
            draft.rule(Column::ExpiresAt, |_| api_keys::check_end(end)).map(Some)
        }
        end => Some(end),
    };
    if let Some(checked) = checked {
        match api_keys::parse_scopes(checked.iter().map(String::as_str)) {
            Ok(scopes) => edit.scopes = Some(scopes),
            Err(violation) => draft.refuse_by_name("scope", violation.message),
        }
    }
    draft.errors().is_empty().then_some(edit)
}

fn end(draft: &Draft) -> Option<DateTime<Utc>> {
    match draft.get(Column::ExpiresAt) {
        Some(Value::ChronoDateTimeUtc(at)) => *at,
        _ => None,
    }
}

async fn create(saving: &SaveContext<'_>, draft: &mut Draft) -> Result<Option<String>, DbErr> {
    let checked = saving.checked.clone().unwrap_or_default();
    let Some(KeyEdit {
        name: Some(name),
        scopes: Some(scopes),
        allowed,
        requests_per_minute,
        expires_at,
    }) = wanted(draft, None, Some(&checked))
    else {
        return Ok(None);
    };
    if let Some(refusal) = key_refusal(saving.staff.holder(), Act::AddKey, None, &scopes) {
        draft.refuse_by_name("scope", capitalized(&refusal.to_string()));
        return Ok(None);
    }
    let new = NewKey {
        name,
        scopes,
        allowed: allowed.unwrap_or_default(),
        requests_per_minute: requests_per_minute.flatten(),
        expires_at: expires_at.flatten(),
    };
    let issued = api_keys::issue(saving.tx, new, Some(saving.staff.id()), saving.actor).await;
    let (key, token) = written(issued)?;
    saving.notice(format!(
        "API key created. Copy it now, it won't be shown again: {}",
        token.as_str()
    ));
    Ok(Some(key.id.to_string()))
}

async fn change(saving: &SaveContext<'_>, row: &Row, draft: &mut Draft) -> Result<Changed, DbErr> {
    let Some(edit) = wanted(draft, Some(row), saving.checked.as_ref()) else {
        return Ok(Changed::Refused);
    };
    let given = edit.scopes.clone().unwrap_or_default();
    let before = match held(saving, row, Act::ChangeKey, &given).await? {
        Ok(before) => before,
        Err(why) => {
            draft.refuse_by_name("scope", capitalized(&why));
            return Ok(Changed::Refused);
        }
    };
    let version = before.version;
    let after = written(api_keys::edit(saving.tx, before, edit, saving.actor).await)?;
    Ok(if after.version == version {
        Changed::Unchanged
    } else {
        Changed::Saved
    })
}

fn written<T>(result: Result<T, EnqueueError>) -> Result<T, DbErr> {
    result.map_err(|error| match error {
        EnqueueError::Db(error) => error,
        other => DbErr::Custom(other.to_string()),
    })
}

async fn rotate(acting: &ActionContext<'_>, row: &Row) -> Result<Outcome, DbErr> {
    let saving = acting.saving;
    let before = match held(saving, row, Act::RotateKey, &[]).await? {
        Ok(before) => before,
        Err(why) => return Ok(Outcome::Skipped(why.into())),
    };
    let grace = if acting.params.checked(AT_ONCE).is_empty() {
        api_keys::GRACE
    } else {
        0
    };
    let grace = TimeDelta::seconds(grace.into());
    let (_, token) = written(api_keys::rotate(saving.tx, before, grace, saving.actor).await)?;
    saving.notice(format!(
        "API key rotated. Copy the new key now, it won't be shown again: {}",
        token.as_str()
    ));
    Ok(Outcome::Audited)
}

async fn revoke(acting: &ActionContext<'_>, row: &Row) -> Result<Outcome, DbErr> {
    let saving = acting.saving;
    let reason = acting.params.reason.clone().map(Reason::into_text);
    match held(saving, row, Act::RevokeKey, &[]).await? {
        Ok(before) => {
            written(api_keys::revoke(saving.tx, before, reason, saving.actor).await)?;
            Ok(Outcome::Audited)
        }
        Err(why) => Ok(Outcome::Skipped(why.into())),
    }
}

/// The row's key, locked, if this person may do this to it and grant these scopes; otherwise the reason why not.
async fn held(
    saving: &SaveContext<'_>,
    row: &Row,
    act: Act,
    given: &[Scope],
) -> Result<Result<api_key::Model, String>, DbErr> {
    let id = row.parse("id").unwrap_or_default();
    let Some(key) = api_keys::find_for_change(saving.tx, id).await? else {
        return Ok(Err(texts::refusals::GONE.to_owned()));
    };
    if key.revoked_at.is_some() {
        return Ok(Err(texts::api_keys::ALREADY_REVOKED.to_owned()));
    }
    let refusal = key_refusal(saving.staff.holder(), act, Some(&key), given);
    Ok(match refusal {
        Some(refusal) => Err(refusal.to_string()),
        None => Ok(key),
    })
}
