//! Every act on an account, by every way there is, against every holder and every account: the table of acts decides
//! alike. What is right is written here once more, by hand.

use std::collections::HashSet;

use axum::http::StatusCode;
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{Set, Unchanged},
    ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter,
    sea_query::Expr,
};
use usher_shared::{
    accounts::{
        sessions::{self, Which},
        staff::{
            bulk::{self, BulkAction, BulkJob, Objects, OrderingActor},
            policy::Act,
        },
    },
    audit::Actor,
    foundation::{
        entity::{
            audit_log::{self, ActorKind},
            job::{self, JobState},
            mfa_factor, session,
            user::{self, UserStatus},
            user_role,
        },
        rules::Reason,
        time::now,
    },
    jobs::{self, PasswordReset, enqueue_with},
};
use usher_testkit::{TestDb, on_both};

use crate::app::{ADMIN, TestApp, Visitor};

/// Whose account it is, as the one who acts sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Whose {
    User,
    /// Staff with fewer rights than whoever acts, with the same, and with more.
    Fewer,
    Same,
    More,
    Superuser,
    Own,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Superuser,
    /// Staff with every permission there is.
    Everything,
    /// Staff with the permission of the act and of sight.
    JustThis,
    /// Staff who may only see.
    Viewer,
}

/// The ways in which staff do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// On the object's page.
    One,
    /// Among ticked rows.
    Ticked,
    /// Among all that match a list.
    Matching,
    /// By an address of its own, or by the form.
    Direct,
    /// By a job over many rows.
    Job,
    /// By such a job of a superuser's that they run again.
    Again,
}

const WAYS: [Way; 6] = [Way::One, Way::Ticked, Way::Matching, Way::Direct, Way::Job, Way::Again];

/// What the table must say.
fn is_right(role: Role, act: Act, whose: Whose) -> bool {
    let spares_oneself = [
        Act::LockUser,
        Act::DeactivateUser,
        Act::DeleteUser,
        Act::SetRoles,
        Act::ResetMfa,
        Act::Impersonate,
        Act::ClearFailures,
    ];
    match (role, whose) {
        (Role::Viewer, _) => false,
        _ if act == Act::Impersonate => whose == Whose::User,
        (_, Whose::Own) => !spares_oneself.contains(&act),
        (Role::Superuser, _) => true,
        (_, whose) => whose == Whose::User,
    }
}

/// The job that does it to many; none where there is no such job.
fn in_bulk(act: Act) -> Option<BulkAction> {
    Some(match act {
        Act::LockUser => BulkAction::LockUsers { until: None },
        Act::UnlockUser => BulkAction::UnlockUsers,
        Act::DeactivateUser => BulkAction::DeactivateUsers,
        Act::ReactivateUser => BulkAction::ReactivateUsers,
        Act::ResendVerification => BulkAction::ResendVerification,
        Act::SendPasswordReset => BulkAction::SendPasswordReset,
        Act::RetryJob => BulkAction::ReplayJobs,
        Act::RunJobNow => BulkAction::RunJobsNow,
        Act::CancelJob => BulkAction::CancelJobs,
        Act::DeleteJob => BulkAction::DeleteJobs,
        Act::DeleteSuppression => BulkAction::DeleteSuppressions,
        Act::AddUser
        | Act::ChangeUser
        | Act::SetRoles
        | Act::RevokeSessions
        | Act::ResetMfa
        | Act::Impersonate
        | Act::ClearFailures
        | Act::DeleteUser
        | Act::RestoreUser
        | Act::EndSession
        | Act::AddKey
        | Act::ChangeKey
        | Act::RotateKey
        | Act::RevokeKey
        | Act::AddRole
        | Act::ChangeRole
        | Act::DeleteRole => return None,
    })
}

/// Whether it is done to an account or to what is an account's, which is what these tests walk; what is done to keys
/// and roles is in `given.rs`.
fn is_about_accounts(act: Act) -> bool {
    !matches!(
        act,
        Act::AddUser
            | Act::AddKey
            | Act::ChangeKey
            | Act::RotateKey
            | Act::RevokeKey
            | Act::AddRole
            | Act::ChangeRole
            | Act::DeleteRole
            | Act::DeleteSuppression
    )
}

