//! `GET /users`: who there is, filtered and in pages.

use axum::extract::State;
use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, Condition, DbBackend, DbErr, QueryResult, Value, sea_query::IntoCondition};
use serde_json::json;
use usher_shared::foundation::{
    entity::user::{self, Column, UserStatus},
    rules::{Email, Violation, ViolationKind},
    search::{self, Part},
    time::now,
};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::shape::{Status, UserDetailsOut, UserMore, UserOut};
use crate::{
    state::AppState,
    toolkit::{
        caller::{ApiKey, UsersRead},
        error::ApiError,
        list::{Filter, ListIn, ListOut, ListQuery, Listed, limit_fault},
        openapi::{Errors, KEY_ERRORS, error_list},
        query::{FromQuery, Parameters, Query, boolean, moment},
        state::Toolkit,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// More words than this only cost.
const MAX_WORDS: usize = 8;

impl Listed for UserRow {
    type Entity = user::Entity;
    const SORTS: &'static [(&'static str, Column)] = &[
        ("id", Column::Id),
        ("created_at", Column::CreatedAt),
        ("name", Column::Name),
        ("email", Column::EmailKey),
    ];
    const ID: Column = Column::Id;
    const DEFAULT_SORT: &'static str = "-created_at";
    const SHARED: &'static [&'static str] = &["name"];

    const COLUMNS: &'static [Column] = &[
        Column::Id,
        Column::Name,
        Column::Email,
        Column::EmailKey,
        Column::CreatedAt,
        Column::Age,
        Column::Status,
        Column::EmailVerifiedAt,
        Column::ExternalId,
        Column::UpdatedAt,
        Column::LockedUntil,
    ];

    fn visible() -> Condition {
        Column::DeletedAt.is_null().into_condition()
    }

    fn read(row: &QueryResult) -> Result<UserRow, DbErr> {
        let verified_at: Option<DateTime<Utc>> = row.try_get_by_index(7)?;
        Ok(UserRow {
            email_key: row.try_get_by_index(3)?,
            user: UserDetailsOut {
                user: UserOut {
                    id: row.try_get_by_index(0)?,
                    name: row.try_get_by_index(1)?,
                    email: row.try_get_by_index(2)?,
                    created_at: row.try_get_by_index(4)?,
                },
                more: Some(UserMore {
                    age: row.try_get_by_index(5)?,
                    status: row
                        .try_get_by_index::<UserStatus>(6)?
                        .at(now(), row.try_get_by_index(10)?)
                        .into(),
                    verified: verified_at.is_some(),
                    external_id: row.try_get_by_index(8)?,
                    updated_at: row.try_get_by_index(9)?,
                }),
            },
        })
    }

    fn value(&self, column: Column) -> Value {
        let Self { email_key, user } = self;
        match column {
            Column::CreatedAt => user.user.created_at.into(),
            Column::Name => user.user.name.as_str().into(),
            Column::EmailKey => email_key.as_str().into(),
            _ => user.user.id.into(),
        }
    }
}

/// A user of a list, and by what an order by email knows it.
struct UserRow {
    email_key: String,
    user: UserDetailsOut,
}

/// Which users to list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
struct FiltersIn {
    /// This address, in any letter case: one user or none.
    #[param(example = "ada@example.com", pattern = r"^[^\x00-\x1f\x7f-\x9f�]*$")]
    email: Option<String>,
    /// Addresses that begin so, in any letter case, their domains in Unicode or in ASCII (IDNA). Unless `sort` says
    /// otherwise the list is sorted by `email`.
    #[param(example = "ada", pattern = r"^[^\x00-\x1f\x7f-\x9f�]*$")]
    email_prefix: Option<String>,
    /// The id that another system knows the person by: one user or none.
    #[param(example = "crm-4711", pattern = r"^[^\x00-\x1f\x7f-\x9f�]*$")]
    external_id: Option<String>,
    #[param(inline, value_type = Option<Status>)]
    status: Option<UserStatus>,
    /// Whether the email address is confirmed.
    verified: Option<bool>,
    /// Created at this time or later.
    #[param(example = "2026-01-01T00:00:00Z")]
    created_after: Option<DateTime<Utc>>,
    /// Created before this time.
    #[param(example = "2027-01-01T00:00:00Z")]
    created_before: Option<DateTime<Utc>>,
    /// Words, all of which must be in the name or the email address; the first eight count. Letter case, accents and
    /// widths make no difference. A word of less than three letters is looked for where a word starts, and Chinese,
    /// Japanese and Korean are found by two characters.
    #[param(example = "ada love", pattern = r"^[^\x00-\x1f\x7f-\x9f�]*$")]
    q: Option<String>,
}

/// The whole query of the list.
struct UsersQuery {
    filters: Vec<Filter<user::Entity>>,
    list: ListQuery<UserRow>,
}

