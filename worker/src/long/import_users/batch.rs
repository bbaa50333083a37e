//! Some lines of a file against the users there are: what would become of them, and making it so.

use std::collections::{HashMap, HashSet};

use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};
use usher_shared::{
    entity::{
        job_item::{self, ItemOutcome},
        user,
    },
    imports::ImportUsers,
    jobs::Tx,
    users::{self, ChangeError, CreateUserError, Edit, NewUser},
};

use super::table::Line;
use crate::{JobContext, JobError};

/// What becomes of a line.
pub(super) enum Fate {
    New(NewUser),
    Changed(i64, Edit),
    Unchanged,
    Faulty(String),
}

/// Says what becomes of each line; `seen` are the addresses of the lines before. One statement.
pub(super) async fn judge(
    conn: &impl ConnectionTrait,
    lines: &[Line],
    seen: &mut HashSet<String>,
) -> Result<Vec<(usize, Fate)>, DbErr> {
    let keys = lines.iter().filter_map(Line::key);
    let known: HashMap<String, user::Model> = user::Entity::find()
        .filter(user::Column::EmailKey.is_in(keys))
        .all(conn)
        .await?
        .into_iter()
        .map(|user| (user.email_key.clone(), user))
        .collect();
    Ok(lines
        .iter()
        .map(|line| (line.number, fate(line, &known, seen)))
        .collect())
}

fn fate(line: &Line, known: &HashMap<String, user::Model>, seen: &mut HashSet<String>) -> Fate {
    let wanted = match &line.user {
        Ok(wanted) => wanted,
        Err(fault) => return Fate::Faulty(fault.clone()),
    };
    if !seen.insert(wanted.email.key().to_owned()) {
        return Fate::Faulty("an earlier line has the same address".to_owned());
    }
    let Some(user) = known.get(wanted.email.key()) else {
        return Fate::New(NewUser {
            name: wanted.name.clone(),
            email: wanted.email.clone(),
            age: wanted.age.flatten(),
        });
    };
    if user.is_staff || user.is_superuser {
        return Fate::Faulty("the address is a member of the staff's; change them on their page".to_owned());
    }
    if user.deleted_at.is_some() {
        return Fate::Faulty("the address is a deleted account's; it is free once that is purged".to_owned());
    }
    let name = (user.name != wanted.name.as_str()).then(|| wanted.name.clone());
    let age = wanted.age.filter(|age| user.age != age.map(|age| age.years()));
    if name.is_none() && age.is_none() {
        return Fate::Unchanged;
    }
    let edit = Edit {
        name,
        age,
        ..Edit::default()
    };
    Fate::Changed(user.id, edit)
}

/// Imports some lines and writes their outcomes, in one transaction. Should somebody else take one of the addresses
/// meanwhile, the run fails and the next one finds the user there.
pub(super) async fn write_batch(
    job: &ImportUsers,
    context: &JobContext,
    lines: &[Line],
    seen: &mut HashSet<String>,
) -> Result<(), JobError> {
    let tx = context.begin().await?;
    let mut items = Vec::with_capacity(lines.len());
    for (line, fate) in judge(&*tx, lines, seen).await? {
        let (outcome, error) = match fate {
            Fate::New(new) => create(job, &tx, &new).await?,
            Fate::Changed(id, edit) => change(job, &tx, id, edit).await?,
            Fate::Unchanged => (ItemOutcome::Skipped, Some("it is so already".to_owned())),
            Fate::Faulty(fault) => (ItemOutcome::Failed, Some(fault)),
        };
        items.push(job_item::ActiveModel {
            job_id: Set(context.job.id),
            object_id: Set(line.to_string()),
            outcome: Set(Some(outcome)),
            error: Set(error),
        });
    }
    job_item::Entity::insert_many(items)
        .exec_without_returning(&*tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

type Written = (ItemOutcome, Option<String>);

async fn create(job: &ImportUsers, tx: &Tx, new: &NewUser) -> Result<Written, JobError> {
    let created = if job.welcome {
        users::create(tx, new, &job.actor).await
    } else {
        users::create_quietly(&**tx, new, &job.actor).await
    };
    match created {
        Ok(_) => Ok((ItemOutcome::Done, None)),
        Err(CreateUserError::EmailTaken) => Err(JobError::retry("an address was taken meanwhile")),
        Err(error) => Err(error.into()),
    }
}

async fn change(job: &ImportUsers, tx: &Tx, id: i64, edit: Edit) -> Result<Written, JobError> {
    let Some(user) = users::find_for_change(tx, id).await? else {
        return Ok((ItemOutcome::Skipped, Some("it is gone".to_owned())));
    };
    match users::edit(tx, user, edit, &job.actor).await {
        Ok(_) => Ok((ItemOutcome::Done, None)),
        Err(ChangeError::Db(error)) => Err(error.into()),
        Err(error) => Err(JobError::retry(error)),
    }
}
