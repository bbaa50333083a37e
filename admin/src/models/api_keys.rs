//! API keys in the admin: what another service may do, until when, from where. The key itself is shown once.

use std::collections::BTreeSet;

use chrono::Utc;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, Value,
    sea_query::Expr,
};
use usher_shared::{
    api_keys::{self, Scope},
    audit::{self, Entry},
    config::Config,
    entity::{
        api_key::{COLUMN as C, Column, Entity},
        user,
    },
    jobs::{EnqueueError, KeyChange},
    rules::{Name, Violation},
    time::now,
};

use crate::engine::{
    Acting, Action, AdminModel, Answer, Ask, Draft, Field, Meta, Ordering, Ran, Row, Saving, Search, TickGroup,
    TickOption, Ticks, short_time,
};

impl AdminModel for Entity {
    const META: Meta = Meta::new("api_keys", "API key", "API keys")
        .few()
        .section("People")
        .icon("keys")
        .about("Keys of other services. A key is shown once, when it is made; only its SHA-256 is kept.")
        .editable()
        .sensitive();

    const ACTIONS: &'static [Action] = &[
        Action::new("revoke", "Revoke", |acting, row| Box::pin(revoke(acting, row)))
            .done("revoked")
            .about("Requests with this key are refused from now on. It cannot be undone: make a new key instead.")
            .asks(&[Ask::Reason { required: false }])
            .fits(|row| row.get("revoked_at").is_none(), "it is revoked already"),
    ];

    const TICKS: Option<&'static Ticks> = Some(&Ticks {
        name: "scope",
        title: "Scopes",
        help: "What the key may do.",
        columns: &[],
        offered: |_| vec![scopes()],
        may: |_, _| true,
        load: |_, row| Box::pin(async move { Ok(words(row)) }),
        save: |saving, id, wanted| Box::pin(save_scopes(saving, id, wanted)),
    });

    fn ordering() -> Ordering<Self> {
        Ordering::descending(Column::Id)
    }

    fn field(column: Column) -> Field<Self> {
        use Column::*;
        match column {
            Id => Field::id(C.id).readonly(),
            Name => Field::text(C.name).link().form().search(Search::Words),
            Hint => Field::text(C.hint)
                .label("Begins with")
                .list()
                .readonly()
                .search(Search::Prefix {
                    key_column: Hint,
                    key: str::to_owned,
                }),
            TokenHash => Field::secret(TokenHash),
            Scopes => Field::text(C.scopes).list().readonly(),
            AllowedCidrs => Field::text(C.allowed_cidrs)
                .label("Allowed from")
                .form()
                .help("Networks such as 10.0.0.0/8 with a space between; empty allows every address"),
            RequestsPerMinute => Field::int(C.requests_per_minute)
                .form()
                .help("Empty: the limit of the house"),
            CreatedBy => Field::foreign_key::<user::Entity>(C.created_by)
                .list()
                .filter()
                .readonly(),
            Version => Field::row_version(C.version),
            CreatedAt => Field::time(C.created_at).list().sort_by(Id).readonly(),
            ExpiresAt => Field::time(C.expires_at).list().form().help("UTC; empty never"),
            LastUsedAt => Field::time(C.last_used_at).list().readonly(),
            RevokedAt => Field::time(C.revoked_at).list().filter().readonly(),
            PreviousHash => Field::secret(PreviousHash),
            PreviousUntil => Field::time(C.previous_until).label("Old key good until").readonly(),
        }
    }

    fn banner(row: &Row) -> Option<String> {
        if let Some(at) = row.time("revoked_at") {
            return Some(format!(
                "Revoked on {} UTC: requests with this key are refused.",
                short_time(at)
            ));
        }
        let end = row.time("expires_at").filter(|end| *end <= now())?;
        Some(format!(
            "Expired on {} UTC: requests with this key are refused.",
            short_time(end)
        ))
    }

    fn clean(draft: &mut Draft, _: Option<&Row>, _: &Config) {
        if let Some(name) = draft.rule(Column::Name, Name::parse) {
            draft.set(Column::Name, name.as_str());
        }
        if !draft.typed(Column::AllowedCidrs).trim().is_empty()
            && let Some(cidrs) = draft.rule(Column::AllowedCidrs, parse_cidrs)
        {
            draft.set(Column::AllowedCidrs, cidrs);
        }
        if let Some(Value::Int(Some(limit))) = draft.get(Column::RequestsPerMinute)
            && !(1..=1_000_000).contains(limit)
        {
            draft.refuse(
                Column::RequestsPerMinute,
                "Enter a number from 1 to 1,000,000, or nothing",
            );
        }
    }

    fn guard<'a>(saving: &'a Saving<'a>, row: &'a Row, _: &'a mut Draft) -> Answer<'a, ()> {
        Box::pin(async move { tell(saving, row, KeyChange::Changed).await })
    }

    fn create<'a>(saving: &'a Saving<'a>, draft: &'a mut Draft) -> Answer<'a, Option<String>> {
        Box::pin(create(saving, draft))
    }
}

