//! Reads a page. What it costs is bounded by constants, whatever the filters are and however many rows there are.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, IdenStatic, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Select, Value,
    sea_query::{Condition, Expr, ExprTrait, Func, NullOrdering, Query, SelectStatement, SimpleExpr},
};

use usher_shared::foundation::db::with_literal_limits;

use super::{
    cursor::{Cursor, Place, text_of},
    order::{Filter, Key, Listed, Order},
    query::ListQuery,
};

/// Rows that an index may find for a filter to be answered from those rows alone. Filters that find more are
/// common enough to meet on a walk through the order.
const FEW: u64 = 1_000;
/// Rows that a walk looks at before it stops and leaves the rest to the next page.
const WALK: u64 = 10_000;
/// The same where nothing but deleted rows can be in the way.
const WALK_UNFILTERED: u64 = 1_000;
/// Counted up to here.
const COUNT: u64 = 10_000;

/// Some rows in their order, and how to go on from them.
pub(super) struct Page<L> {
    pub(super) rows: Vec<L>,
    pub(super) prev: Option<Cursor>,
    pub(super) next: Option<Cursor>,
    pub(super) count: Option<Count>,
}

/// How many rows a list has.
#[derive(Clone, Copy)]
pub(super) struct Count {
    pub(super) rows: u64,
    pub(super) is_exact: bool,
}

/// Where the rows of a page come from, so that few are read.
enum Source<E: EntityTrait> {
    /// A filter's index found few rows: they are all looked at.
    Few(Box<Select<E>>),
    /// Rows are met in the list's order, within the range of the filters that are one.
    Walk { range: Condition, budget: u64 },
}

impl<L: Listed> ListQuery<L> {
    /// Reads the page: one statement, one more where an index is asked first, one more where a walk stopped early, and
    /// as many again where the order's first column may be NULL and the page crosses that border.
    pub(super) async fn page(
        &self,
        db: &DatabaseConnection,
        filters: impl IntoIterator<Item = Filter<L::Entity>>,
    ) -> Result<Page<L>, DbErr> {
        let filters: Vec<_> = filters.into_iter().chain(self.filters.iter().cloned()).collect();
        let backward = self.cursor.as_ref().is_some_and(|cursor| cursor.backward);
        let from = self.cursor.as_ref().and_then(|cursor| cursor.place.as_ref());
        let source = self.source(db, &filters).await?;
        let matching = filters
            .iter()
            .fold(L::visible(), |all, filter| all.add(filter.condition.clone()));

        let steady = filters.is_empty();
        let mut rows: Vec<L> = vec![];
        let mut stop = None;
        for ahead in self.order.parts(from, backward) {
            let mut select = self.order.sorted(L::Entity::find(), backward).filter(matching.clone());
            let rows_of = match &source {
                Source::Few(found) => {
                    select = select.filter(ahead.clone());
                    found.clone().into_query()
                }
                Source::Walk { range, budget } => {
                    let walk = L::Entity::find().filter(range.clone()).filter(ahead.clone());
                    self.order.sorted(walk, backward).limit(*budget).into_query()
                }
            };
            take_from(&mut select, rows_of);
            let wanted = self.limit + 1 - rows.len() as u64;
            rows.extend(read::<L>(db, select.limit(wanted), steady).await?);
            if rows.len() as u64 > self.limit {
                break;
            }
            if let Source::Walk { range, budget } = &source {
                stop = self.stopped_at(db, range, ahead, backward, *budget).await?;
            }
            if stop.is_some() {
                break;
            }
        }
        let more = rows.len() as u64 > self.limit || stop.is_some();
        rows.truncate(usize::try_from(self.limit).unwrap_or(usize::MAX));
        let end = stop.or_else(|| rows.last().map(|row| Place::of(&self.order, row)));
        if backward {
            rows.reverse();
        }
        let start = if backward { rows.last() } else { rows.first() };
        // Without rows the way back begins where this page ended, so that nothing between is lost.
        let start = start.map(|row| Place::of(&self.order, row)).or_else(|| end.clone());
        let onward = more.then_some(Cursor { backward, place: end });
        let at_edge = if backward {
            from.is_none()
        } else {
            self.cursor.is_none()
        };
        let back = (!at_edge).then_some(Cursor {
            backward: !backward,
            place: start,
        });
        let (prev, next) = if backward { (onward, back) } else { (back, onward) };
        let count = match self.count {
            true => Some(self.counted(db, &source, &matching).await?),
            false => None,
        };
        Ok(Page {
            rows,
            prev,
            next,
            count,
        })
    }

