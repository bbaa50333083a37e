//! Addresses that do not exist. Sending to them again and again costs a sender its good name, so nobody does.

use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, sea_query::OnConflict};

use crate::foundation::{entity::mail_suppression, rules::Email, time::now};

/// What is known against this address.
pub async fn find(conn: &impl ConnectionTrait, address: &str) -> Result<Option<mail_suppression::Model>, DbErr> {
    mail_suppression::Entity::find_by_id(Email::key_of(address))
        .one(conn)
        .await
}

/// What is known against these addresses. One statement.
pub async fn find_all<'a>(
    conn: &impl ConnectionTrait,
    addresses: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<mail_suppression::Model>, DbErr> {
    let keys = addresses.into_iter().map(Email::key_of);
    mail_suppression::Entity::find()
        .filter(mail_suppression::Column::AddressKey.is_in(keys))
        .all(conn)
        .await
}

/// Notes that the address does not exist, with the server's words; the first words are kept.
pub async fn add(conn: &impl ConnectionTrait, address: &str, answer: &str, user_id: Option<i64>) -> Result<(), DbErr> {
    let row = mail_suppression::ActiveModel {
        address_key: Set(Email::key_of(address)),
        answer: Set(answer.to_owned()),
        user_id: Set(user_id),
        created_at: Set(now()),
    };
    let known = OnConflict::column(mail_suppression::Column::AddressKey)
        .do_nothing()
        .to_owned();
    mail_suppression::Entity::insert(row)
        .on_conflict(known)
        .exec_without_returning(conn)
        .await
        .map(drop)
}

/// Lets mail go to the address again: staff know better, or somebody has just asked for mail there. Whether it was held.
pub async fn clear(conn: &impl ConnectionTrait, address: &str) -> Result<bool, DbErr> {
    let gone = mail_suppression::Entity::delete_by_id(Email::key_of(address))
        .exec(conn)
        .await?;
    Ok(gone.rows_affected > 0)
}