fn scopes() -> TickGroup {
    let option = |scope: Scope| TickOption {
        value: scope.as_str().to_owned(),
        label: scope.as_str().to_owned(),
        ..TickOption::default()
    };
    TickGroup {
        label: "Scopes".to_owned(),
        columns: vec![],
        others: Scope::ALL.into_iter().map(option).collect(),
    }
}

fn words(row: &Row) -> BTreeSet<String> {
    let scopes = row.text("scopes").unwrap_or_default();
    scopes.split_whitespace().map(str::to_owned).collect()
}

fn parse_cidrs(raw: &str) -> Result<String, Violation> {
    for cidr in raw.split_whitespace() {
        if !api_keys::is_network(cidr) {
            let shown: String = cidr.chars().take(60).collect();
            return Err(Violation::value(format!(
                "{shown} is no network; write one such as 10.0.0.0/8"
            )));
        }
    }
    Ok(raw.split_whitespace().collect::<Vec<_>>().join(" "))
}

async fn create(saving: &Saving<'_>, draft: &mut Draft) -> Result<Option<String>, DbErr> {
    let name = draft.text(Column::Name).unwrap_or_default();
    let (key, token) = api_keys::create(&**saving.tx, &name, &[], None, Some(saving.staff.id())).await?;
    let id = key.id.to_string();
    told(api_keys::tell(saving.tx, &key, KeyChange::Made, saving.actor).await)?;
    let mut row = key.into_active_model();
    row.allowed_cidrs = Set(draft.text(Column::AllowedCidrs));
    row.requests_per_minute = Set(draft
        .text(Column::RequestsPerMinute)
        .and_then(|limit| limit.parse().ok()));
    row.expires_at = Set(draft
        .text(Column::ExpiresAt)
        .and_then(|at| at.parse::<chrono::DateTime<Utc>>().ok()));
    row.update(&**saving.tx).await?;
    let entry = Entry {
        action: "create",
        object_type: "API key",
        object_id: Some(id.clone()),
        object_label: Some(name),
        ..Entry::default()
    };
    audit::record(&**saving.tx, saving.actor, entry).await?;
    saving.notice(format!(
        "The key was made. Copy it now, it is not shown again: {}",
        token.as_str()
    ));
    Ok(Some(id))
}

async fn save_scopes(saving: &Saving<'_>, id: &str, wanted: &BTreeSet<String>) -> Result<BTreeSet<String>, DbErr> {
    let key = Entity::find_by_id(id.parse::<i64>().unwrap_or_default())
        .one(&**saving.tx)
        .await?;
    let Some(key) = key else { return Ok(BTreeSet::new()) };
    let before = key.scopes.split_whitespace().map(str::to_owned).collect();
    let mut row = key.into_active_model();
    row.scopes = Set(wanted.iter().map(String::as_str).collect::<Vec<_>>().join(" "));
    row.update(&**saving.tx).await?;
    Ok(before)
}

async fn revoke(acting: &Acting<'_>, row: &Row) -> Result<Ran, DbErr> {
    let id = row.text("id").and_then(|id| id.parse::<i64>().ok());
    let revoked = Entity::update_many()
        .col_expr(Column::RevokedAt, Expr::value(now()))
        .filter(Column::Id.eq(id))
        .filter(Column::RevokedAt.is_null())
        .exec(&**acting.saving.tx)
        .await?;
    if revoked.rows_affected == 0 {
        return Ok(Ran::Unfit("it is revoked already".into()));
    }
    tell(acting.saving, row, KeyChange::Revoked).await?;
    Ok(Ran::Done)
}

/// Tells whoever made the key, once the change is committed.
async fn tell(saving: &Saving<'_>, row: &Row, change: KeyChange) -> Result<(), DbErr> {
    let id = row.text("id").and_then(|id| id.parse().ok()).unwrap_or_default();
    match api_keys::find_for_change(saving.tx, id).await? {
        Some(key) => told(api_keys::tell(saving.tx, &key, change, saving.actor).await),
        None => Ok(()),
    }
}

fn told(result: Result<(), EnqueueError>) -> Result<(), DbErr> {
    result.map_err(|error| match error {
        EnqueueError::Db(error) => error,
        other => DbErr::Custom(other.to_string()),
    })
}