    async fn source(&self, db: &DatabaseConnection, filters: &[Filter<L::Entity>]) -> Result<Source<L::Entity>, DbErr> {
        let is_walked = |filter: &&Filter<L::Entity>| {
            filter
                .range_of
                .is_some_and(|of| of.as_str() == self.order.first().as_str())
        };
        // One alone: where two indexes meet, either can find many rows that the other refuses.
        let indexed = filters.iter().find(|filter| filter.indexed);
        if let Some(filter) = indexed.filter(|filter| !is_walked(filter)) {
            let found = filter.rows();
            if count(db, found.clone().limit(FEW + 1)).await? <= FEW {
                return Ok(Source::Few(Box::new(found.limit(FEW))));
            }
        }
        let ranges = filters.iter().filter(is_walked);
        let range = ranges.fold(Condition::all(), |all, filter| all.add(filter.condition.clone()));
        let budget = if filters.is_empty() { WALK_UNFILTERED } else { WALK };
        Ok(Source::Walk { range, budget })
    }

    /// The last row of a walk that used its budget up.
    async fn stopped_at(
        &self,
        db: &DatabaseConnection,
        range: &Condition,
        ahead: Condition,
        backward: bool,
        budget: u64,
    ) -> Result<Option<Place>, DbErr> {
        let walk = L::Entity::find().filter(range.clone()).filter(ahead);
        let walked = self.order.sorted(walk, backward).limit(budget);
        if count(db, walked.clone()).await? < budget {
            return Ok(None);
        }
        let mut last = self.order.sorted(L::Entity::find(), !backward);
        take_from(&mut last, walked.into_query());
        let last = read::<L>(db, last.limit(1), false).await?;
        Ok(last.first().map(|row| Place::of(&self.order, row)))
    }

    async fn counted(
        &self,
        db: &DatabaseConnection,
        source: &Source<L::Entity>,
        matching: &Condition,
    ) -> Result<Count, DbErr> {
        let (rows_of, is_exact) = match source {
            Source::Few(found) => (*found.clone(), true),
            Source::Walk { range, .. } => {
                let walk = L::Entity::find().filter(range.clone());
                let walk = self.order.sorted(walk, false).limit(COUNT);
                let is_exact = count(db, walk.clone()).await? < COUNT;
                (walk, is_exact)
            }
        };
        let mut select = L::Entity::find().filter(matching.clone());
        take_from(&mut select, rows_of.into_query());
        let rows = count(db, select).await?;
        Ok(Count { rows, is_exact })
    }
}

impl<E: EntityTrait> Filter<E> {
    /// The rows it finds. A range is read in order, so that the database reads its index: from the table as it lies,
    /// the first rows of a range can be far away.
    fn rows(&self) -> Select<E> {
        let rows = E::find().filter(self.condition.clone());
        match self.range_of {
            Some(column) => rows.order_by_asc(column),
            None => rows,
        }
    }
}

impl<L: Listed> Order<L> {
    fn sorted(&self, select: Select<L::Entity>, backward: bool) -> Select<L::Entity> {
        self.keys.iter().fold(select, |select, key| {
            let (order, nulls) = key.direction(backward);
            // Not the first: its NULLs are read by a statement of their own.
            if key.is_nullable() && key.column.as_str() != self.first().as_str() {
                select.order_by_with_nulls(key.column, order, nulls)
            } else {
                select.order_by(key.column, order)
            }
        })
    }

    /// What lies ahead of a place, nearest first. A missing value counts as greater than all others, on both databases.
    /// Where the first column may miss, those rows are a range of their own: with an OR no index would be read in
    /// order.
    fn parts(&self, from: Option<&Place>, backward: bool) -> Vec<Condition> {
        let Some(first) = self.keys.first().filter(|key| key.is_nullable()) else {
            let beyond = from.map(|Place(values)| beyond(&self.keys, values, backward));
            return vec![beyond.unwrap_or_else(Condition::all)];
        };
        let there = || Condition::all().add(first.expr().is_not_null());
        let missing = || Condition::all().add(first.expr().is_null());
        let up = first.goes_up(backward);
        let (here, then) = match from.map(|Place(values)| values.as_slice()) {
            None if up => (there(), Some(missing())),
            None => (missing(), Some(there())),
            Some([value, others @ ..]) if text_of(value).is_none() => {
                let here = missing().add(beyond(&self.keys[1..], others, backward));
                (here, (!up).then(there))
            }
            Some(values) => (there().add(beyond(&self.keys, values, backward)), up.then(missing)),
        };
        [here].into_iter().chain(then).collect()
    }
}

