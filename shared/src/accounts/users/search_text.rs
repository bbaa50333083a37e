//! The text that searches use, also for rows written without it, by the previous release or by hand.

use sea_orm::{
    ActiveValue, ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, Statement,
};
use serde_json::{Value, json};

use crate::foundation::{
    db::{self, Sql},
    entity::user::{self, Column},
    rules::Email,
    search,
};

/// Rows in one statement.
const BATCH: u64 = 500;

/// Sets the text of a changed row. If name or address changed but the text did not, as when a name gains an accent, a
/// trailing space tells the database that the writer knew: a trigger clears a text that stays the same while they
/// change.
pub(super) fn refresh(row: &mut user::ActiveModel, before: &user::Model) {
    let given = |value: &ActiveValue<String>, stored: &String| match value {
        ActiveValue::Set(value) if value != stored => Some(value.clone()),
        _ => None,
    };
    let (name, email) = (given(&row.name, &before.name), given(&row.email, &before.email));
    if name.is_none() && email.is_none() {
        return;
    }
    let name = name.as_ref().unwrap_or(&before.name);
    let email = email.as_ref().unwrap_or(&before.email);
    let mut text = search::text_of(name, email);
    if before.search_text.as_ref() == Some(&text) {
        text.push(' ');
    }
    row.search_text = ActiveValue::Set(Some(text));
}

/// Fills in missing texts, and rewrites domains in Unicode that the previous release stored in ASCII. On SQLite it also
/// adds the newest rows to the full-text index, which would cost as much as the rest of a sign-up if each did it.
/// Returns how many rows it wrote. Safe at any time, and to run twice.
pub async fn fill_search_texts(db: &DatabaseConnection) -> Result<u64, DbErr> {
    let mut written = 0;
    let mut last = 0;
    loop {
        let rows: Vec<(i64, String, String)> = user::Entity::find()
            .select_only()
            .columns([Column::Id, Column::Name, Column::Email])
            .filter(Column::SearchText.is_null())
            .filter(Column::Id.gt(last))
            .order_by_asc(Column::Id)
            .limit(BATCH)
            .into_tuple()
            .all(db)
            .await?;
        let Some((id, ..)) = rows.last() else { break };
        last = *id;
        written += fill(db, &rows).await?;
    }
    if db.get_database_backend() == DbBackend::Sqlite {
        while index_newest(db).await? > 0 {}
    }
    Ok(written)
}

async fn fill(db: &DatabaseConnection, rows: &[(i64, String, String)]) -> Result<u64, DbErr> {
    let texts = rows.iter().map(|(id, name, email)| {
        let shown = Email::shown(email);
        let text = search::text_of(name, email);
        json!({ "id": id, "name": name, "email": email, "shown": shown, "changed": shown != *email, "text": text })
    });
    let texts = Value::from_iter(texts);
    let sql = Sql(db.get_database_backend());
    let statement = sql.statement(sql.pick(POSTGRES, SQLITE), [texts.into()]);
    Ok(db::writing(db).execute_raw(statement).await?.rows_affected())
}

async fn index_newest(db: &DatabaseConnection) -> Result<u64, DbErr> {
    let statement = Statement::from_sql_and_values(DbBackend::Sqlite, NEWEST, [(BATCH as i64).into()]);
    Ok(db::writing(db).execute_raw(statement).await?.rows_affected())
}

// A row that was changed since it was read is left to the next run.
const POSTGRES: &str = "\
    UPDATE users SET search_text = r->>'text', email = r->>'shown', \
        version = version + (r->>'changed')::boolean::integer FROM jsonb_array_elements($1) r \
    WHERE users.id = (r->>'id')::bigint AND users.search_text IS NULL \
        AND users.name = r->>'name' AND users.email = r->>'email'";
const SQLITE: &str = "\
    UPDATE users SET search_text = r.value->>'text', email = r.value->>'shown', \
        version = version + (r.value->>'changed') FROM json_each($1) r \
    WHERE users.id = r.value->>'id' AND users.search_text IS NULL \
        AND users.name = r.value->>'name' AND users.email = r.value->>'email'";
const NEWEST: &str = "\
    INSERT INTO users_search (rowid, search_text) SELECT id, search_text FROM users \
    WHERE id > (SELECT coalesce(max(id), 0) FROM users_search_docsize) AND search_text IS NOT NULL \
    ORDER BY id LIMIT $1";
