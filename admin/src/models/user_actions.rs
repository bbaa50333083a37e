//! What staff can do to accounts. Rules that apply wherever an account is changed are in `usher_shared`.

use crate::texts;
use std::collections::BTreeSet;

use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, sea_query::SelectStatement};
use usher_shared::{
    AppContext,
    accounts::{
        impersonation::{self, ImpersonationError},
        sessions::{self, Which},
        staff::{
            bulk::BulkAction,
            policy::{Act, Refusal, user_refusal},
            roles::{self, Access},
        },
        users::{self, ChangeError, StatusChange},
    },
    foundation::{
        entity::{mfa_factor, user},
        rate_limit::bucket,
        rules::Reason,
    },
    jobs::{EnqueueError, EnqueueOptions, Enqueued, MfaChange, MfaChanged, enqueue_with},
};
use uuid::Uuid;

use usher_admin_engine::{
    Action, ActionContext, CheckOption, Deletion, OnDelete, Outcome, Param, Related, Row, SaveContext, SoftDelete,
    Staff,
};

use super::bulk_job;

const REASON: Param = Param::Reason { required: true };
const OPTIONAL_REASON: Param = Param::Reason { required: false };

pub(super) const ACTIONS: &[Action] = &[
    Action::new("lock", "Lock", |acting, row| {
        let until = acting.params.time("until");
        Box::pin(stand(acting, row, Act::LockUser, StatusChange::Locked { until }))
    })
    .done("locked")
    .bulk(|acting, select| {
        Box::pin(bulk(
            acting,
            select,
            BulkAction::LockUsers {
                until: acting.params.time("until"),
            },
        ))
    })
    .about(texts::users::LOCK_ABOUT)
    .params(&[
        REASON,
        Param::Time {
            name: "until",
            label: "Until",
            help: "UTC. Leave empty to lock until someone unlocks the account",
        },
    ])
    .fits(|row| !is(row, "deactivated"), "deactivated accounts can't be locked"),
    Action::new("unlock", "Unlock", |acting, row| {
        Box::pin(stand(acting, row, Act::UnlockUser, StatusChange::Unlocked))
    })
    .done("unlocked")
    .bulk(|acting, select| Box::pin(bulk(acting, select, BulkAction::UnlockUsers)))
    .fits(|row| is(row, "locked"), "not locked"),
    Action::new("deactivate", "Deactivate", |acting, row| {
        Box::pin(stand(acting, row, Act::DeactivateUser, StatusChange::Deactivated))
    })
    .done("deactivated")
    .bulk(|acting, select| Box::pin(bulk(acting, select, BulkAction::DeactivateUsers)))
    .about("The account is kept, but nobody can sign in to it. Its sessions end.")
    .params(&[OPTIONAL_REASON])
    .fits(|row| !is(row, "deactivated"), "already deactivated"),
    Action::new("reactivate", "Reactivate", |acting, row| {
        Box::pin(stand(acting, row, Act::ReactivateUser, StatusChange::Reactivated))
    })
    .done("reactivated")
    .bulk(|acting, select| Box::pin(bulk(acting, select, BulkAction::ReactivateUsers)))
    .fits(|row| is(row, "deactivated"), "not deactivated"),
    Action::new("resend_verification", "Resend verification", |acting, row| {
        Box::pin(send_verification(acting, row))
    })
    .done("will get a verification email")
    .bulk(|acting, select| Box::pin(bulk(acting, select, BulkAction::ResendVerification)))
    .fits(|row| row.get("email_verified_at").is_none(), "already verified"),
    Action::new("send_password_reset", "Send password reset", |acting, row| {
        Box::pin(send_password_reset(acting, row))
    })
    .done("will get an email to set a new password")
    .bulk(|acting, select| Box::pin(bulk(acting, select, BulkAction::SendPasswordReset))),
    Action::new("set_roles", "Set roles", |acting, row| Box::pin(set_roles(acting, row)))
        .about(texts::users::SET_ROLES_ABOUT)
        .params(&[
            Param::Checklist {
                name: "access",
                label: "Access",
                offered: |app, staff, row| Box::pin(offered_roles(app, staff, row)),
            },
            OPTIONAL_REASON,
        ])
        .sensitive(),
    Action::new("revoke_sessions", "Revoke all sessions", |acting, row| {
        Box::pin(revoke_sessions(acting, row))
    })
    .done("signed out everywhere")
    .confirmed()
    .about("They'll have to sign in again on every device."),
    Action::new("reset_mfa", "Reset two-factor authentication", |acting, row| {
        Box::pin(reset_mfa(acting, row))
    })
    .about(texts::users::RESET_MFA_ABOUT)
    .params(&[
        Param::Checklist {
            name: "factor",
            label: "Authenticators",
            offered: |app, _, row| Box::pin(offered_factors(app, row)),
        },
        REASON,
    ])
    .sensitive()
    .fits(
        |row| row.is_true("has_factor"),
        "two-factor authentication isn't set up",
    ),
    Action::new("impersonate", "Impersonate", |acting, row| {
        Box::pin(impersonate(acting, row))
    })
    .about(texts::users::IMPERSONATE_ABOUT)
    .params(&[REASON])
    .sensitive()
    .single()
    .fits(
        |row| is(row, "active") && !row.is_true("is_staff") && !row.is_true("is_superuser"),
        texts::users::NOT_IMPERSONATED,
    ),
    Action::new("clear_failures", "Clear failed sign-ins", |acting, row| {
        Box::pin(clear_failures(acting, row))
    })
    .done("can try to sign in again"),
];

