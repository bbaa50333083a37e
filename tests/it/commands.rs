//! What the management commands do to accounts, beside what the services do.

use std::time::Duration;

use sea_orm::EntityTrait;
use usher_shared::{
    accounts::password_hash,
    foundation::{
        crypto::SecretKey,
        entity::{job, user},
    },
};
use usher_testkit::{Folder, Program, TestDb, WAY_BACK, access_left, on_both, plant_access};

const LIMIT: Duration = Duration::from_secs(60);

#[on_both]
async fn a_password_that_is_set_by_command_ends_what_the_one_before_opened(db: TestDb) {
    let (folder, key) = (Folder::new(), SecretKey::generate_base64());
    let staff = async |arguments: &[&str]| {
        let usher = Program::named("usher")
            .env("DATABASE_URL", db.url())
            .env("SECRET_KEY", &key)
            .arg("staff");
        let (code, text) = arguments
            .iter()
            .fold(usher, |usher, argument| usher.arg(*argument))
            .finish(&folder, LIMIT)
            .await;
        assert_eq!(code, 0, "{text}");
        text
    };
    staff(&["create", "ada@example.org", "--name", "Ada"]).await;
    let conn = db.connect().await;
    let ada = user::Entity::find().one(&conn).await.unwrap().unwrap();
    plant_access(&conn, &SecretKey::from_base64(&key).unwrap(), &ada).await;
    let text = staff(&["set-password", "ada@example.org"]).await;
    assert_eq!(access_left(&conn, ada.id).await, [WAY_BACK]);
    let told = job::Entity::find().one(&conn).await.unwrap().unwrap();
    assert_eq!((told.kind.as_str(), told.user_id), ("password_changed", Some(ada.id)));
    let after = user::Entity::find().one(&conn).await.unwrap().unwrap();
    let shown = text
        .lines()
        .find_map(|line| line.split_once("once: "))
        .expect("a password")
        .1;
    assert!(password_hash::verify(shown, after.password_hash.as_deref()).await && after.version == 2);
}
