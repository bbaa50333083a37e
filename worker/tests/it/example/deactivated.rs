//! An account that nobody took up.

use usher_shared::foundation::entity::{job::JobState, user::UserStatus};
use usher_testkit::{TestDb, on_both};

use super::{payload::DeactivateUnused, registry};
use crate::test_worker::TestWorker;

#[on_both]
async fn an_account_without_a_password_is_deactivated(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let worker = test.start(registry());
    let user = test.sign_up("Ada Lovelace", "ada@example.org").await;
    let job = test.enqueue(DeactivateUnused { user_id: user.id }).await;
    test.reaches(job, JobState::Done).await;
    worker.stop().await;
    assert_eq!(test.user(user.id).await.status, UserStatus::Deactivated);
}