fn model(act: Act) -> &'static str {
    act.rule().permission.split('.').next().unwrap()
}

/// The act's name among the actions; the form's is none.
fn action(act: Act) -> &'static str {
    act.rule().permission.split('.').nth(1).unwrap()
}

struct Scene {
    app: TestApp,
    other: user::Model,
}

impl Scene {
    /// Puts an account into the state that the act is for; answers the id of the object that it is done to.
    async fn prepare(&self, act: Act, before: &user::Model, roles: &[user_role::Model]) -> String {
        let (db, id) = (&self.app.context.db, before.id);
        let mut row = before.clone().into_active_model().reset_all();
        row.id = Unchanged(id);
        row.status = Set(match act {
            Act::UnlockUser => UserStatus::Locked,
            Act::ReactivateUser => UserStatus::Deactivated,
            _ => UserStatus::Active,
        });
        row.deleted_at = Set((act == Act::RestoreUser).then(now));
        row.email_verified_at = Set(None);
        row.update(db).await.unwrap();
        user_role::Entity::delete_many()
            .filter(user_role::Column::UserId.eq(id))
            .exec(db)
            .await
            .unwrap();
        for role in roles {
            user_role::Entity::insert(role.clone().into_active_model())
                .exec_without_returning(db)
                .await
                .unwrap();
        }
        let mails = job::Entity::delete_many().filter(job::Column::UserId.eq(id));
        mails
            .filter(job::Column::Kind.is_in(["password_reset", "verify_email"]))
            .exec(db)
            .await
            .unwrap();
        match act {
            Act::EndSession | Act::RevokeSessions => self.open_session(id).await,
            Act::ResetMfa => {
                mfa_factor::Entity::delete_many()
                    .filter(mfa_factor::Column::UserId.eq(id))
                    .exec(db)
                    .await
                    .unwrap();
                self.app.add_factor(id).await.to_string()
            }
            Act::RetryJob => self.job(id, JobState::Dead).await,
            Act::DeleteJob => self.job(id, JobState::Done).await,
            Act::RunJobNow | Act::CancelJob => self.job(id, JobState::Ready).await,
            _ => id.to_string(),
        };
        match act {
            Act::EndSession => {
                let open = session::Entity::find().filter(session::Column::UserId.eq(id));
                let open = open.filter(session::Column::UserAgent.eq("opened by the test"));
                open.filter(session::Column::EndedAt.is_null())
                    .one(db)
                    .await
                    .unwrap()
                    .unwrap()
                    .id
                    .to_string()
            }
            Act::RetryJob | Act::DeleteJob | Act::RunJobNow | Act::CancelJob => {
                let own = job::Entity::find().filter(job::Column::UserId.eq(id));
                let own = own
                    .filter(job::Column::Kind.eq("password_reset"))
                    .all(db)
                    .await
                    .unwrap();
                own.into_iter().max_by_key(|job| job.id).unwrap().id.to_string()
            }
            _ => id.to_string(),
        }
    }

    async fn open_session(&self, user_id: i64) -> String {
        let row = session::ActiveModel {
            id: Set(uuid::Uuid::now_v7()),
            user_id: Set(user_id),
            kind: Set(session::SessionKind::Api),
            token_hash: Set(uuid::Uuid::now_v7().as_bytes().to_vec()),
            user_agent: Set(Some("opened by the test".to_owned())),
            created_at: Set(now()),
            last_seen_at: Set(now()),
            expires_at: Set(now() + chrono::TimeDelta::days(1)),
            ..Default::default()
        };
        row.insert(&self.app.context.db).await.unwrap().id.to_string()
    }

    /// A job that mails a reset to the account.
    async fn job(&self, user_id: i64, state: JobState) -> String {
        let tx = self.app.context.job_store.begin().await.unwrap();
        let id = enqueue_with(&tx, PasswordReset { user_id }, jobs::EnqueueOptions::default())
            .await
            .unwrap()
            .id();
        tx.commit().await.unwrap();
        let finished = !matches!(state, JobState::Ready | JobState::Running);
        let row = job::ActiveModel {
            id: Unchanged(id),
            state: Set(state),
            finished_at: Set(finished.then(now)),
            ..Default::default()
        };
        row.update(&self.app.context.db).await.unwrap();
        id.to_string()
    }

