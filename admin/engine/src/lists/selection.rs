//! Which objects an action is for: the selected ones, or all that match a list's query. The confirmation page carries
//! the ids along, or if there are too many, their number and the newest id, so that what it named is what is done.

use sea_orm::{
    ConnectionTrait, DbErr, Value,
    sea_query::{Condition, Expr, ExprTrait, Func, Order, Query},
};
use usher_shared::jobs::Tx;

use crate::declare::model::Model;
use crate::error::AdminError;
use crate::lists::{back::BACK, query::ListQuery, search};
use crate::request::{sent::Fields, staff::Staff};
use crate::rows::{row::Row, storage::text_of};

/// The most objects that an action runs on while the browser waits; more become a job.
pub(crate) const AT_ONCE: u64 = 500;

/// The field that asks for all that match the list's query.
pub(crate) const ALL: &str = "_all";
/// The field that says what the confirmation page named: the ids beside it, or `number id` with the newest id.
pub(crate) const NAMED: &str = "_named";
/// The field of each id.
pub(crate) const ID: &str = "id";

pub(crate) enum Selection {
    Ids(Vec<Value>),
    /// All that match a list's query, before the confirmation page named them.
    Matching(Condition),
    /// Of all that matched, the ones that were named.
    Named {
        ids: Vec<Value>,
        condition: Condition,
    },
    /// All that matched, if they were too many to name, and none that is newer.
    Counted {
        number: u64,
        condition: Condition,
    },
}

impl Selection {
    /// `None` when nothing is selected.
    pub(crate) async fn read(
        db: &impl ConnectionTrait,
        model: &Model,
        staff: &Staff,
        form: &Fields,
    ) -> Result<Option<Self>, AdminError> {
        let parse = |id: &str| model.id_field().storage.parse(id);
        let ids: Vec<_> = form.all(ID).filter_map(parse).collect();
        if form.get(ALL).is_none() {
            return Ok((!ids.is_empty()).then_some(Self::Ids(ids)));
        }
        let fields = Fields::parse(form.get(BACK).unwrap_or_default().as_bytes());
        let query = ListQuery::parse(model, &fields)
            .map_err(|_| AdminError::BadRequest("The list couldn't be read. Go back and try again".to_owned()))?;
        query.require(model, staff)?;
        let searched = search::condition(db, model, &query.search).await?;
        let condition = query.condition(model).add(searched);
        let Some(named) = form.get(NAMED) else {
            return Ok(Some(Self::Matching(condition)));
        };
        let counted = named.split_once(' ').and_then(|(number, newest)| {
            let number = number.parse().ok()?;
            Some((number, parse(newest)?))
        });
        Ok(Some(match counted {
            Some((number, newest)) => Self::Counted {
                number,
                condition: condition.add(Expr::col(model.id).lte(newest)),
            },
            None => Self::Named { ids, condition },
        }))
    }

    pub(crate) fn condition(&self, model: &Model) -> Condition {
        let among = |ids: &Vec<Value>| Expr::col(model.id).is_in(ids.clone());
        match self {
            Self::Ids(ids) => Condition::all().add(among(ids)),
            Self::Matching(condition) | Self::Counted { condition, .. } => condition.clone(),
            Self::Named { ids, condition } => condition.clone().add(among(ids)),
        }
    }

    /// Whether all that match are meant, and the confirmation page has not named them yet.
    pub(crate) const fn is_unnamed(&self) -> bool {
        matches!(self, Self::Matching(_))
    }

    /// How many objects were named, if known.
    pub(crate) fn named(&self) -> Option<u64> {
        match self {
            Self::Named { ids, .. } => Some(ids.len() as u64),
            Self::Counted { number, .. } => Some(*number),
            Self::Ids(_) | Self::Matching(_) => None,
        }
    }

    /// The rows, and whether there are more than are acted on at once.
    pub(crate) async fn rows(&self, db: &impl ConnectionTrait, model: &Model) -> Result<(Vec<Row>, bool), DbErr> {
        self.read_rows(db, model, false).await
    }

    /// The same, locked until the transaction ends.
    pub(crate) async fn locked(&self, tx: &Tx, model: &Model) -> Result<(Vec<Row>, bool), DbErr> {
        self.read_rows(&**tx, model, true).await
    }

    async fn read_rows(&self, db: &impl ConnectionTrait, model: &Model, lock: bool) -> Result<(Vec<Row>, bool), DbErr> {
        let mut select = model
            .select_whole()
            .cond_where(self.condition(model))
            .order_by(model.id, Order::Asc)
            .limit(AT_ONCE + 1)
            .to_owned();
        if lock {
            select.lock_exclusive();
        }
        let results = db.query_all(&select).await?;
        let read = results.iter().map(|result| model.read_whole(result));
        let mut rows: Vec<_> = read.collect::<Result<_, _>>()?;
        let more = rows.len() as u64 > AT_ONCE;
        rows.truncate(AT_ONCE as usize);
        Ok((rows, more))
    }

    /// How many there are, and the newest id. All are counted, because the action runs on all of them.
    pub(crate) async fn count(&self, db: &impl ConnectionTrait, model: &Model) -> Result<(i64, String), DbErr> {
        let chosen = || {
            Query::select()
                .from(model.table)
                .cond_where(self.condition(model))
                .to_owned()
        };
        let mut count = chosen();
        count.expr_as(Func::count(Expr::cust("*")), "counted");
        let mut newest = chosen();
        newest.column(model.id).order_by(model.id, Order::Desc).limit(1);
        let counted = match db.query_one(&count).await? {
            Some(row) => row.try_get("", "counted")?,
            None => 0,
        };
        let newest = match db.query_one(&newest).await? {
            Some(row) => text_of(&model.id_field().storage.read(&row, model.id)?),
            None => None,
        };
        Ok((counted, newest.unwrap_or_default()))
    }
}
