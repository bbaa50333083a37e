//! A person with an account; staff are users too.

use sea_orm::{
    ActiveEnum, Condition,
    entity::prelude::*,
    sea_query::{ExprTrait, IntoCondition},
};

/// One account. `email` is shown as typed; `email_key` (case-folded) is unique and used for lookups.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub email: String,
    pub email_key: String,
    pub name: String,
    /// The text that searches use, made by [`crate::foundation::search::text_of`]; none if the row was written without
    /// it, until the worker fills it in.
    pub search_text: Option<String>,
    pub age: Option<i16>,
    pub status: UserStatus,
    /// End of the lock; a locked account without it stays locked until somebody unlocks it.
    pub locked_until: Option<DateTimeUtc>,
    pub lock_reason: Option<String>,
    pub external_id: Option<String>,
    pub is_staff: bool,
    pub is_superuser: bool,
    /// Argon2id in PHC form; none until the owner sets a password.
    pub password_hash: Option<String>,
    pub password_changed_at: Option<DateTimeUtc>,
    pub email_verified_at: Option<DateTimeUtc>,
    pub welcomed_at: Option<DateTimeUtc>,
    pub last_login_at: Option<DateTimeUtc>,
    /// Counts changes; ETags and the check for stale forms compare it.
    pub version: i32,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub deleted_at: Option<DateTimeUtc>,
    /// When the account will be deleted because its owner asked for that, unless they cancel.
    pub delete_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum UserStatus {
    Active,
    Locked,
    Deactivated,
}

impl Model {
    /// Whether this user may sign in now: not deleted, not deactivated, and any lock has ended.
    #[must_use]
    pub fn may_sign_in(&self, now: DateTimeUtc) -> bool {
        self.deleted_at.is_none() && self.status_at(now) == UserStatus::Active
    }

    /// The account's status at this time. The column alone is not enough, because a lock ends without a write.
    #[must_use]
    pub fn status_at(&self, at: DateTimeUtc) -> UserStatus {
        self.status.at(at, self.locked_until)
    }

    /// Whether this is no more than a self sign-up that nobody has verified or signed in to yet.
    #[must_use]
    pub fn is_unverified_sign_up(&self) -> bool {
        self.email_verified_at.is_none()
            && self.last_login_at.is_none()
            && self.deleted_at.is_none()
            && !self.is_staff
            && !self.is_superuser
            && self.password_hash.is_some()
    }
}

impl UserStatus {
    /// The status at a time: a lock that has ended counts as active.
    #[must_use]
    pub fn at(self, at: DateTimeUtc, locked_until: Option<DateTimeUtc>) -> Self {
        match (self, locked_until) {
            (Self::Locked, Some(until)) if until <= at => Self::Active,
            _ => self,
        }
    }

    /// SQL for rows of `table`, a name or alias of the users table, that have this status at a time; the same rule as
    /// [`UserStatus::at`].
    #[must_use]
    pub fn of_rows(self, table: &'static str, at: DateTimeUtc) -> Condition {
        let column = |column: Column| Expr::col((table, column));
        // The status is part of the statement's text, because partial indexes don't match a parameter.
        let says = |status: Self| column(Column::Status).eq(Expr::cust(format!("'{}'", status.to_value())));
        let until = || column(Column::LockedUntil);
        match self {
            Self::Active => Condition::any()
                .add(says(Self::Active))
                .add(says(Self::Locked).and(until().lte(at))),
            Self::Locked => Condition::all()
                .add(says(Self::Locked))
                .add(until().is_null().or(until().gt(at))),
            Self::Deactivated => says(Self::Deactivated).into_condition(),
        }
    }
}