    async fn done(&self, act: Act, object_id: &str) -> usize {
        let rule = act.rule();
        let rows = audit_log::Entity::find()
            .filter(audit_log::Column::Action.eq(rule.word))
            .filter(audit_log::Column::ObjectType.eq(rule.object.as_str()))
            .filter(audit_log::Column::ObjectId.eq(object_id));
        rows.all(&self.app.context.db).await.unwrap().len()
    }

    /// Sends the page that asks, with everything it holds, as a browser does.
    async fn confirm(&self, visitor: &mut Visitor, query: &str, act: Act, before: &user::Model) -> StatusCode {
        let path = format!("/admin/{}/actions", model(act));
        let page = visitor.get(&format!("{path}?action={}&{query}", action(act))).await;
        if page.status != StatusCode::OK {
            return page.status;
        }
        let hidden: Vec<_> = page.hidden_of(&path);
        let mut fields: Vec<(&str, &str)> = hidden
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        fields.retain(|(name, _)| !["csrf_token", "access"].contains(name));
        fields.push(("reason", "a test"));
        let factor = mfa_factor::Entity::find().filter(mfa_factor::Column::UserId.eq(before.id));
        let factor = factor
            .one(&self.app.context.db)
            .await
            .unwrap()
            .map(|factor| factor.id.to_string());
        if let (Act::ResetMfa, Some(factor)) = (act, &factor) {
            fields.push(("factor", factor));
        }
        // Whoever is staff loses it, whoever is not becomes it.
        if act == Act::SetRoles && !before.is_staff {
            fields.push(("access", "staff"));
        }
        visitor.post(&path, &fields).await.status
    }

    /// Does it in one of the ways; none where there is no such way.
    async fn attempt(
        &self,
        way: Way,
        act: Act,
        visitor: &mut Visitor,
        actor: &Actor,
        object: &str,
        before: &user::Model,
    ) -> Option<()> {
        match way {
            Way::One | Way::Ticked if act == Act::ChangeUser => return None,
            Way::One => drop(
                self.confirm(visitor, &format!("id={object}&from_object={object}"), act, before)
                    .await,
            ),
            Way::Ticked => drop(self.confirm(visitor, &format!("id={object}"), act, before).await),
            Way::Matching if [Act::ChangeUser, Act::SetRoles, Act::ResetMfa, Act::Impersonate].contains(&act) => {
                return None;
            }
            Way::Matching => {
                let deleted = if act == Act::RestoreUser {
                    "%26deleted_at__isnull%3Dfalse"
                } else {
                    ""
                };
                let list = format!("_all=yes&_list=q%3Did%253A{object}{deleted}");
                self.confirm(visitor, &list, act, before).await;
            }
            Way::Direct => match act {
                Act::ChangeUser => {
                    let page = visitor.get(&format!("/admin/users/{object}")).await;
                    let version = page.input("version").unwrap_or_else(|| before.version.to_string());
                    let name = format!("Changed {}", now().timestamp_micros());
                    let fields = [
                        ("version", version.as_str()),
                        ("name", &name),
                        ("email", &before.email),
                        ("age", ""),
                    ];
                    visitor.post(&format!("/admin/users/{object}"), &fields).await;
                }
                Act::DeleteUser | Act::RestoreUser | Act::DeleteJob => {
                    let word = if act == Act::RestoreUser { "restore" } else { "delete" };
                    visitor.get(&format!("/admin/{}/{object}", model(act))).await;
                    visitor
                        .post(
                            &format!("/admin/{}/{object}/{word}", model(act)),
                            &[("reason", "a test")],
                        )
                        .await;
                }
                _ => return None,
            },
            Way::Job => {
                let tx = self.app.context.job_store.begin().await.unwrap();
                let what = in_bulk(act)?;
                let ordered = bulk::order(&tx, what, objects(act, object), Reason::parse("a test").ok(), actor).await;
                if let Ok(ordered) = ordered {
                    tx.commit().await.unwrap();
                    self.work(ordered.job_id, object).await;
                }
            }
            Way::Again => {
                let boss = Actor::new(ActorKind::User, Some(self.app.admin.id), ADMIN);
                let tx = self.app.context.job_store.begin().await.unwrap();
                let what = in_bulk(act)?;
                let ordered = bulk::order(&tx, what, objects(act, object), Reason::parse("a test").ok(), &boss).await;
                let id = ordered.unwrap().job_id;
                tx.commit().await.unwrap();
                let row = job::ActiveModel {
                    id: Unchanged(id),
                    state: Set(JobState::Cancelled),
                    finished_at: Set(Some(now())),
                    ..Default::default()
                };
                row.update(&self.app.context.db).await.unwrap();
                self.confirm(visitor, &format!("id={id}&from_object={id}"), Act::RetryJob, before)
                    .await;
                let job = job::Entity::find_by_id(id)
                    .one(&self.app.context.db)
                    .await
                    .unwrap()
                    .unwrap();
                if job.state == JobState::Ready {
                    assert_eq!(job.actor, Some(actor.to_string()), "it is theirs now");
                    self.work(id, object).await;
                }
            }
        }
        Some(())
    }

