//! Some lines of a file against the users there are: what would become of them, and making it so.

use std::collections::{HashMap, HashSet};

use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};
use usher_shared::{
    accounts::{
        staff::{
            imports::{Blank, ImportUsers},
            policy::{Act, Holder},
        },
        users::{self, ChangeError, CreateUserError, Edit, NewUser},
    },
    foundation::{
        entity::{
            job_item::{self, ItemOutcome},
            user,
        },
        rules::{Age, Violation},
    },
    jobs::Tx,
};

use super::table::{Cells, Line};
use crate::{JobContext, JobError};

/// What becomes of a line.
pub(super) enum Fate {
    New(NewUser),
    Changed(Change),
    Unchanged,
    Faulty(String),
}

/// What a line changes of a user.
pub(super) struct Change {
    id: i64,
    pub(super) email: String,
    edit: Edit,
    /// Each field with its old and its new value.
    pub(super) fields: Vec<(&'static str, String, String)>,
}

/// Says what becomes of each line; `seen` are the addresses of the lines before. One statement.
pub(super) async fn judge(
    conn: &impl ConnectionTrait,
    holder: &Holder,
    lines: &[Line],
    blank: Blank,
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
        .map(|line| (line.number, fate(holder, line, blank, &known, seen)))
        .collect())
}

fn fate(
    holder: &Holder,
    line: &Line,
    blank: Blank,
    known: &HashMap<String, user::Model>,
    seen: &mut HashSet<String>,
) -> Fate {
    let cells = match &line.cells {
        Ok(cells) => cells,
        Err(fault) => return Fate::Faulty(fault.clone()),
    };
    let Some(key) = line.key() else {
        return of_new(holder, cells);
    };
    let user = known.get(&key);
    if !seen.insert(key) {
        return Fate::Faulty("an earlier line has the same address".to_owned());
    }
    match user {
        Some(user) => of_known(holder, cells, blank, user),
        None => of_new(holder, cells),
    }
}

fn of_new(holder: &Holder, cells: &Cells) -> Fate {
    if let Some(refusal) = holder.refuses(Act::AddUser) {
        return Fate::Faulty(refusal.to_string());
    }
    let age = cells.age.as_ref().filter(|age| !age.is_blank());
    let age = age.map(|age| age.value.clone()).transpose();
    match (cells.email.value.clone(), cells.name.value.clone(), age) {
        (Ok(email), Ok(name), Ok(age)) => Fate::New(NewUser { name, email, age }),
        (email, name, age) => faulty([email.err(), name.err(), age.err()]),
    }
}

/// What is there already is left alone, whatever the rules would say to it today.
fn of_known(holder: &Holder, cells: &Cells, blank: Blank, user: &user::Model) -> Fate {
    let mut change = Change {
        id: user.id,
        email: user.email.clone(),
        edit: Edit::default(),
        fields: Vec::new(),
    };
    let (mut name_fault, mut age_fault) = (None, None);
    if cells.name.typed != user.name && !(cells.name.is_blank() && blank == Blank::Keep) {
        match &cells.name.value {
            Ok(name) if name.as_str() == user.name => {}
            Ok(name) => {
                change
                    .fields
                    .push(("name", user.name.clone(), name.as_str().to_owned()));
                change.edit.name = Some(name.clone());
            }
            Err(fault) => name_fault = Some(fault.clone()),
        }
    }
    if let Some(cell) = &cells.age
        && !(cell.is_blank() && blank == Blank::Keep)
    {
        let before = user.age.map(|age| age.to_string()).unwrap_or_default();
        let age = match cell.is_blank() {
            true => Ok(None),
            false => cell.value.clone().map(Some),
        };
        match age {
            _ if cell.typed == before => {}
            Ok(age) if age.map(Age::years) == user.age => {}
            Ok(age) => {
                let after = age.map(|age| age.years().to_string()).unwrap_or_default();
                change.fields.push(("age", before, after));
                change.edit.age = Some(age);
            }
            Err(fault) => age_fault = Some(fault),
        }
    }
    if change.fields.is_empty() && name_fault.is_none() && age_fault.is_none() {
        Fate::Unchanged
    } else if user.is_staff || user.is_superuser {
        Fate::Faulty("the address is a member of the staff's; change them on their page".to_owned())
    } else if user.deleted_at.is_some() {
        Fate::Faulty("the address is a deleted account's; it is free once that is purged".to_owned())
    } else if name_fault.is_some() || age_fault.is_some() {
        faulty([None, name_fault, age_fault])
    } else if let Some(refusal) = holder.refuses_to(Act::ChangeUser, user.into()) {
        Fate::Faulty(refusal.to_string())
    } else {
        Fate::Changed(change)
    }
}

fn faulty(faults: [Option<Violation>; 3]) -> Fate {
    let words = faults.into_iter().flatten().map(|fault| fault.message);
    Fate::Faulty(words.collect::<Vec<_>>().join("; "))
}

/// Imports some lines and writes their outcomes, in one transaction. Should somebody else take one of the addresses
/// meanwhile, the run fails and the next one finds the user there.
pub(super) async fn write_batch(
    job: &ImportUsers,
    holder: &Holder,
    context: &JobContext,
    lines: &[Line],
    seen: &mut HashSet<String>,
) -> Result<(), JobError> {
    let tx = context.begin().await?;
    let mut items = Vec::with_capacity(lines.len());
    for (line, fate) in judge(&*tx, holder, lines, job.blank, seen).await? {
        let (outcome, error) = match fate {
            Fate::New(new) => create(job, &tx, &new).await?,
            Fate::Changed(wanted) => change(job, &tx, wanted.id, wanted.edit).await?,
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
