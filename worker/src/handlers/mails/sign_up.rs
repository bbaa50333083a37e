//! `verify_email`, `someone_tried_to_sign_up` and `address_of_deleted_account`: answers to a sign-up that only the
//! owner of the mailbox sees.

use usher_shared::{
    accounts::{mail_tokens::LinkPurpose, users::RESTORABLE},
    jobs::{AddressOfDeletedAccount, SomeoneTriedToSignUp, VerifyEmail},
};

use crate::{foundation::JobError, mail::moment, runtime::JobContext, texts};

pub(super) async fn verify_email(job: VerifyEmail, context: JobContext) -> Result<(), JobError> {
    let Some(user) = context.account(job.user_id).await? else {
        return Ok(());
    };
    if user.email_verified_at.is_some() {
        return Ok(());
    }
    let link = context.link("verify-email", &user, LinkPurpose::VERIFY_EMAIL);
    let words = match user.password_hash {
        Some(_) => &texts::VERIFY_EMAIL,
        None => &texts::VERIFY_EMAIL_AND_SET_PASSWORD,
    };
    let message = context.message(words).button(texts::VERIFY_BUTTON, link);
    context.post(&user, message).await
}

pub(super) async fn someone_tried(job: SomeoneTriedToSignUp, context: JobContext) -> Result<(), JobError> {
    let Some(user) = context.account(job.user_id).await? else {
        return Ok(());
    };
    context
        .post(&user, context.message(&texts::SOMEONE_TRIED_TO_SIGN_UP))
        .await
}

pub(super) async fn deleted(job: AddressOfDeletedAccount, context: JobContext) -> Result<(), JobError> {
    let Some(user) = context.deleted_account(job.user_id).await? else {
        return Ok(());
    };
    let Some(deleted_at) = user.deleted_at else {
        return Ok(());
    };
    let message = context
        .message(&texts::ADDRESS_OF_DELETED_ACCOUNT)
        .fact(texts::DELETED, moment(deleted_at))
        .fact(texts::RESTORABLE_UNTIL, moment(deleted_at + RESTORABLE));
    context.post(&user, message).await
}
