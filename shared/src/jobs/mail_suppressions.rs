//! The suppression list: addresses that don't exist. Sending to them repeatedly would hurt our reputation as a sender.

use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, sea_query::OnConflict};

use crate::foundation::{entity::mail_suppression, rules::Email, time::now};

/// The entry of this address, if it is suppressed.
pub async fn find(conn: &impl ConnectionTrait, address: &str) -> Result<Option<mail_suppression::Model>, DbErr> {
    mail_suppression::Entity::find_by_id(Email::key_of(address))
        .one(conn)
        .await
}

/// The entries of these addresses. One statement.
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

/// Suppresses an address that doesn't exist, with the mail server's reply; the first reply is kept.
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

/// Allows mail to the address again: staff know better, or its owner has just used a mailed link. Returns whether it
/// was suppressed.
pub async fn clear(conn: &impl ConnectionTrait, address: &str) -> Result<bool, DbErr> {
    let gone = mail_suppression::Entity::delete_by_id(Email::key_of(address))
        .exec(conn)
        .await?;
    Ok(gone.rows_affected > 0)
}
