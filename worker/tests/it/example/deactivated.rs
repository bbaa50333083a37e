//! An account that nobody took up.

use usher_shared::foundation::entity::{job::JobState, user::UserStatus};
use usher_testkit::{TestDb, on_both};

use super::{payload::DeactivateUnused, registry};
use crate::yard::TestWorker;

#[on_both]
async fn an_account_without_a_password_is_deactivated(db: TestDb) {
    let yard = TestWorker::embedded(db).await;
    let worker = yard.start(registry());
    let user = yard.sign_up("Ada Lovelace", "ada@example.org").await;
    let job = yard.enqueue(DeactivateUnused { user_id: user.id }).await;
    yard.reaches(job, JobState::Done).await;
    worker.stop().await;
    assert_eq!(yard.user(user.id).await.status, UserStatus::Deactivated);
}
