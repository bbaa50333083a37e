//! Webhooks: where events are sent. The secret is shown once.

use std::collections::BTreeSet;

use sea_orm::DbErr;
use usher_shared::{
    accounts::api_keys::Scope,
    audit::ObjectType,
    events::EventType,
    foundation::{
        config::Config,
        entity::{
            webhook_delivery,
            webhook_endpoint::{COLUMN as C, Column, Entity, Model, WebhookStatus},
        },
        rules::Reason,
    },
    jobs::EnqueueError,
    webhooks::{self, EndpointEdit, Networks, NewEndpoint, WebhookUrl},
};

use usher_admin_engine::{
    Action, ActionContext, AdminModel, Change, Changed, CheckGroup, CheckOption, Checklist, Deletion, Draft, Field,
    HookFuture, Inline, Meta, Offered, OnDelete, Ordering, Outcome, Param, Related, Row, SaveContext, Search, Staff,
    Tone,
};

use super::registered::{Deliveries, Users, Webhooks};
use crate::texts;

impl AdminModel for Webhooks {
    type Entity = Entity;

    const META: Meta = Meta::new("webhooks", "webhook", "webhooks")
        .object_type_of(ObjectType::Webhook.as_str())
        .few()
        .section("Webhooks")
        .icon("mails")
        .about(texts::webhooks::ABOUT)
        .empty("No webhooks yet")
        .editable()
        .deletable()
        .sensitive();

    const DELETION: Option<&'static Deletion> = Some(&Deletion::rows(&[Related {
        singular: "delivery",
        plural: "deliveries",
        table: "webhook_deliveries",
        column: "endpoint_id",
        named_by: "type",
        seen_with: "deliveries.view",
        on_delete: OnDelete::Cascade,
    }]));

    const ACTIONS: &'static [Action] = &[
        Action::new("test", "Send a test", |acting, row| Box::pin(test(acting, row)))
            .done("sent a test event")
            .fits(is_enabled, texts::webhooks::DISABLED),
        Action::new("enable", "Enable", |acting, row| Box::pin(enable(acting, row)))
            .done("enabled")
            .fits(|row| !is_enabled(row), texts::webhooks::ENABLED),
        Action::new("disable", "Disable", |acting, row| Box::pin(disable(acting, row)))
            .done("disabled")
            .params(&[Param::Reason { required: false }])
            .fits(is_enabled, texts::webhooks::DISABLED),
        Action::new("rotate", "Rotate keys", |acting, row| Box::pin(rotate(acting, row)))
            .about(texts::webhooks::ROTATE_ABOUT)
            .sensitive(),
    ];

    const CHECKLIST: Option<&'static Checklist> = Some(&Checklist {
        name: "type",
        title: "Events",
        help: "What is sent. You can only choose what you can see yourself.",
        columns: &[],
        offered: Offered::These(|| vec![types()]),
        may: |staff, word| staff.holder().lacks(scope_of(word)).is_none(),
        load: |_, row| Box::pin(async move { Ok(words(row)) }),
    });

    const CHANGE: Option<Change> = Some(|saving, row, draft| Box::pin(change(saving, row, draft)));

    /// Whoever decides where events go could read them.
    fn locked_for(row: &Row, staff: &Staff, act: &str) -> Option<String> {
        if act == "disable" || act == "delete" {
            return None;
        }
        let scopes = words(row);
        let (_, permission) = staff.holder().lacks(scopes.iter().filter_map(|word| scope_of(word)))?;
        Some(format!(
            "This webhook gets events that need the permission {permission}. You don't have it, so you can only \
             disable or delete the webhook."
        ))
    }

    fn ordering() -> Ordering<Entity> {
        Ordering::descending(Column::Id)
    }

    fn field(column: Column) -> Field<Entity> {
        use Column::*;
        match column {
            Id => Field::id(C.id).readonly(),
            Url => Field::text(C.url)
                .label("URL")
                .link()
                .form()
                .help(texts::webhooks::URL_HELP)
                .search(Search::Words),
            Description => Field::text(C.description).list().form().optional().help("For people"),
            Types => Field::text(C.types).label("Events").list().readonly(),
            PublicKey => Field::text(C.public_key).label("Public key").readonly(),
            KeysSealed => Field::secret(KeysSealed),
            PreviousKeysSealed => Field::secret(PreviousKeysSealed),
            PreviousUntil => Field::time(C.previous_until)
                .label("Previous keys valid until")
                .readonly(),
            Status => Field::choice(C.status, tone).list().filter().readonly(),
            DisabledReason => Field::text(C.disabled_reason).label("Reason").readonly(),
            CreatedBy => Field::foreign_key::<Users>(C.created_by).readonly(),
            AfterPosition => Field::internal(AfterPosition),
            Failures => Field::int(C.failures).label("Failures in a row").list().readonly(),
            FailingSince => Field::time(C.failing_since).label("Failing since").readonly(),
            PausedUntil => Field::time(C.paused_until).label("Paused until").readonly(),
            Version => Field::row_version(C.version),
            CreatedAt => Field::time(C.created_at).list().sort_by(Id).readonly(),
        }
    }

    fn banner(row: &Row) -> Option<String> {
        let reason = row.text("disabled_reason").filter(|_| !is_enabled(row))?;
        Some(format!("Disabled: {reason}. Nothing is sent."))
    }

    fn clean(draft: &mut Draft, _: Option<&Row>, config: &Config) {
        url(draft, config);
    }

    fn create<'a>(saving: &'a SaveContext<'a>, draft: &'a mut Draft) -> HookFuture<'a, Option<String>> {
        Box::pin(create(saving, draft))
    }

    fn inlines() -> Vec<Inline> {
        use webhook_delivery::Column;
        let columns = [
            Column::Id,
            Column::Kind,
            Column::State,
            Column::LastStatus,
            Column::CreatedAt,
        ];
        vec![Inline::of::<Deliveries, _>(Column::EndpointId, columns).empty("Nothing was sent yet.")]
    }
}

