//! Compares lines of a file with the existing users, and applies them.

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
        rules::{Age, Name, Violation},
    },
    jobs::Tx,
};

use super::table::{Cell, Cells, Line};
use crate::{foundation::JobError, runtime::JobContext};

/// What happens to a line.
pub(super) enum LineAction {
    New(NewUser),
    Changed(Change),
    Unchanged,
    Faulty(String),
}

/// The change that a line makes to a user.
pub(super) struct Change {
    id: i64,
    pub(super) email: String,
    edit: Edit,
    /// Each field with its old and its new value.
    pub(super) fields: Vec<(&'static str, String, String)>,
}

/// Decides what happens to each line; `seen` are the addresses of previous lines. One query.
pub(super) async fn judge(
    conn: &impl ConnectionTrait,
    holder: &Holder,
    lines: &[Line],
    blank: Blank,
    seen: &mut HashSet<String>,
) -> Result<Vec<(usize, LineAction)>, DbErr> {
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
        .map(|line| (line.number, action(holder, line, blank, &known, seen)))
        .collect())
}

fn action(
    holder: &Holder,
    line: &Line,
    blank: Blank,
    known: &HashMap<String, user::Model>,
    seen: &mut HashSet<String>,
) -> LineAction {
    let cells = match &line.cells {
        Ok(cells) => cells,
        Err(fault) => return LineAction::Faulty(fault.clone()),
    };
    let Some(key) = line.key() else {
        return of_new(holder, cells);
    };
    let user = known.get(&key);
    if !seen.insert(key) {
        return LineAction::Faulty("an earlier line has the same email address".to_owned());
    }
    match user {
        Some(user) => of_known(holder, cells, blank, user),
        None => of_new(holder, cells),
    }
}

fn of_new(holder: &Holder, cells: &Cells) -> LineAction {
    if let Some(refusal) = holder.refuses(Act::AddUser) {
        return LineAction::Faulty(refusal.to_string());
    }
    let age = cells.age.as_ref().filter(|age| !age.is_blank());
    let age = age.map(|age| age.value.clone()).transpose();
    match (cells.email.value.clone(), cells.name.value.clone(), age) {
        (Ok(email), Ok(name), Ok(age)) => LineAction::New(NewUser { name, email, age }),
        (email, name, age) => faulty([email.err(), name.err(), age.err()]),
    }
}

/// Values that stay the same are accepted, even if today's rules would reject them.
fn of_known(holder: &Holder, cells: &Cells, blank: Blank, user: &user::Model) -> LineAction {
    let mut change = Change {
        id: user.id,
        email: user.email.clone(),
        edit: Edit::default(),
        fields: Vec::new(),
    };
    let name_fault = change.set_name(&cells.name, blank, user).err();
    let age = cells.age.as_ref();
    let age_fault = age.and_then(|age| change.set_age(age, blank, user).err());
    if change.fields.is_empty() && name_fault.is_none() && age_fault.is_none() {
        LineAction::Unchanged
    } else if user.is_staff || user.is_superuser {
        LineAction::Faulty("this is a staff account; change it on its own page".to_owned())
    } else if user.deleted_at.is_some() {
        LineAction::Faulty(
            "this is the address of a deleted account; it can be used again once that is purged".to_owned(),
        )
    } else if name_fault.is_some() || age_fault.is_some() {
        faulty([None, name_fault, age_fault])
    } else if let Some(refusal) = holder.refuses_to(Act::ChangeUser, user.into()) {
        LineAction::Faulty(refusal.to_string())
    } else {
        LineAction::Changed(change)
    }
}

impl Change {
    fn set_name(&mut self, cell: &Cell<Name>, blank: Blank, user: &user::Model) -> Result<(), Violation> {
        if cell.typed == user.name || (cell.is_blank() && blank == Blank::Keep) {
            return Ok(());
        }
        let name = cell.value.clone()?;
        if name.as_str() != user.name {
            let after = name.as_str().to_owned();
            self.fields.push(("name", user.name.clone(), after));
            self.edit.name = Some(name);
        }
        Ok(())
    }

    fn set_age(&mut self, cell: &Cell<Age>, blank: Blank, user: &user::Model) -> Result<(), Violation> {
        let text = |age: Option<i16>| age.map(|age| age.to_string()).unwrap_or_default();
        let before = text(user.age);
        if cell.typed == before || (cell.is_blank() && blank == Blank::Keep) {
            return Ok(());
        }
        let age = if cell.is_blank() {
            None
        } else {
            Some(cell.value.clone()?)
        };
        if age.map(Age::years) != user.age {
            self.fields.push(("age", before, text(age.map(Age::years))));
            self.edit.age = Some(age);
        }
        Ok(())
    }
}

fn faulty(faults: [Option<Violation>; 3]) -> LineAction {
    let words = faults.into_iter().flatten().map(|fault| fault.message);
    LineAction::Faulty(words.collect::<Vec<_>>().join("; "))
}

/// Imports some lines and records their outcomes, in one transaction. If another user takes one of the addresses in the
/// meantime, the run fails and the next one finds that user.
pub(super) async fn write_batch(
    job: &ImportUsers,
    holder: &Holder,
    context: &JobContext,
    lines: &[Line],
    seen: &mut HashSet<String>,
) -> Result<(), JobError> {
    let tx = context.begin().await?;
    let mut items = Vec::with_capacity(lines.len());
    for (line, action) in judge(&*tx, holder, lines, job.blank, seen).await? {
        let (outcome, error) = match action {
            LineAction::New(new) => create(job, &tx, &new).await?,
            LineAction::Changed(wanted) => change(job, &tx, wanted.id, wanted.edit).await?,
            LineAction::Unchanged => (ItemOutcome::Skipped, Some("unchanged".to_owned())),
            LineAction::Faulty(fault) => (ItemOutcome::Failed, Some(fault)),
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
        Err(CreateUserError::Refused(fields)) => Ok((ItemOutcome::Failed, Some(fields.to_string()))),
        Err(CreateUserError::EmailTaken) => Err(JobError::retry("an address was taken in the meantime")),
        Err(error) => Err(error.into()),
    }
}

async fn change(job: &ImportUsers, tx: &Tx, id: i64, edit: Edit) -> Result<Written, JobError> {
    let Some(user) = users::find_for_change(tx, id).await? else {
        return Ok((ItemOutcome::Skipped, Some("the user no longer exists".to_owned())));
    };
    match users::edit(tx, user, edit, &job.actor).await {
        Ok(_) => Ok((ItemOutcome::Done, None)),
        Err(ChangeError::Refused(fields)) => Ok((ItemOutcome::Failed, Some(fields.to_string()))),
        Err(ChangeError::Db(error)) => Err(error.into()),
        Err(error) => Err(JobError::retry(error)),
    }
}