    /// As a worker does it.
    async fn work(&self, job_id: uuid::Uuid, object: &str) {
        let job = job::Entity::find_by_id(job_id)
            .one(&self.app.context.db)
            .await
            .unwrap()
            .unwrap();
        let order: BulkJob = serde_json::from_value(job.payload).unwrap();
        if let Ok(hand) = OrderingActor::of(&self.app.context.job_store, &order).await {
            hand.apply(&self.app.context.job_store, job_id, object).await.unwrap();
        }
    }
}

fn objects(act: Act, object: &str) -> Objects {
    match object.parse() {
        Ok(id) if act.rule().object.as_str() == "user" => Objects::Ids(vec![id]),
        _ => Objects::Uuids(vec![object.parse().unwrap()]),
    }
}

/// All permissions of the site, as its form of roles offers them.
async fn everything(app: &TestApp) -> Vec<String> {
    let page = app.superuser().await.get("/admin/roles/new").await;
    let boxes = page.body.split("name=\"permission\" value=\"").skip(1);
    let all: HashSet<_> = boxes.map(|rest| rest.split('"').next().unwrap().to_owned()).collect();
    all.into_iter().collect()
}

#[on_both]
async fn every_act_is_decided_alike_in_every_way(db: TestDb) {
    let app = TestApp::start(db).await;
    let all = everything(&app).await;
    for act in Act::ALL {
        assert!(
            all.contains(&act.rule().permission.to_owned()),
            "nobody can be given {}",
            act.rule().permission
        );
    }
    let other = app.add_user("other@example.org", "Other").await;
    let boss2 = app.add_staff("boss2@example.org", &[]).await;
    let boss2 = user::ActiveModel {
        is_superuser: Set(true),
        ..boss2.into_active_model()
    };
    let boss2 = boss2.update(&app.context.db).await.unwrap();
    let some: Vec<&str> = all.iter().map(String::as_str).collect();
    let same = app.add_staff("same@example.org", &some).await;
    let fewer = app.add_staff("fewer@example.org", &["users.view"]).await;
    let more = app
        .add_staff("more@example.org", &[&some[..], &["articles.publish"]].concat())
        .await;
    let actors = app.add_staff("acts@example.org", &[]).await;
    let scene = Scene { app, other };
    let mut tried = 0;
    for role in [Role::Superuser, Role::Everything, Role::JustThis, Role::Viewer] {
        let me = if role == Role::Superuser {
            &scene.app.admin
        } else {
            &actors
        };
        let actor = Actor::new(ActorKind::User, Some(me.id), me.email.clone());
        mfa_factor::Entity::delete_many()
            .exec(&scene.app.context.db)
            .await
            .unwrap();
        let mut visitor = scene.app.signed_in(&me.email).await;
        for act in Act::ALL.into_iter().filter(|act| is_about_accounts(*act)) {
            if role != Role::Superuser {
                let permission = act.rule().permission.to_owned();
                let sight: Vec<_> = ["users.view", "sessions.view", "jobs.view"].map(str::to_owned).into();
                // Whoever runs a job again does what it does.
                let mails = [Act::RetryJob, Act::CancelJob]
                    .contains(&act)
                    .then(|| "users.send_password_reset".to_owned());
                let given = match role {
                    Role::Everything => all.clone(),
                    Role::JustThis => sight
                        .into_iter()
                        .chain([permission, "jobs.retry".to_owned(), "users.delete".to_owned()])
                        .chain(mails)
                        .collect(),
                    _ => sight,
                };
                scene.app.grant(me.id, &given).await;
            }
            let targets = [
                (Whose::User, &scene.other),
                (Whose::Fewer, &fewer),
                (Whose::Same, &same),
                (Whose::More, &more),
                (Whose::Superuser, &boss2),
                (Whose::Own, me),
            ];
            for (whose, target) in targets {
                // Nobody who is shut out can try.
                let shut_out = [Act::UnlockUser, Act::ReactivateUser, Act::RestoreUser];
                if whose == Whose::Own && shut_out.contains(&act) {
                    continue;
                }
                let roles = user_role::Entity::find().filter(user_role::Column::UserId.eq(target.id));
                let roles = roles.all(&scene.app.context.db).await.unwrap();
                for way in WAYS {
                    let object = scene.prepare(act, target, &roles).await;
                    session::Entity::update_many()
                        .col_expr(session::Column::ReauthenticatedAt, Expr::value(Some(now())))
                        .col_expr(session::Column::MfaAt, Expr::value(Some(now())))
                        .exec(&scene.app.context.db)
                        .await
                        .unwrap();
                    let before = (scene.done(act, &object).await, scene.app.user(target.id).await);
                    if scene
                        .attempt(way, act, &mut visitor, &actor, &object, target)
                        .await
                        .is_none()
                    {
                        continue;
                    }
                    let done = scene.done(act, &object).await > before.0;
                    // A job's staff is a superuser's matter, one's own as well: its mails are warnings, too.
                    let about_jobs = act.rule().object.as_str() == "job";
                    let whose_ = if about_jobs && whose == Whose::Own && role != Role::Superuser {
                        Whose::Same
                    } else {
                        whose
                    };
                    let right = is_right(role, act, whose_);
                    assert_eq!(done, right, "{act:?} of {whose:?} by {role:?}, {way:?}");
                    if !right {
                        assert_eq!(
                            scene.app.user(target.id).await,
                            before.1,
                            "{act:?} of {whose:?} by {role:?}, {way:?}"
                        );
                    }
                    tried += 1;
                    if act == Act::RevokeSessions && done && whose == Whose::Own {
                        mfa_factor::Entity::delete_many()
                            .exec(&scene.app.context.db)
                            .await
                            .unwrap();
                        visitor = scene.app.signed_in(&me.email).await;
                    }
                }
                scene.prepare(Act::ChangeUser, target, &roles).await;
            }
        }
        sessions::end(&scene.app.context.db, me.id, Which::All, "the test goes on")
            .await
            .unwrap();
    }
    assert!(tried > 800, "{tried}");
}

#[on_both]
async fn the_last_superuser_stays_whoever_orders_it(db: TestDb) {
    let app = TestApp::start(db).await;
    for what in [BulkAction::DeactivateUsers, BulkAction::LockUsers { until: None }] {
        let tx = app.context.job_store.begin().await.unwrap();
        let ordered = bulk::order(&tx, what, Objects::Ids(vec![app.admin.id]), None, &Actor::system())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let job = job::Entity::find_by_id(ordered.job_id)
            .one(&app.context.db)
            .await
            .unwrap()
            .unwrap();
        let order: BulkJob = serde_json::from_value(job.payload).unwrap();
        let hand = OrderingActor::of(&app.context.job_store, &order).await.unwrap();
        hand.apply(&app.context.job_store, ordered.job_id, &app.admin.id.to_string())
            .await
            .unwrap();
        assert_eq!(app.user(app.admin.id).await.status, UserStatus::Active);
    }
}
