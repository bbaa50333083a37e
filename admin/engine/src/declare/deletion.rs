//! Deleting objects: what is deleted with them, what prevents it, and restoring them.

use sea_orm::{
    ConnectionTrait, DbErr, SqlErr,
    sea_query::{Alias, Condition, Expr, ExprTrait, Query},
};

use super::action::{Action, ActionContext, Enqueue, Outcome};
use super::{model::Model, params::Param, saving::HookFuture};
use crate::lists::count::{Count, EXACT_UP_TO};
use crate::request::staff::Staff;
use crate::rows::row::Row;
use crate::text::capitalized;

/// Names of the built-in actions.
pub const DELETE: &str = "delete";
pub const RESTORE: &str = "restore";

/// Related rows that the confirmation page names.
const NAMED: usize = 5;

/// How objects of a model are deleted.
#[derive(Debug)]
pub struct Deletion {
    /// What it does, on the confirmation page.
    pub about: &'static str,
    pub related: &'static [Related],
    pub run: for<'a> fn(&'a ActionContext<'a>, &'a Row) -> HookFuture<'a, Outcome>,
    /// Set if deleted rows are only marked.
    pub soft: Option<SoftDelete>,
    /// Enqueues a job for more objects than are deleted at once.
    pub bulk: Option<Enqueue>,
}

/// Deletion that marks the row and can be undone.
#[derive(Clone, Copy, Debug)]
pub struct SoftDelete {
    /// The column with the time of deletion. Lists leave out deleted rows unless a filter asks for them.
    pub column: &'static str,
    pub restore: for<'a> fn(&'a ActionContext<'a>, &'a Row) -> HookFuture<'a, Outcome>,
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
    /// SQL for a row's name.
    pub named_by: &'static str,
    /// The permission to see their names.
    pub seen_with: &'static str,
    pub on_delete: OnDelete,
}

/// What happens to related rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDelete {
    /// They are deleted, or ended, with the object.
    Cascade,
    /// They are kept without it.
    Keep,
    /// They prevent the deletion.
    Protect,
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
        .params(&[Param::Reason { required: false }]);

    pub const UNDO: Action = Action::new(RESTORE, "Restore", run_restoration).done("restored");
}

/// What the confirmation page says about one kind of related rows.
pub(crate) struct Affected {
    pub(crate) words: String,
    pub(crate) names: Vec<String>,
    pub(crate) more: bool,
    pub(crate) tone: &'static str,
}

/// What happens to rows related to the chosen objects, and what prevents the deletion. Names are shown only to people
/// who may see those rows. One statement for each kind of related rows.
pub(crate) async fn preview(
    db: &impl ConnectionTrait,
    staff: &Staff,
    deletion: &Deletion,
    model: &Model,
    chosen: &Condition,
) -> Result<(Vec<Affected>, Option<String>), DbErr> {
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
        let (on_delete, tone) = match related.on_delete {
            OnDelete::Cascade => ("will be removed too", "bad"),
            OnDelete::Keep => ("will be kept, unlinked", "quiet"),
            OnDelete::Protect => ("blocking deletion", "warning"),
        };
        if related.on_delete == OnDelete::Protect {
            let such_as = names
                .first()
                .map(|name| format!(", such as {name}"))
                .unwrap_or_default();
            refused = Some(format!("It's still used by {them}{such_as}. Remove it there first."));
        }
        all.push(Affected {
            words: format!("{} {on_delete}", capitalized(&them)),
            more: !names.is_empty() && found.len() > names.len(),
            names,
            tone,
        });
    }
    Ok((all, refused))
}

/// Deletes unless related rows prevent it, checked in the same transaction.
fn run_deletion<'a>(acting: &'a ActionContext<'a>, row: &'a Row) -> HookFuture<'a, Outcome> {
    Box::pin(async move {
        let Some(deletion) = acting.model.deletion else {
            return Ok(Outcome::Skipped("it can't be deleted".into()));
        };
        let own = Expr::col(acting.model.id).is_in(row.get(acting.model.id).cloned());
        let chosen = Condition::all().add(own);
        let (tx, staff) = (&**acting.saving.tx, acting.saving.staff);
        let (_, refused) = preview(tx, staff, deletion, acting.model, &chosen).await?;
        match refused {
            Some(why) => Ok(Outcome::Skipped(why.into())),
            None => (deletion.run)(acting, row).await,
        }
    })
}

fn run_restoration<'a>(acting: &'a ActionContext<'a>, row: &'a Row) -> HookFuture<'a, Outcome> {
    match acting.model.deletion.and_then(|deletion| deletion.soft) {
        Some(soft) => (soft.restore)(acting, row),
        None => Box::pin(async { Ok(Outcome::Skipped("it can't be restored".into())) }),
    }
}

fn delete_row<'a>(acting: &'a ActionContext<'a>, row: &'a Row) -> HookFuture<'a, Outcome> {
    Box::pin(async move {
        let model = acting.model;
        let Some(id) = row.get(model.id) else {
            return Ok(Outcome::Skipped("it no longer exists".into()));
        };
        let delete = Query::delete()
            .from_table(model.table)
            .and_where(Expr::col(model.id).eq(id.clone()))
            .to_owned();
        match acting.saving.tx.execute(&delete).await {
            Ok(_) => Ok(Outcome::Done),
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
