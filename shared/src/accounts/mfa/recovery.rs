//! Recovery codes: ten codes, each of which replaces a lost authenticator app once.

use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, sea_query::Expr,
};

use crate::foundation::{
    crypto::{SecretKey, random},
    entity::recovery_code::{self, Column},
    time::{new_id, now},
};

/// How many codes there are.
pub const RECOVERY_CODES: usize = 10;

/// Crockford's base 32: no digit looks like another.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 60 bits; guessing is rate limited.
const LENGTH: usize = 12;
const PURPOSE: &str = "recovery code";

/// Creates ten codes that replace all earlier ones. Only keyed hashes are stored, so this is the only time to show
/// them.
pub async fn make_recovery_codes(
    conn: &impl ConnectionTrait,
    key: &SecretKey,
    user_id: i64,
) -> Result<Vec<String>, DbErr> {
    forget(conn, user_id).await?;
    let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| new_code()).collect();
    let at = now();
    let rows = codes.iter().map(|code| recovery_code::ActiveModel {
        id: Set(new_id()),
        user_id: Set(user_id),
        code_hash: Set(hashes(key, user_id, code).next().unwrap_or_default()),
        created_at: Set(at),
        used_at: Set(None),
    });
    recovery_code::Entity::insert_many(rows)
        .exec_without_returning(conn)
        .await?;
    Ok(codes)
}

/// Whether this is an unused code of the account; it is then used up. Letter case, spaces and dashes don't matter.
pub async fn use_recovery_code(
    conn: &impl ConnectionTrait,
    key: &SecretKey,
    user_id: i64,
    typed: &str,
) -> Result<bool, DbErr> {
    let used = recovery_code::Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(now()))
        .filter(Column::UserId.eq(user_id))
        .filter(Column::CodeHash.is_in(hashes(key, user_id, typed)))
        .filter(Column::UsedAt.is_null())
        .exec(conn)
        .await?;
    Ok(used.rows_affected == 1)
}

/// How many are left.
pub async fn count_recovery_codes(conn: &impl ConnectionTrait, user_id: i64) -> Result<u64, DbErr> {
    recovery_code::Entity::find()
        .filter(Column::UserId.eq(user_id))
        .filter(Column::UsedAt.is_null())
        .count(conn)
        .await
}

pub(super) async fn forget(conn: &impl ConnectionTrait, user_id: i64) -> Result<(), DbErr> {
    recovery_code::Entity::delete_many()
        .filter(Column::UserId.eq(user_id))
        .exec(conn)
        .await
        .map(drop)
}

/// Twelve digits in groups of four.
fn new_code() -> String {
    let digits = random::<LENGTH>().map(|byte| char::from(DIGITS[usize::from(byte % 32)]));
    let groups: Vec<String> = digits.chunks(4).map(|group| group.iter().collect()).collect();
    groups.join("-")
}

/// The stored form of a code, one for each key that may have made it, newest first.
fn hashes(key: &SecretKey, user_id: i64, code: &str) -> impl Iterator<Item = Vec<u8>> {
    let code: String = code
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|digit| match digit.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            digit => digit,
        })
        .collect();
    let message = format!("{user_id}:{code}").into_bytes();
    let hashes: Vec<_> = key.signatures(PURPOSE, &message).map(Vec::from).collect();
    hashes.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(key: &SecretKey, user_id: i64, code: &str) -> Vec<u8> {
        hashes(key, user_id, code).next().unwrap()
    }

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let key = SecretKey::from_base64(&SecretKey::generate_base64()).unwrap();
        let code = new_code();
        assert_eq!(code.len(), LENGTH + 2, "{code}");
        let read = hash(&key, 7, &code);
        assert_eq!(
            hash(&key, 7, &format!("  {} ", code.to_uppercase().replace('-', " "))),
            read
        );
        assert_eq!(hash(&key, 7, &code.replace('0', "O").replace('1', "l")), read);
        assert_ne!(hash(&key, 8, &code), read, "it is one account's");
    }
}
