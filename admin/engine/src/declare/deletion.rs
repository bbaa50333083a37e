//! Deleting objects: what goes with them, what forbids it, and the way back where there is one.

use sea_orm::{
    ConnectionTrait, DbErr, SqlErr,
    sea_query::{Alias, Condition, Expr, ExprTrait, Query},
};

use super::action::{Acting, Action, Enqueue, Ran};
use super::{model::Model, params::Ask, saving::Answer};
use crate::lists::count::{Count, EXACT_UP_TO};
use crate::request::staff::Staff;
use crate::rows::row::Row;
use crate::text::capitalised;

/// Names of the engine's own actions.
pub const DELETE: &str = "delete";
pub const RESTORE: &str = "restore";

/// Related rows that are named.
const NAMED: usize = 5;

/// How objects of a model are deleted.
#[derive(Debug)]
pub struct Deletion {
    /// What it means, on the page that asks.
    pub about: &'static str,
    pub related: &'static [Related],
    pub run: for<'a> fn(&'a Acting<'a>, &'a Row) -> Answer<'a, Ran>,
    /// Where a deleted object is only marked: the column, and how the mark is taken away.
    pub soft: Option<Soft>,
    /// Orders a job that deletes more objects than are deleted at once.
    pub bulk: Option<Enqueue>,
}

/// Deletion as a mark on the row.
#[derive(Clone, Copy, Debug)]
pub struct Soft {
    /// The time of deletion; deleted rows are not listed unless they are asked for.
    pub column: &'static str,
    pub restore: for<'a> fn(&'a Acting<'a>, &'a Row) -> Answer<'a, Ran>,
}

/// Rows of another table that point to the object.
#[derive(Debug)]
pub struct Related {
    /// One of them, and many: `session`, `sessions`.
    pub singular: &'static str,
    pub plural: &'static str,
    pub table: &'static str,
    /// The column that points to the object.
    pub column: &'static str,
    /// SQL for what names a row.
    pub named_by: &'static str,
    /// The permission to see them.
    pub seen_with: &'static str,
    pub fate: Fate,
}

/// What becomes of related rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Deleted, or ended, with the object.
    Goes,
    /// Kept without it.
    Stays,
    /// They forbid the deletion.
    Protects,
}

impl Deletion {
    /// Rows are deleted for good.
    pub const fn rows(related: &'static [Related]) -> Self {
        Self {
            about: "This deletes it permanently and can't be undone.",
            related,
            run: delete_row,
            soft: None,
            bulk: None,
        }
    }

    pub const fn bulk(self, enqueue: Enqueue) -> Self {
        Self {
            bulk: Some(enqueue),
            ..self
        }
    }

    pub const ACTION: Action = Action::new(DELETE, "Delete", run_deletion)
        .done("deleted")
        .asks(&[Ask::Reason { required: false }]);

    pub const UNDO: Action = Action::new(RESTORE, "Restore", run_restoration).done("restored");
}

/// What the page of a deletion says about one kind of related rows.
pub(crate) struct Goes {
    pub(crate) words: String,
    pub(crate) names: Vec<String>,
    pub(crate) more: bool,
    pub(crate) tone: &'static str,
}

/// What goes with the chosen objects, and why they cannot be deleted, if they cannot. Related rows are named to who may
/// see them. One statement for each kind of related rows.
pub(crate) async fn preview(
    db: &impl ConnectionTrait,
    staff: &Staff,
    deletion: &Deletion,
    model: &Model,
    chosen: &Condition,
) -> Result<(Vec<Goes>, Option<String>), DbErr> {
    let ids = Query::select()
        .column(model.id)
        .from(model.table)
        .cond_where(chosen.clone())
        .to_owned();
    let (mut all, mut refused) = (vec![], None);
    for related in deletion.related {
        let select = Query::select()
            .expr_as(Expr::cust(related.named_by).cast_as(Alias::new("text")), "named")
            .from(related.table)
            .and_where(Expr::col(related.column).in_subquery(ids.clone()))
            .limit(EXACT_UP_TO as u64 + 1)
            .to_owned();
        let found = db.query_all(&select).await?;
        if found.is_empty() {
            continue;
        }
        let count = match i64::try_from(found.len()).unwrap_or(i64::MAX) {
            count if count > EXACT_UP_TO => Count::MoreThan(EXACT_UP_TO),
            count => Count::Exactly(count),
        };
        let them = count.words(related.singular, related.plural);
        let names = found
            .iter()
            .take(if staff.may(related.seen_with) { NAMED } else { 0 })
            .map(|row| row.try_get::<Option<String>>("", "named"));
        let names: Vec<_> = names.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        let (fate, tone) = match related.fate {
            Fate::Goes => ("will be removed too", "bad"),
            Fate::Stays => ("will be kept, unlinked", "quiet"),
            Fate::Protects => ("blocking deletion", "warning"),
        };
        if related.fate == Fate::Protects {
            let such_as = names
                .first()
                .map(|name| format!(", such as {name}"))
                .unwrap_or_default();
            refused = Some(format!("It's still used by {them}{such_as}. Remove it there first."));
        }
        all.push(Goes {
            words: format!("{} {fate}", capitalised(&them)),
            more: !names.is_empty() && found.len() > names.len(),
            names,
            tone,
        });
    }
    Ok((all, refused))
}

/// Deletes unless something forbids it, asked in the transaction of the deletion.
fn run_deletion<'a>(acting: &'a Acting<'a>, row: &'a Row) -> Answer<'a, Ran> {
    Box::pin(async move {
        let Some(deletion) = acting.model.deletion else {
            return Ok(Ran::Unfit("it can't be deleted".into()));
        };
        let own = Expr::col(acting.model.id).is_in(row.get(acting.model.id).cloned());
        let chosen = Condition::all().add(own);
        let (tx, staff) = (&**acting.saving.tx, acting.saving.staff);
        let (_, refused) = preview(tx, staff, deletion, acting.model, &chosen).await?;
        match refused {
            Some(why) => Ok(Ran::Unfit(why.into())),
            None => (deletion.run)(acting, row).await,
        }
    })
}

fn run_restoration<'a>(acting: &'a Acting<'a>, row: &'a Row) -> Answer<'a, Ran> {
    match acting.model.deletion.and_then(|deletion| deletion.soft) {
        Some(soft) => (soft.restore)(acting, row),
        None => Box::pin(async { Ok(Ran::Unfit("it can't be restored".into())) }),
    }
}

fn delete_row<'a>(acting: &'a Acting<'a>, row: &'a Row) -> Answer<'a, Ran> {
    Box::pin(async move {
        let model = acting.model;
        let Some(id) = row.get(model.id) else {
            return Ok(Ran::Unfit("it no longer exists".into()));
        };
        let delete = Query::delete()
            .from_table(model.table)
            .and_where(Expr::col(model.id).eq(id.clone()))
            .to_owned();
        match acting.saving.tx.execute(&delete).await {
            Ok(_) => Ok(Ran::Done),
            Err(error) if matches!(error.sql_err(), Some(SqlErr::ForeignKeyConstraintViolation(_))) => {
                Err(DbErr::Custom(format!(
                    "{} has rows that no declaration names: {error}",
                    model.meta.name
                )))
            }
            Err(error) => Err(error),
        }
    })
}