pub(super) const DELETION: Deletion = Deletion {
    about: texts::users::DELETE_ABOUT,
    related: &[
        Related {
            singular: "session",
            plural: "sessions",
            table: "sessions",
            column: "user_id",
            named_by: "COALESCE(user_agent, 'Unknown device')",
            seen_with: "sessions.view",
            on_delete: OnDelete::Cascade,
        },
        Related {
            singular: "API key they created",
            plural: "API keys they created",
            table: "api_keys",
            column: "created_by",
            named_by: "name",
            seen_with: "api_keys.view",
            on_delete: OnDelete::Keep,
        },
        Related {
            singular: "email",
            plural: "emails",
            table: "mails",
            column: "user_id",
            named_by: "subject",
            seen_with: "mails.view",
            on_delete: OnDelete::Keep,
        },
    ],
    run: |acting, row| Box::pin(delete(acting, row)),
    soft: Some(SoftDelete {
        column: "deleted_at",
        restore: |acting, row| Box::pin(restore(acting, row)),
    }),
    bulk: None,
};

/// Staff who aren't superusers leave colleagues out.
async fn bulk(acting: &ActionContext<'_>, mut select: SelectStatement, what: BulkAction) -> Result<(Uuid, u64), DbErr> {
    if !acting.saving.staff.is_superuser() {
        select.and_where(user::Column::IsStaff.eq(false));
    }
    bulk_job::enqueue(acting, what, select).await
}

fn is(row: &Row, status: &str) -> bool {
    row.text("status").as_deref() == Some(status)
}

pub(super) fn id_of(row: &Row) -> i64 {
    row.parse("id").unwrap_or_default()
}

fn reason(acting: &ActionContext<'_>) -> Option<Reason> {
    acting.params.reason.clone()
}

/// The row's account, locked until the save ends, if the table of acts allows this; otherwise the reason why not.
pub(super) async fn held(saving: &SaveContext<'_>, row: &Row, act: Act) -> Result<Result<user::Model, String>, DbErr> {
    let user = user::Entity::find_by_id(id_of(row)).lock_exclusive();
    let Some(user) = user.one(&**saving.tx).await? else {
        return Ok(Err("the account no longer exists".to_owned()));
    };
    match (user.deleted_at, act) {
        (None, Act::RestoreUser) => return Ok(Err("not deleted".to_owned())),
        (Some(_), act) if act != Act::RestoreUser => return Ok(Err("the account is deleted".to_owned())),
        _ => {}
    }
    let refusal = user_refusal(&**saving.tx, saving.staff.holder(), act, &user).await?;
    Ok(match refusal {
        Some(refusal) => Err(refusal.to_string()),
        None => Ok(user),
    })
}

/// [`held`], or the outcome of the action without it.
macro_rules! held {
    ($acting:expr, $row:expr, $act:expr) => {
        match held($acting.saving, $row, $act).await? {
            Ok(user) => user,
            Err(why) => return Ok(Outcome::Skipped(why.into())),
        }
    };
}