impl FromQuery for UsersQuery {
    fn from_query(parameters: &mut Parameters, toolkit: &Toolkit) -> Self {
        let text = |text: &str| Ok(text.to_owned());
        let filters = FiltersIn {
            email: parameters.optional("email", text),
            email_prefix: parameters.optional("email_prefix", text),
            external_id: parameters.optional("external_id", text),
            status: parameters.optional("status", parse_status),
            verified: parameters.optional("verified", boolean),
            created_after: parameters.optional("created_after", moment),
            created_before: parameters.optional("created_before", moment),
            q: parameters.optional("q", text),
        };
        let sort = match &filters.email_prefix {
            Some(_) => "email",
            None => UserRow::DEFAULT_SORT,
        };
        Self {
            filters: filters.into_filters(toolkit.db.get_database_backend()),
            list: ListQuery::read(parameters, sort, toolkit),
        }
    }
}

impl FiltersIn {
    /// What finds fewest rows comes first.
    fn into_filters(self, backend: DbBackend) -> Vec<Filter<user::Entity>> {
        let key = |text: String| Email::key_of(&text);
        let created = [
            self.created_after.map(|at| Column::CreatedAt.gte(at)),
            self.created_before.map(|at| Column::CreatedAt.lt(at)),
        ];
        let created = created.into_iter().flatten().fold(Condition::all(), Condition::add);
        let words = self.q.as_deref().unwrap_or_default().split_whitespace().take(MAX_WORDS);
        let words = words.fold(Condition::all(), |all, word| {
            all.add(search::USERS.holds(backend, Part::All, word, &["name", "email"]))
        });
        let prefix = self.email_prefix.map(|prefix| {
            let begins = search::starts_with((user::Entity, Column::EmailKey), &key(prefix.clone()));
            match prefix.split_once('@') {
                // A domain that begins so in Unicode can begin in another way as it is stored.
                Some((_, domain)) if !domain.is_empty() => {
                    let in_unicode = search::USERS.address_starts_with(backend, &prefix);
                    Filter::indexed(Condition::any().add(begins).add(in_unicode))
                }
                _ => Filter::range(Column::EmailKey, begins),
            }
        });
        let status = self.status.map(|status| {
            let is = status.of_rows("users", now());
            match status {
                // Nearly all users are, so there is no index of them.
                UserStatus::Active => Filter::plain(is),
                // The others have an index in the order of `created_at`, without deleted users.
                _ => Filter::range(Column::CreatedAt, is.add(Column::DeletedAt.is_null())),
            }
        });
        let verified = self.verified.map(|verified| match verified {
            true => Column::EmailVerifiedAt.is_not_null(),
            false => Column::EmailVerifiedAt.is_null(),
        });
        [
            self.email
                .map(|email| Filter::indexed(Column::EmailKey.eq(key(email)).into_condition())),
            self.external_id
                .map(|id| Filter::indexed(Column::ExternalId.eq(id).into_condition())),
            (!words.is_empty()).then(|| Filter::indexed(words)),
            prefix,
            status,
            (!created.is_empty()).then(|| Filter::range(Column::CreatedAt, created)),
            verified.map(|verified| Filter::plain(verified.into_condition())),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

fn parse_status(word: &str) -> Result<UserStatus, Violation> {
    match word {
        "active" => Ok(UserStatus::Active),
        "locked" => Ok(UserStatus::Locked),
        "deactivated" => Ok(UserStatus::Deactivated),
        _ => {
            let expected = "active, locked, deactivated";
            let violation = Violation::new(ViolationKind::Enum, format!("The status must be one of {expected}"));
            Err(violation.with(json!({ "expected": expected })))
        }
    }
}

/// List users
///
/// Newest first unless `sort` says otherwise. Filters are combined with AND. Follow `next_cursor`, or the `Link`
/// header, until it is gone.
#[utoipa::path(
    get, path = "/users", operation_id = "listUsers", tag = "Users",
    params(
        FiltersIn,
        (
            "sort" = Option<String>, Query, example = "-created_at", 
            pattern = "^(-?(id|created_at|email),){0,7}-?(id|created_at|name|email)$",
            description = "`id`, `created_at`, `name` or `email`, with a leading `-` to reverse the order, or \
                several of them with commas between, `name` last; where two have the same, their ids decide, in the \
                last direction",
        ),
        ListIn,
    ),
    responses(
        (
            status = 200, description = "A page of users", body = ListOut<UserDetailsOut>,
            headers(("Link" = String, description = "The pages beside this one, as `next` and `prev` (RFC 8288)")),
        ),
        Errors<List>,
    ),
    security(("apiKey" = ["users:read"])),
)]
async fn list(
    State(state): State<AppState>,
    _key: ApiKey<UsersRead>,
    Query(query): Query<UsersQuery>,
) -> Result<ListOut<UserDetailsOut>, ApiError> {
    let page = query.list.list(&state, query.filters).await?;
    Ok(page.map(|row| row.user))
}

error_list!(List, [KEY_ERRORS], [INVALID_REQUEST], limit_fault);
