//! What a product's apps store about people: what happens to it when an account is purged, and what of it goes into a
//! person's export.

use std::{fmt, pin::Pin};

use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr,
    sea_query::{DynIden, Expr, ExprTrait, Query},
};
use serde_json::Value;

use super::hooks::{self, HookContext, HookFuture, UserHook, UserPurged};
use crate::foundation::{
    Registered,
    db::{ForeignKey, ForeignKeys, is_outage},
    entity::user,
};

/// The product's data about people.
pub(super) static USER_DATA: Registered<Vec<UserData>> = Registered::new();

/// What one app stores about people. Each of its columns that refers to a user has a rule for the purge, which removes
/// an account for good 30 days after its deletion. The rules are carried out in the purge's transaction, in the order
/// in which they were added, while the account's row is still there.
///
/// ```
/// use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder, entity::prelude::*};
/// use serde_json::{Value, json};
/// use usher_shared::accounts::{Extensions, extend, user_data::UserData, users::export_rows};
///
/// mod ticket {
///     use sea_orm::entity::prelude::*;
///
///     #[sea_orm::model]
///     #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
///     #[sea_orm(table_name = "tickets")]
///     pub struct Model {
///         #[sea_orm(primary_key)]
///         pub id: i64,
///         pub subject: String,
///         pub requester_id: i64,
///         pub assignee_id: Option<i64>,
///     }
///
///     impl ActiveModelBehavior for ActiveModel {}
/// }
///
/// async fn tickets_of(db: &DatabaseConnection, user_id: i64) -> Result<Value, DbErr> {
///     let tickets = ticket::Entity::find()
///         .filter(ticket::Column::RequesterId.eq(user_id))
///         .order_by_desc(ticket::Column::Id);
///     export_rows(db, tickets, |ticket| json!({ "id": ticket.id, "subject": ticket.subject })).await
/// }
///
/// extend(Extensions {
///     user_data: vec![
///         UserData::of("tickets")
///             .delete(ticket::Column::RequesterId)
///             .anonymize(ticket::Column::AssigneeId)
///             .export(tickets_of),
///     ],
///     ..Extensions::default()
/// });
/// ```
#[derive(Debug)]
pub struct UserData {
    app: &'static str,
    columns: Vec<(DynIden, DynIden, Rule)>,
    export: Option<Export>,
}

/// What happens to the rows of a column when their user is purged.
enum Rule {
    Delete,
    Anonymize,
    Keep(&'static str),
    Hook(Box<PurgeHook>),
}

type PurgeHook = dyn for<'a> Fn(&'a HookContext<'a>, &'a UserPurged<'a>) -> HookFuture<'a> + Send + Sync;

/// An app's part of a person's export, in a box.
pub type ExportFuture<'a> = Pin<Box<dyn Future<Output = Result<Value, DbErr>> + Send + 'a>>;

type ReadExport = dyn for<'a> Fn(&'a DatabaseConnection, i64) -> ExportFuture<'a> + Send + Sync;

struct Export(Box<ReadExport>);

/// What reads an app's part of a person's export: any
/// `async fn(&DatabaseConnection, user_id: i64) -> Result<Value, DbErr>`.
pub trait UserExport<'a>: Fn(&'a DatabaseConnection, i64) -> Self::Future + Send + Sync + 'static {
    type Future: Future<Output = Result<Value, DbErr>> + Send + 'a;
}