async fn stand(acting: &ActionContext<'_>, row: &Row, act: Act, standing: StatusChange) -> Result<Outcome, DbErr> {
    let user = held!(acting, row, act);
    let saving = acting.saving;
    changed(
        users::change_status(saving.tx, user, standing, reason(acting), saving.actor)
            .await
            .map(drop),
    )
}

fn changed(result: Result<(), ChangeError>) -> Result<Outcome, DbErr> {
    match result {
        Ok(()) => Ok(Outcome::Audited),
        Err(ChangeError::Db(error)) => Err(error),
        Err(refused) => Ok(Outcome::Skipped(refused.to_string().into())),
    }
}

async fn delete(acting: &ActionContext<'_>, row: &Row) -> Result<Outcome, DbErr> {
    let user = held!(acting, row, Act::DeleteUser);
    changed(users::delete(acting.saving.tx, user, reason(acting), acting.saving.actor).await)
}

async fn restore(acting: &ActionContext<'_>, row: &Row) -> Result<Outcome, DbErr> {
    let user = held!(acting, row, Act::RestoreUser);
    match users::restore(acting.saving.tx, user.id, acting.saving.actor).await {
        Ok(true) => Ok(Outcome::Audited),
        Ok(false) => Ok(Outcome::Skipped("not deleted".into())),
        Err(error) => changed(Err(error)),
    }
}

async fn send_verification(acting: &ActionContext<'_>, row: &Row) -> Result<Outcome, DbErr> {
    let user = held!(acting, row, Act::ResendVerification);
    let options = EnqueueOptions::by(acting.saving.actor);
    sent(users::send_verification(acting.saving.tx, user.id, options).await)
}

async fn send_password_reset(acting: &ActionContext<'_>, row: &Row) -> Result<Outcome, DbErr> {
    let user = held!(acting, row, Act::SendPasswordReset);
    let options = EnqueueOptions::by(acting.saving.actor);
    sent(users::send_password_reset(acting.saving.tx, user.id, options).await)
}

fn sent(enqueued: Result<Enqueued, EnqueueError>) -> Result<Outcome, DbErr> {
    match enqueued {
        Ok(_) => Ok(Outcome::Done),
        Err(EnqueueError::Db(error)) => Err(error),
        Err(error) => Err(DbErr::Custom(error.to_string())),
    }
}

async fn revoke_sessions(acting: &ActionContext<'_>, row: &Row) -> Result<Outcome, DbErr> {
    let user = held!(acting, row, Act::RevokeSessions);
    let ended = sessions::end(&**acting.saving.tx, user.id, Which::All, "revoked by staff").await?;
    Ok(if ended == 0 {
        Outcome::Skipped("no active sessions".into())
    } else {
        Outcome::Done
    })
}

async fn clear_failures(acting: &ActionContext<'_>, row: &Row) -> Result<Outcome, DbErr> {
    let user = held!(acting, row, Act::ClearFailures);
    let limiter = &acting.app.limiter;
    limiter.forget_failures(&user.email_key, user.id).await;
    limiter.forget(&bucket::code_failures(user.id)).await;
    Ok(Outcome::Done)
}

async fn impersonate(acting: &ActionContext<'_>, row: &Row) -> Result<Outcome, DbErr> {
    let saving = acting.saving;
    let user = held!(acting, row, Act::Impersonate);
    let Some(reason) = reason(acting) else {
        return Ok(Outcome::Skipped("enter a reason".into()));
    };
    let own = (saving.staff.id(), saving.staff.session_id());
    match impersonation::start(saving.tx, user.id, own, reason, saving.actor).await {
        Ok(token) => {
            saving.notice(format!(
                "You're now impersonating this user. Copy the token now, it won't be shown again: {}",
                token.as_str()
            ));
            Ok(Outcome::Audited)
        }
        Err(ImpersonationError::Db(error)) => Err(error),
        Err(refused) => Ok(Outcome::Skipped(refused.to_string().into())),
    }
}

/// Values of the two flags; the others are role ids.
const STAFF: &str = "staff";
const SUPERUSER: &str = "superuser";

