//! Whatever opens an account besides its password, planted to see what ends with it.

use sea_orm::{ActiveEnum, ActiveValue::Set, ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter};
use usher_shared::{
    accounts::{
        mail_tokens::{self, LinkPurpose},
        mfa,
        sessions::{self, Device},
    },
    foundation::{
        crypto::SecretKey,
        db::begin,
        entity::{
            mail_token, mfa_challenge, mfa_factor,
            session::{self, SessionKind},
            user,
        },
        time::{new_id, now},
        token::{Token, TokenKind},
    },
};

/// Purposes whose links end with a password: all but the way back to an older address.
const LINKS: [LinkPurpose; 5] = [
    LinkPurpose::SET_PASSWORD,
    LinkPurpose::VERIFY_EMAIL,
    LinkPurpose::PASSWORD_RESET,
    LinkPurpose::EMAIL_CHANGE_CONFIRM,
    LinkPurpose::CANCEL_DELETION,
];

/// What [`access_left`] says of a link that leads back to an older address, which is never closed by whoever came
/// later.
pub const WAY_BACK: &str = "link email_change_undo";

/// Plants a session at the API and one at the admin, a log-in that owes its code, an enrolment that waits for one, and
/// a link of each kind.
pub async fn plant_access(db: &DatabaseConnection, key: &SecretKey, user: &user::Model) {
    let device = Device::default();
    let tx = begin(db).await.expect("a transaction");
    sessions::start(&tx, user.id, device, false).await.expect("a session");
    tx.commit().await.expect("a commit");
    let session_id = new_id();
    let admin = session::ActiveModel {
        id: Set(session_id),
        user_id: Set(user.id),
        kind: Set(SessionKind::Admin),
        token_hash: Set(Token::generate(TokenKind::AdminSession).hash()),
        created_at: Set(now()),
        last_seen_at: Set(now()),
        expires_at: Set(now() + sessions::LIFETIME),
        ..Default::default()
    };
    let written = session::Entity::insert(admin).exec_without_returning(db).await;
    written.expect("a session of the admin");
    mfa::challenge(db, user.id).await.expect("a log-in that owes its code");
    let waiting = mfa::enrol(db, key, user.id, session_id, "Waiting").await;
    waiting.expect("an enrolment");
    let hour = chrono::Duration::hours(1);
    for purpose in LINKS {
        let link = mail_tokens::issue(db, user.id, purpose, hour).await;
        link.expect("a link");
    }
    let back = mail_tokens::issue_about(db, user.id, LinkPurpose::EMAIL_CHANGE_UNDO, hour, "old@example.com").await;
    back.expect("a way back");
}

/// What is still open of all that.
pub async fn access_left(db: &DatabaseConnection, user_id: i64) -> Vec<String> {
    let sessions = session::Entity::find()
        .filter(session::Column::UserId.eq(user_id))
        .filter(session::Column::EndedAt.is_null())
        .all(db)
        .await
        .expect("sessions");
    let challenges = mfa_challenge::Entity::find()
        .filter(mfa_challenge::Column::UserId.eq(user_id))
        .filter(mfa_challenge::Column::UsedAt.is_null())
        .all(db)
        .await
        .expect("challenges");
    let factors = mfa_factor::Entity::find()
        .filter(mfa_factor::Column::UserId.eq(user_id))
        .filter(mfa_factor::Column::ConfirmedAt.is_null())
        .all(db)
        .await
        .expect("factors");
    let links = mail_token::Entity::find()
        .filter(mail_token::Column::UserId.eq(user_id))
        .filter(mail_token::Column::UsedAt.is_null())
        .all(db)
        .await
        .expect("links");
    let mut left: Vec<String> = Vec::new();
    left.extend(
        sessions
            .iter()
            .map(|session| format!("session {}", session.kind.to_value())),
    );
    left.extend(challenges.iter().map(|_| "log-in that owes its code".to_owned()));
    left.extend(factors.iter().map(|_| "enrolment that waits".to_owned()));
    left.extend(links.iter().map(|link| format!("link {}", link.purpose)));
    left.sort();
    left
}
