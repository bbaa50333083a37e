//! Attempts at a password or a code. Each is counted before it is checked, and given back if it was right: of a hundred
//! concurrent attempts, the API and the admin together check no more than the limit allows.

use super::{
    bucket,
    limiter::{Decision, RateLimiter, Step},
    policy::{Policy, RateLimits},
    quota::Quota,
};

/// A counted attempt. It stays counted when dropped, as one that failed or was aborted.
#[derive(Debug)]
#[must_use]
pub struct Attempt {
    limiter: RateLimiter,
    counted: Vec<(String, Quota)>,
    /// The bucket of consecutive failures.
    ended_by_success: Option<String>,
}

/// Whose password or code is being guessed, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guesser<'a> {
    /// An unknown client, guessing for this address, whether it has an account or not.
    Stranger { email_key: &'a str },
    /// A client at a network address from which the account has signed in: its owner, or a neighbor.
    Neighbour { user_id: i64 },
    /// In a session of the account, or in a browser that it signed in with, so nobody else can lock them out.
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

    /// Clears an account's failures: its owner used a mailed link, or staff cleared them. Counts of network addresses
    /// stay, and so do wrong codes, because access to the mailbox doesn't prove the second factor.
    pub async fn forget_failures(&self, email_key: &str, user_id: i64) {
        self.forget(&bucket::failures(email_key)).await;
        self.forget(&bucket::neighbour_failures(user_id)).await;
        self.forget(&bucket::known_failures(user_id)).await;
    }

    /// Counts an attempt in each of these buckets, or in none if one of them is full.
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
    /// It was right, so it doesn't count, and consecutive failures start over.
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