async fn offered_roles(app: &AppContext, staff: &Staff, row: &Row) -> Result<Vec<CheckOption>, DbErr> {
    let has = roles::of_user(&app.db, id_of(row)).await?;
    let flag = |value: &str, label: &str, help: &str, checked, fixed| CheckOption {
        value: value.to_owned(),
        label: label.to_owned(),
        help: help.to_owned(),
        checked,
        fixed,
    };
    let mut options = vec![
        flag(STAFF, "Staff", "Can sign in here", row.is_true("is_staff"), false),
        flag(
            SUPERUSER,
            "Superuser",
            "Can do everything. Only superusers can grant this",
            row.is_true("is_superuser"),
            !staff.is_superuser(),
        ),
    ];
    for (role, permissions) in roles::all(&app.db).await? {
        let fixed = !may_give(staff, &permissions);
        options.push(flag(
            &role.id.to_string(),
            &role.name,
            &role.description,
            has.contains(&role.id),
            fixed,
        ));
    }
    Ok(options)
}

/// Staff can only grant what they have.
fn may_give(staff: &Staff, permissions: &BTreeSet<String>) -> bool {
    permissions.iter().all(|permission| staff.may(permission))
}

async fn set_roles(acting: &ActionContext<'_>, row: &Row) -> Result<Outcome, DbErr> {
    let saving = acting.saving;
    let (staff, tx) = (saving.staff, &**saving.tx);
    let user = held!(acting, row, Act::SetRoles);
    let id = user.id;
    let had = roles::of_user(tx, id).await?;
    let checked = acting.params.checked("access");
    let wanted = Access {
        staff: checked.contains(STAFF),
        superuser: checked.contains(SUPERUSER),
        roles: checked.iter().filter_map(|word| word.parse().ok()).collect(),
    };
    let all = roles::all(tx).await?;
    for role_id in wanted.roles.symmetric_difference(&had) {
        let Some((role, permissions)) = all.iter().find(|(role, _)| role.id == *role_id) else {
            return Ok(Outcome::Skipped(
                "one of the roles no longer exists; reload the page".into(),
            ));
        };
        if !may_give(staff, permissions) {
            return Ok(Outcome::Skipped(
                format!("the role {} grants permissions you don't have", role.name).into(),
            ));
        }
    }
    if wanted.superuser != user.is_superuser && !staff.is_superuser() {
        return Ok(Outcome::Skipped("only superusers can add or remove superusers".into()));
    }
    if wanted.superuser && !wanted.staff {
        return Ok(Outcome::Skipped("superusers are staff; select both".into()));
    }
    if !wanted.roles.is_empty() && !wanted.staff {
        return Ok(Outcome::Skipped("roles are for staff; select Staff too".into()));
    }
    if user.is_superuser && !wanted.superuser && roles::is_last_superuser(tx, id).await? {
        return Ok(Outcome::Skipped(Refusal::LastSuperuser.to_string().into()));
    }
    let reason = reason(acting).map(Reason::into_text);
    if !roles::set_access(tx, user, &wanted, reason, saving.actor).await? {
        return Ok(Outcome::Skipped("these roles are already set".into()));
    }
    saving.notice("Roles updated".to_owned());
    Ok(Outcome::Audited)
}

async fn offered_factors(app: &AppContext, row: &Row) -> Result<Vec<CheckOption>, DbErr> {
    let factors = mfa_factor::Entity::find()
        .filter(mfa_factor::Column::UserId.eq(id_of(row)))
        .filter(mfa_factor::Column::ConfirmedAt.is_not_null())
        .all(&app.db)
        .await?;
    let option = |factor: mfa_factor::Model| CheckOption {
        value: factor.id.to_string(),
        label: factor.label,
        help: usher_admin_engine::short_time(factor.created_at),
        checked: true,
        fixed: false,
    };
    Ok(factors.into_iter().map(option).collect())
}

async fn reset_mfa(acting: &ActionContext<'_>, row: &Row) -> Result<Outcome, DbErr> {
    let tx = acting.saving.tx;
    let id = held!(acting, row, Act::ResetMfa).id;
    let mut removed = 0;
    for factor in acting
        .params
        .checked("factor")
        .iter()
        .filter_map(|word| word.parse().ok())
    {
        removed += usize::from(usher_shared::accounts::mfa::remove(&**tx, id, factor).await?.is_some());
    }
    if removed == 0 {
        return Ok(Outcome::Skipped("select at least one authenticator".into()));
    }
    let told = MfaChanged {
        user_id: id,
        change: MfaChange::Removed,
    };
    acting.saving.notice("Authenticators removed".to_owned());
    sent(enqueue_with(tx, told, EnqueueOptions::by(acting.saving.actor)).await)
}