fn tone(status: &WebhookStatus) -> Tone {
    match status {
        WebhookStatus::Enabled => Tone::Good,
        WebhookStatus::Disabled => Tone::Warning,
    }
}

fn is_enabled(row: &Row) -> bool {
    row.text("status").as_deref() == Some("enabled")
}

fn types() -> CheckGroup {
    let option = |kind: EventType| CheckOption {
        value: kind.as_str().to_owned(),
        label: kind.as_str().to_owned(),
        help: kind.about().to_owned(),
        ..CheckOption::default()
    };
    CheckGroup {
        label: "Events".to_owned(),
        columns: vec![],
        others: EventType::all().map(option).collect(),
    }
}

fn words(row: &Row) -> BTreeSet<String> {
    let types = row.text("types").unwrap_or_default();
    types.split_whitespace().map(str::to_owned).collect()
}

/// The scope that shows events of this type.
fn scope_of(word: &str) -> Option<Scope> {
    let kind = EventType::all().find(|kind| kind.as_str() == word)?;
    Scope::parse(kind.scope())
}

fn url(draft: &mut Draft, config: &Config) -> Option<WebhookUrl> {
    let networks = Networks::from(config.webhook_networks.clone());
    draft.rule(Column::Url, |raw| WebhookUrl::parse(raw, &networks))
}

/// The chosen types; none when the draft says what is wrong.
fn chosen(draft: &mut Draft, checked: &BTreeSet<String>) -> Option<Vec<EventType>> {
    let types: Vec<_> = EventType::all()
        .filter(|kind| checked.contains(kind.as_str()))
        .collect();
    if types.is_empty() {
        draft.refuse_by_name("type", "Choose at least one");
        return None;
    }
    Some(types)
}

