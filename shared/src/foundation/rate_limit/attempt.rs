//! Attempts at a password or a code. Each is counted before it is looked at, and given back when it was right: of a
//! hundred at once no more are looked at than the limit allows, at the API and at the admin together.

use super::{
    bucket,
    limiter::{Decision, RateLimiter, Step},
    policy::{Policy, RateLimits},
    quota::Quota,
};

/// An attempt that was counted. Left alone it stays counted, as one that failed or was broken off.
#[derive(Debug)]
#[must_use]
pub struct Attempt {
    limiter: RateLimiter,
    counted: Vec<(String, Quota)>,
    /// Counts failures that follow each other.
    ended_by_success: Option<String>,
}

/// Whose password or code is tried, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guesser<'a> {
    /// Nobody knows them: for the account with this address, whether there is one or not.
    Stranger { email_key: &'a str },
    /// Somebody at an address from which the account signed in: its owner, or a neighbour.
    Neighbour { user_id: i64 },
    /// In a session of the account, or in a browser that it signed in with: nobody else can lock them out.
    Known { user_id: i64 },
}

impl Guesser<'_> {
    fn bucket(self) -> String {
        match self {
            Self::Stranger { email_key } => bucket::failures(email_key),
            Self::Neighbour { user_id } => bucket::neighbour_failures(user_id),
            Self::Known { user_id } => bucket::known_failures(user_id),
        }
    }
}

impl RateLimiter {
    /// An attempt at the account's password.
    pub async fn try_password(&self, limits: &RateLimits, guesser: Guesser<'_>) -> Result<Attempt, Decision> {
        let failures = (guesser.bucket(), limits.quota(Policy::LogInFailures));
        self.attempt([failures], None).await
    }

    /// An attempt at a code of the account's second factor, or at a recovery code.
    pub async fn try_code(&self, limits: &RateLimits, guesser: Guesser<'_>, user_id: i64) -> Result<Attempt, Decision> {
        let failures = (guesser.bucket(), limits.quota(Policy::LogInFailures));
        let codes = bucket::code_failures(user_id);
        let in_a_row = (codes.clone(), limits.quota(Policy::CodeFailures));
        self.attempt([failures, in_a_row], Some(codes)).await
    }

    /// Lets an account be tried again: its owner was proved, or staff said so. What is counted for network addresses stays,
    /// and so do wrong codes, because who reads the mailbox is not who has the second factor.
    pub async fn forget_failures(&self, email_key: &str, user_id: i64) {
        self.forget(&bucket::failures(email_key)).await;
        self.forget(&bucket::neighbour_failures(user_id)).await;
        self.forget(&bucket::known_failures(user_id)).await;
    }

    /// Counts an attempt in each of these buckets, or in none where one of them is full.
    async fn attempt(
        &self,
        buckets: impl IntoIterator<Item = (String, Quota)>,
        ended_by_success: Option<String>,
    ) -> Result<Attempt, Decision> {
        let mut attempt = Attempt {
            limiter: self.clone(),
            counted: Vec::new(),
            ended_by_success,
        };
        for (bucket, quota) in buckets {
            let decision = self.check(&bucket, quota).await;
            if !decision.allowed {
                attempt.give_back().await;
                return Err(decision);
            }
            attempt.counted.push((bucket, quota));
        }
        Ok(attempt)
    }
}

impl Attempt {
    /// It was right: it does not count, and failures in a row are over.
    pub async fn succeeded(mut self) {
        if let Some(bucket) = self.ended_by_success.take() {
            self.limiter.forget(&bucket).await;
            self.counted.retain(|(counted, _)| *counted != bucket);
        }
        self.give_back().await;
    }

    async fn give_back(self) {
        for (bucket, quota) in &self.counted {
            self.limiter.ask(bucket, *quota, Step::GiveBack).await;
        }
    }
}
