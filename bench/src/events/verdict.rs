//! What was promised against what is there: the changes in the database, their events, and who learned of them.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use usher_shared::{
    AppContext,
    foundation::entity::{audit_log, event, user, webhook_endpoint},
};
use uuid::Uuid;

use super::{
    figures::{none, note},
    follower::Seen,
    writers::{ROLLED_BACK, Tally},
};
use crate::table::Figure;

/// What the database has in the end.
pub struct Truth {
    /// All events by their position.
    pub events: Vec<Seen>,
    /// The version of each user.
    versions: HashMap<String, i64>,
    /// Each change of a user by the audit log: the user, and the request that made it.
    changes: HashSet<(String, Option<String>)>,
    /// The position after which each endpoint gets events.
    endpoints: HashMap<i64, i64>,
}

impl Truth {
    pub async fn read(context: &AppContext) -> Result<Self> {
        let db = &context.db;
        let events = event::Entity::find().order_by_asc(event::Column::Id).all(db).await?;
        let users: Vec<(i64, i32)> = user::Entity::find()
            .select_only()
            .columns([user::Column::Id, user::Column::Version])
            .into_tuple()
            .all(db)
            .await?;
        let changes: Vec<(Option<String>, Option<String>)> = audit_log::Entity::find()
            .select_only()
            .columns([audit_log::Column::ObjectId, audit_log::Column::RequestId])
            .filter(audit_log::Column::ObjectType.eq("user"))
            .filter(audit_log::Column::Action.is_in(["create", "update"]))
            .into_tuple()
            .all(db)
            .await?;
        let endpoints = webhook_endpoint::Entity::find().all(db).await?;
        Ok(Self {
            events: events.into_iter().map(Seen::from).collect(),
            versions: users
                .into_iter()
                .map(|(id, version)| (id.to_string(), version.into()))
                .collect(),
            changes: changes
                .into_iter()
                .map(|(user, request)| (user.unwrap_or_default(), request))
                .collect(),
            endpoints: endpoints.into_iter().map(|row| (row.id, row.after_position)).collect(),
        })
    }

    /// Whether each change has its event, and each event its change.
    pub fn judge_database(&self, tally: &Tally) -> Vec<Figure> {
        let on = "events in PostgreSQL";
        let mut by_request = HashMap::<&str, usize>::new();
        for id in self.events.iter().filter_map(|event| event.request_id.as_deref()) {
            *by_request.entry(id).or_default() += 1;
        }
        let without = tally.done.iter().filter(|id| !by_request.contains_key(id.as_str()));
        let refused = tally.refused.iter().filter(|id| by_request.contains_key(id.as_str()));
        let rolled_back = by_request.keys().filter(|id| id.starts_with(ROLLED_BACK));
        let told: HashSet<_> = self
            .events
            .iter()
            .map(|event| (event.object.id.clone(), event.request_id.clone()))
            .collect();
        vec![
            note(
                on,
                "events",
                self.events.len(),
                format!("{} users", self.versions.len()),
            ),
            none(on, "changes that were confirmed, without an event", without.count()),
            none(
                on,
                "changes in the audit log without an event",
                self.changes.difference(&told).count(),
            ),
            none(
                on,
                "events without a change in the audit log",
                told.difference(&self.changes).count(),
            ),
            none(
                on,
                "requests with two events",
                by_request.values().filter(|count| **count > 1).count(),
            ),
            none(on, "events of changes that were refused", refused.count()),
            none(on, "events of changes that were rolled back", rolled_back.count()),
            none(on, "users whose versions are not each an event", self.versions_amiss()),
        ]
    }

    /// Users whose events, by position, do not have the versions 1, 2, … up to theirs.
    fn versions_amiss(&self) -> usize {
        let mut told = HashMap::<&str, Vec<i64>>::new();
        for event in &self.events {
            let versions = told.entry(&event.object.id).or_default();
            versions.push(event.object.version.unwrap_or_default());
        }
        let amiss = self.versions.iter().filter(|(user, version)| {
            let told = told.get(user.as_str()).into_iter().flatten().copied();
            !told.eq(1..=**version)
        });
        amiss.count()
    }

    /// Whether a reader got each event once and in order.
    pub fn judge_reader(&self, on: &str, seen: &[(DateTime<Utc>, Seen)]) -> Vec<Figure> {
        let seen: Vec<&Seen> = seen.iter().map(|(_, seen)| seen).collect();
        let (once, there) = (
            seen.iter().copied().collect::<HashSet<_>>(),
            self.events.iter().collect::<HashSet<_>>(),
        );
        let mut last = HashMap::new();
        let backwards = seen
            .iter()
            .filter(|event| {
                let version = event.object.version;
                last.insert(&event.object.id, version)
                    .is_some_and(|last| last >= version)
            })
            .count();
        vec![
            note(on, "events read", seen.len(), String::new()),
            none(on, "lost", there.difference(&once).count()),
            none(on, "invented", once.difference(&there).count()),
            none(on, "read twice", seen.len() - once.len()),
            none(
                on,
                "positions that do not rise",
                seen.windows(2).filter(|two| two[0].position >= two[1].position).count(),
            ),
            none(on, "versions that do not rise", backwards),
        ]
    }

    /// Whether an endpoint got each event once or more often.
    pub fn judge_webhooks(&self, on: &str, endpoint: i64, arrivals: &[(DateTime<Utc>, Uuid)]) -> Vec<Figure> {
        let after = self.endpoints.get(&endpoint).copied().unwrap_or_default();
        let due = self.events.iter().filter(|event| event.position > after);
        let due: HashSet<Uuid> = due.map(|event| event.id).collect();
        let mut copies = HashMap::<Uuid, usize>::new();
        for (_, id) in arrivals {
            *copies.entry(*id).or_default() += 1;
        }
        let came: HashSet<Uuid> = copies.keys().copied().collect();
        let again = copies.values().filter(|copies| **copies > 1).count();
        let most = copies.values().max().copied().unwrap_or_default();
        vec![
            note(
                on,
                "webhooks that came",
                arrivals.len(),
                format!("of {} events", due.len()),
            ),
            none(on, "lost", due.difference(&came).count()),
            none(on, "invented", came.difference(&due).count()),
            note(
                on,
                "events that came more than once",
                again,
                format!("{most} times at most"),
            ),
        ]
    }
}