impl<L: Listed> Key<L> {
    pub(super) fn expr(&self) -> SimpleExpr {
        Expr::col((L::Entity::default(), self.column))
    }

    fn goes_up(&self, backward: bool) -> bool {
        self.descending == backward
    }

    /// A missing value counts as greater than all others.
    pub(super) fn direction(&self, backward: bool) -> (sea_orm::Order, NullOrdering) {
        match self.goes_up(backward) {
            true => (sea_orm::Order::Asc, NullOrdering::Last),
            false => (sea_orm::Order::Desc, NullOrdering::First),
        }
    }

    pub(super) fn is_nullable(&self) -> bool {
        self.column.def().is_null()
    }

    fn is(&self, value: &Value) -> SimpleExpr {
        match text_of(value) {
            Some(_) => self.expr().eq(value.clone()),
            None => self.expr().is_null(),
        }
    }

    /// What comes after a value; nothing where it is the last.
    fn after(&self, value: &Value, backward: bool) -> Option<SimpleExpr> {
        let is_missing = text_of(value).is_none();
        match self.goes_up(backward) {
            true if is_missing => None,
            true if self.is_nullable() => Some(self.expr().gt(value.clone()).or(self.expr().is_null())),
            true => Some(self.expr().gt(value.clone())),
            false if is_missing => Some(self.expr().is_not_null()),
            false => Some(self.expr().lt(value.clone())),
        }
    }
}

/// What lies beyond a place whose first value is there. Where all columns go the same way it is a comparison of tuples,
/// which an index on them answers as one range; else the first column's range holds it, and the others decide within.
fn beyond<L: Listed>(keys: &[Key<L>], values: &[Value], backward: bool) -> Condition {
    let (Some(first), Some(value)) = (keys.first(), values.first()) else {
        return Condition::all();
    };
    let up = first.goes_up(backward);
    let is_plain = |key: &Key<L>| key.goes_up(backward) == up && !key.is_nullable();
    if keys[1..].iter().all(is_plain) {
        let here = Expr::tuple(keys.iter().map(Key::expr));
        let there = Expr::tuple(values.iter().cloned().map(Expr::val));
        return Condition::all().add(if up { here.gt(there) } else { here.lt(there) });
    }
    let pairs = || keys.iter().zip(values);
    let beyond = pairs()
        .enumerate()
        .fold(Condition::any(), |any, (number, (key, value))| {
            let Some(after) = key.after(value, backward) else {
                return any;
            };
            let same = pairs().take(number).map(|(key, value)| key.is(value));
            any.add(same.fold(Condition::all(), Condition::add).add(after))
        });
    let first = if up {
        first.expr().gte(value.clone())
    } else {
        first.expr().lte(value.clone())
    };
    Condition::all().add(first).add(beyond)
}

/// Lets a statement read from the rows of another under the table's own name.
pub(super) fn take_from<E: EntityTrait>(select: &mut Select<E>, rows: SelectStatement) {
    QuerySelect::query(select)
        .from_clear()
        .from_subquery(rows, E::default());
}

/// Reads rows; `steady` is a statement that one plan fits whatever its parameters are.
async fn read<L: Listed>(db: &DatabaseConnection, select: Select<L::Entity>, steady: bool) -> Result<Vec<L>, DbErr> {
    let select = select.select_only().columns(L::COLUMNS.iter().copied()).into_query();
    let rows = if steady {
        let statement = with_literal_limits(db.get_database_backend(), &select);
        db.query_all_raw(statement).await?
    } else {
        db.query_all(&select).await?
    };
    rows.iter().map(L::read).collect()
}

/// How many rows a statement finds; it must have a limit.
async fn count<E: EntityTrait>(db: &DatabaseConnection, select: Select<E>) -> Result<u64, DbErr> {
    let rows = select.into_query();
    let counting = Query::select()
        .expr_as(Func::count(Expr::cust("*")), "counted")
        .from_subquery(rows, "found")
        .to_owned();
    let row = db.query_one(&counting).await?;
    let counted: i64 = row.map_or(Ok(0), |row| row.try_get("", "counted"))?;
    Ok(u64::try_from(counted).unwrap_or_default())
}