impl<'a, F, R> UserExport<'a> for F
where
    F: Fn(&'a DatabaseConnection, i64) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Value, DbErr>> + Send + 'a,
{
    type Future = R;
}

impl UserData {
    /// The data of this app; so far it has no columns.
    #[must_use]
    pub fn of(app: &'static str) -> Self {
        Self {
            app,
            columns: vec![],
            export: None,
        }
    }

    /// Deletes the rows whose column is the user's id.
    #[must_use]
    pub fn delete(self, column: impl ColumnTrait) -> Self {
        self.rule(column, Rule::Delete)
    }

    /// Sets the column to NULL, so that the rows stay but are nobody's. What else in them says who it was, such as a
    /// name in a text, takes a hook: [`UserData::purge_with`].
    #[must_use]
    pub fn anonymize(self, column: impl ColumnTrait) -> Self {
        self.rule(column, Rule::Anonymize)
    }

    /// Keeps the rows, for the reason given: a law that asks for invoices, for example. The column must not hold the
    /// account: its foreign key needs `ON DELETE SET NULL`, or it has none.
    #[must_use]
    pub fn keep(self, column: impl ColumnTrait, reason: &'static str) -> Self {
        self.rule(column, Rule::Keep(reason))
    }

    /// Leaves the rows to a hook. If it fails, the account stays, and the purge's job says why.
    #[must_use]
    pub fn purge_with<F>(self, column: impl ColumnTrait, hook: F) -> Self
    where
        F: for<'a> UserHook<'a, UserPurged<'a>>,
    {
        let hook: Box<PurgeHook> = Box::new(move |context, event| Box::pin(hook(context, event)));
        self.rule(column, Rule::Hook(hook))
    }

    /// What of the app's rows goes into a person's export; see [`export_rows`](super::users::export_rows).
    #[must_use]
    pub fn export<F>(mut self, read: F) -> Self
    where
        F: for<'a> UserExport<'a>,
    {
        self.export = Some(Export(Box::new(move |db, user_id| Box::pin(read(db, user_id)))));
        self
    }

    #[must_use]
    pub const fn app(&self) -> &'static str {
        self.app
    }

    /// Each column with its rule, such as `invoices.user_id: kept, ten years by law`, for people who ask what becomes
    /// of the data.
    pub fn rules(&self) -> impl Iterator<Item = String> {
        let rules = self.columns.iter();
        rules.map(|(table, column, rule)| format!("{table}.{column}: {rule:?}"))
    }

    fn rule(mut self, column: impl ColumnTrait, rule: Rule) -> Self {
        let (table, column) = column.as_column_ref();
        self.columns.push((table, column, rule));
        self
    }

    fn names(&self, key: &ForeignKey) -> bool {
        let named = self.columns.iter();
        named
            .map(|(table, column, _)| format!("{table}.{column}"))
            .any(|name| name == key.to_string())
    }

    /// Carries out the rules for a user.
    async fn purge(&self, context: &HookContext<'_>, user: &user::Model) -> Result<(), DbErr> {
        for (table, column, rule) in &self.columns {
            let theirs = Expr::col(column.clone()).eq(user.id);
            match rule {
                Rule::Delete => {
                    let delete = Query::delete().from_table(table.clone()).and_where(theirs).to_owned();
                    context.tx.execute(&delete).await?;
                }
                Rule::Anonymize => {
                    let nobody = Expr::value(None::<i64>);
                    let update = Query::update()
                        .table(table.clone())
                        .value(column.clone(), nobody)
                        .and_where(theirs)
                        .to_owned();
                    context.tx.execute(&update).await?;
                }
                Rule::Keep(_) => {}
                Rule::Hook(hook) => hooks::limited(hook(context, &UserPurged { user }))
                    .await
                    .map_err(hooks::plain)?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delete => f.write_str("deleted"),
            Self::Anonymize => f.write_str("anonymized"),
            Self::Keep(reason) => write!(f, "kept, {reason}"),
            Self::Hook(_) => f.write_str("left to a hook"),
        }
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Export")
    }
}

/// What the product's apps store about people.
#[must_use]
pub fn all() -> &'static [UserData] {
    USER_DATA.all()
}

/// Carries out the rules of all apps for a user who is about to be removed. An error names the app.
pub(super) async fn purge(context: &HookContext<'_>, user: &user::Model) -> Result<(), DbErr> {
    for data in all() {
        data.purge(context, user).await.map_err(|error| {
            if is_outage(&error) {
                error
            } else {
                DbErr::Custom(format!("{}: {error}", data.app))
            }
        })?;
    }
    Ok(())
}

/// The apps' parts of a person's export.
pub(super) async fn export(db: &DatabaseConnection, user_id: i64) -> Result<Value, DbErr> {
    let mut parts = serde_json::Map::new();
    for data in all() {
        if let Some(Export(read)) = &data.export {
            parts.insert(data.app.to_owned(), read(db, user_id).await?);
        }
    }
    Ok(parts.into())
}

/// Usher's own tables that refer to users.
const OWN: [&str; 9] = [
    "user_roles",
    "sessions",
    "mfa_factors",
    "mfa_challenges",
    "recovery_codes",
    "mail_tokens",
    "api_keys",
    "chosen_columns",
    "webhook_endpoints",
];

/// The foreign keys to users that no app's [`UserData`] names, without those of Usher's own tables: data about people
/// that somebody has forgotten. Displayed, a key is `tickets.requester_id`.
pub async fn forgotten(db: &impl ConnectionTrait) -> Result<Vec<ForeignKey>, DbErr> {
    let keys = ForeignKeys::read(db).await?;
    let foreign = keys.to("users").filter(|key| !OWN.contains(&key.table().as_str()));
    let forgotten = foreign.filter(|key| !all().iter().any(|data| data.names(key)));
    Ok(forgotten.cloned().collect())
}
