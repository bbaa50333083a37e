//! Addresses of lists: an order means the same a second time, and only places that we signed are gone to.

use std::sync::LazyLock;

use axum::{
    extract::FromRequestParts,
    http::{Request, Uri},
};
use chrono::{DateTime, Utc};
use futures::FutureExt;
use sea_orm::{ColumnTrait, ColumnType, DatabaseConnection, EntityTrait, Value};
use serde::Serialize;
use url::form_urlencoded::Serializer;
use usher_shared::{
    AppContext,
    foundation::{
        config::{Config, Mode, Source},
        crypto::SecretKey,
        entity::user,
        time::now,
    },
};

use super::{
    cursor::{Cursor, Place},
    order::Order,
    query::ListQuery,
};
use crate::{
    Listed,
    toolkit::{
        query::{FromQuery, Parameters, Query, boolean, moment},
        state::Toolkit,
    },
};

/// A row of a list with orders by columns of several kinds.
#[derive(Serialize, Listed)]
#[listed(entity = user::Entity, sorts(id, created_at, name, email_key), unique(created_at, email_key))]
struct UserRow {
    id: i64,
    created_at: DateTime<Utc>,
    name: String,
    email_key: String,
}

/// What every list takes, and filters of each kind.
struct Asked {
    list: ListQuery<UserRow>,
    before: Option<String>,
}

impl FromQuery for Asked {
    fn from_query(parameters: &mut Parameters, toolkit: &Toolkit) -> Self {
        parameters.optional("verified", boolean);
        let before = parameters.optional("created_before", moment);
        Self {
            list: ListQuery::from_query(parameters, toolkit),
            before: before.map(|at| at.to_rfc3339()),
        }
    }
}

/// The query of an address; the sum of its bytes says which letter of a cursor is spoilt.
pub fn list_query(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(uri) = Uri::try_from(format!("/users?{text}")) else {
        return;
    };
    let [ours, theirs] = &*STATES;
    let Some(asked) = read(&uri, ours) else { return };
    let (limit, order) = (asked.list.limit, &asked.list.order);
    assert!((1..=200).contains(&limit), "{limit}");
    assert!(asked.list.cursor.is_none(), "somebody made up a signature: {uri}");
    judge_order(order);

    // The address of the next page, as clients get it.
    let values = order.keys.iter().map(|key| value(key.column, text)).collect();
    let key = &ours.config.secret_key;
    let place = Cursor {
        backward: data.len().is_multiple_of(2),
        place: Some(Place(values)),
    };
    let sealed = place.clone().seal("/users", &order.word, key);
    let with = |cursor: &str| {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(&asked.list.others).append_pair("cursor", cursor);
        Uri::try_from(format!("/users?{}", query.finish())).expect("an address")
    };
    let next = read(&with(&sealed), ours).expect("our own cursor is taken");
    assert_eq!(next.list.cursor.as_ref(), Some(&place), "{uri}");
    assert_eq!((next.list.limit, &next.list.order.word), (limit, &order.word));
    assert_eq!(
        (next.list.count, next.before),
        (asked.list.count, asked.before),
        "{uri}"
    );

    // Not another installation's, nor another list's, nor another order's, nor a changed one.
    assert!(read(&with(&sealed), theirs).is_none());
    assert!(Cursor::open::<UserRow>(&sealed, "/api-keys", &order.word, key).is_err());
    assert!(Cursor::open::<UserRow>(&sealed, "/users", &format!("{},id", order.word), key).is_err());
    let at = data.iter().map(|byte| usize::from(*byte)).sum::<usize>() % sealed.len();
    let other = if sealed.as_bytes()[at] == b'A' { "B" } else { "A" };
    let spoilt = format!("{}{other}{}", &sealed[..at], &sealed[at + 1..]);
    assert!(
        read(&with(&spoilt), ours).is_none(),
        "a spoilt cursor is taken: {spoilt}"
    );
}

fn read(uri: &Uri, state: &Toolkit) -> Option<Asked> {
    let (mut parts, ()) = Request::get(uri).body(()).expect("a request").into_parts();
    let read = Query::from_request_parts(&mut parts, state).now_or_never();
    match read.expect("nothing is waited for") {
        Ok(Query(asked)) => Some(asked),
        Err(error) => {
            assert!(!error.faults().is_empty(), "{uri} is refused without a fault");
            None
        }
    }
}

fn judge_order(order: &Order<UserRow>) {
    let mut names: Vec<_> = order.keys.iter().map(|key| format!("{:?}", key.column)).collect();
    assert_eq!(
        names.last().map(String::as_str),
        Some("Id"),
        "the last key decides: {}",
        order.word
    );
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), order.keys.len(), "a column twice: {}", order.word);
}

/// Some value of a column.
fn value(column: <user::Entity as EntityTrait>::Column, text: &str) -> Value {
    match column.def().get_column_type() {
        ColumnType::BigInteger => i64::try_from(text.len()).unwrap_or(i64::MAX).into(),
        ColumnType::TimestampWithTimeZone => now().into(),
        _ => text.into(),
    }
}

/// Two installations, each with a key of its own, and without a database: an address is read before one is asked.
pub(crate) static STATES: LazyLock<[Toolkit; 2]> = LazyLock::new(|| {
    [1, 2].map(|_| {
        let secret = SecretKey::generate_base64();
        let settings = Source::of([("DATABASE_URL", "sqlite://none"), ("SECRET_KEY", &*secret)]);
        let config = Config::read(Mode::Service, &settings).expect("good settings");
        Toolkit::new(&AppContext::with(config, DatabaseConnection::default(), true))
    })
});