async fn create(saving: &SaveContext<'_>, draft: &mut Draft) -> Result<Option<String>, DbErr> {
    let checked = saving.checked.clone().unwrap_or_default();
    let (url, types) = (url(draft, saving.config), chosen(draft, &checked));
    let (Some(url), Some(types)) = (url, types) else {
        return Ok(None);
    };
    let description = draft.typed(Column::Description).trim().to_owned();
    let new = NewEndpoint {
        url,
        description,
        types,
    };
    let (newest, creator) = (saving.events.newest().await?, Some(saving.staff.id()));
    let key = &saving.config.secret_key;
    let (webhook, keys) = webhooks::create(saving.tx, new, newest, creator, key, saving.actor).await?;
    saving.notice(texts::webhooks::created(&keys.secret()));
    Ok(Some(webhook.id.to_string()))
}

async fn change(saving: &SaveContext<'_>, row: &Row, draft: &mut Draft) -> Result<Changed, DbErr> {
    let url = url(draft, saving.config);
    let types = match &saving.checked {
        Some(checked) => match chosen(draft, checked) {
            Some(types) => Some(types),
            None => return Ok(Changed::Refused),
        },
        None => None,
    };
    let Some(url) = url else { return Ok(Changed::Refused) };
    let Some(before) = held(saving, row).await? else {
        draft.refuse(Column::Url, texts::refusals::GONE);
        return Ok(Changed::Refused);
    };
    let edit = EndpointEdit {
        url: Some(url),
        description: Some(draft.typed(Column::Description).trim().to_owned()),
        types,
    };
    let version = before.version;
    let after = webhooks::edit(saving.tx, before, edit, saving.actor).await?;
    Ok(if after.version == version {
        Changed::Unchanged
    } else {
        Changed::Saved
    })
}

/// The row's webhook, locked.
async fn held(saving: &SaveContext<'_>, row: &Row) -> Result<Option<Model>, DbErr> {
    webhooks::find_for_change(saving.tx, row.parse("id").unwrap_or_default()).await
}

async fn test(acting: &ActionContext<'_>, row: &Row) -> Result<Outcome, DbErr> {
    let saving = acting.saving;
    let Some(webhook) = held(saving, row).await? else {
        return Ok(gone());
    };
    let sent = webhooks::send_test(saving.tx, &webhook, saving.actor).await;
    sent.map_err(|error| match error {
        EnqueueError::Db(error) => error,
        other => DbErr::Custom(other.to_string()),
    })?;
    Ok(Outcome::Audited)
}

async fn enable(acting: &ActionContext<'_>, row: &Row) -> Result<Outcome, DbErr> {
    let saving = acting.saving;
    let newest = acting.app.events.newest().await?;
    let Some(webhook) = held(saving, row).await? else {
        return Ok(gone());
    };
    webhooks::enable(saving.tx, webhook, newest, saving.actor).await?;
    Ok(Outcome::Audited)
}

async fn disable(acting: &ActionContext<'_>, row: &Row) -> Result<Outcome, DbErr> {
    let saving = acting.saving;
    let Some(webhook) = held(saving, row).await? else {
        return Ok(gone());
    };
    let reason = acting.params.reason.clone().map(Reason::into_text);
    webhooks::disable(saving.tx, webhook, reason, saving.actor).await?;
    Ok(Outcome::Audited)
}

async fn rotate(acting: &ActionContext<'_>, row: &Row) -> Result<Outcome, DbErr> {
    let saving = acting.saving;
    let Some(webhook) = held(saving, row).await? else {
        return Ok(gone());
    };
    let (_, keys) = webhooks::rotate(saving.tx, webhook, &saving.config.secret_key, saving.actor).await?;
    saving.notice(texts::webhooks::rotated(&keys.secret()));
    Ok(Outcome::Audited)
}

fn gone() -> Outcome {
    Outcome::Skipped(texts::refusals::GONE.into())
}
