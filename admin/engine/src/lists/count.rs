//! The number of rows of a list: exact up to a limit, then PostgreSQL's estimate. Never an unbounded COUNT.

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr,
    sea_query::{Alias, Condition, Expr, ExprTrait, Func, Query, SimpleExpr},
};

use crate::text::grouped;

/// Counted exactly up to here.
pub const EXACT_UP_TO: i64 = 10_000;

/// Counts the rows of a condition, as a subquery: never more than one beyond [`EXACT_UP_TO`].
pub fn count_up_to_limit(table: &'static str, condition: Condition) -> SimpleExpr {
    let some = Query::select()
        .expr(Expr::val(1))
        .from(table)
        .cond_where(condition)
        .limit(EXACT_UP_TO as u64 + 1)
        .to_owned();
    let counted = Query::select()
        .expr(Func::count(Expr::cust("*")))
        .from_subquery(some, "some")
        .to_owned();
    Expr::SubQuery(None, Box::new(counted.into()))
}

/// Such a count: `1,234`, or `10,000+`.
pub fn up_to_limit(count: i64) -> String {
    if count > EXACT_UP_TO {
        format!("{}+", grouped(EXACT_UP_TO))
    } else {
        grouped(count)
    }
}

/// A number of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    Exactly(i64),
    About(i64),
    MoreThan(i64),
}

impl Count {
    /// Counts the rows of a condition in one statement. Without `narrowed` the condition matches nearly the whole
    /// table.
    pub(crate) async fn of(
        db: &impl ConnectionTrait,
        table: &'static str,
        narrowed: bool,
        condition: &Condition,
    ) -> Result<Self, DbErr> {
        let mut select = Query::select();
        select.expr_as(count_up_to_limit(table, condition.clone()), "counted");
        // The planner's estimate is of the whole table, so it answers for an unfiltered list alone.
        let whole = db.get_database_backend() == DbBackend::Postgres && !narrowed;
        if whole {
            let estimate = Query::select()
                .expr(Expr::col("reltuples").cast_as(Alias::new("bigint")))
                .from("pg_class")
                .and_where(Expr::col("oid").eq(Expr::cust(format!("'{table}'::regclass"))))
                .to_owned();
            select.expr_as(Expr::SubQuery(None, Box::new(estimate.into())), "estimate");
        }
        let Some(row) = db.query_one(&select).await? else {
            return Ok(Self::Exactly(0));
        };
        let counted: i64 = row.try_get("", "counted")?;
        let estimate: Option<i64> = if whole { row.try_get("", "estimate")? } else { None };
        Ok(match estimate {
            _ if counted <= EXACT_UP_TO => Self::Exactly(counted),
            Some(estimate) if estimate > EXACT_UP_TO => Self::About(estimate),
            _ => Self::MoreThan(EXACT_UP_TO),
        })
    }

    /// `1 user`, `1,234 users`, `about 1.0 million users`, `more than 10,000 users`.
    pub(crate) fn words(self, singular: &str, plural: &str) -> String {
        match self {
            Self::Exactly(1) => format!("1 {singular}"),
            Self::Exactly(count) => format!("{} {plural}", grouped(count)),
            Self::About(count) if count >= 1_000_000 => format!("about {:.1} million {plural}", count as f64 / 1e6),
            Self::About(count) => format!("about {} {plural}", grouped(count / 1000 * 1000)),
            Self::MoreThan(count) => format!("more than {} {plural}", grouped(count)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_read_as_people_write_them() {
        assert_eq!(Count::Exactly(1).words("user", "users"), "1 user");
        assert_eq!(Count::Exactly(1_234).words("user", "users"), "1,234 users");
        assert_eq!(
            Count::About(1_040_000).words("user", "users"),
            "about 1.0 million users"
        );
        assert_eq!(Count::About(52_345).words("user", "users"), "about 52,000 users");
        assert_eq!(Count::MoreThan(10_000).words("user", "users"), "more than 10,000 users");
    }
}
