//! The first superuser and API key of an empty database.

use anyhow::{Context, Result};
use sea_orm::{DatabaseConnection, EntityTrait, PaginatorTrait, QuerySelect};
use usher_shared::{
    accounts::{
        api_keys::{self, Scope},
        password_hash, users,
    },
    foundation::{
        config::FirstAccounts,
        crypto, db,
        entity::{api_key, user},
        rules::{Name, Password},
        token::Token,
    },
};

/// What to do about a password or key that is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    Generate,
    Skip,
}

/// The accounts that were created. Secrets are present only if they were generated, to be shown once.
#[derive(Debug, Default)]
pub struct FirstAccountsCreated {
    pub email: Option<String>,
    pub password: Option<String>,
    pub key: Option<Token>,
}

/// Creates the first accounts of an empty database.
pub async fn first_accounts(
    db: &DatabaseConnection,
    first: &FirstAccounts,
    missing: Missing,
) -> Result<FirstAccountsCreated> {
    let mut made = FirstAccountsCreated::default();
    let generate = missing == Missing::Generate;
    let secret = match &first.password {
        None if generate => Some(readable_secret()),
        _ => None,
    };
    let chosen = match &secret {
        Some(secret) => Some(acceptable(secret, &[])?),
        None => first.password.clone(),
    };
    // Hashing is deliberately slow, so it stays outside the transaction.
    let hash = match chosen {
        Some(password) if is_empty_of_users(db).await? => Some(password_hash::hash(&password).await?),
        _ => None,
    };
    let tx = db::begin(db).await?;
    let mut owner = None;
    if let Some(hash) = hash {
        let name = Name::parse("Administrator").map_err(|violation| anyhow::anyhow!(violation.message))?;
        let user = users::create_superuser(&tx, &name, &first.email, hash)
            .await
            .context("the first superuser")?;
        owner = Some(user.id);
        made.email = Some(user.email);
        made.password = secret;
    }
    let wanted = first.api_key.is_some() || generate;
    if wanted && api_key::Entity::find().limit(1).count(&tx).await? == 0 {
        let scopes: Vec<_> = Scope::all().collect();
        let (_, token) = api_keys::create(&tx, "first key", &scopes, first.api_key.clone(), owner).await?;
        made.key = first.api_key.is_none().then_some(token);
    }
    tx.commit().await?;
    Ok(made)
}

async fn is_empty_of_users(db: &DatabaseConnection) -> Result<bool> {
    Ok(user::Entity::find().limit(1).count(db).await? == 0)
}

/// Four groups of five characters that are hard to confuse: about 97 bits.
pub fn readable_secret() -> String {
    const LETTERS: &[u8; 29] = b"abcdefghjkmnpqrstuvwxyz346789";
    let fair = std::iter::repeat_with(crypto::random::<32>)
        .flatten()
        .filter(|byte| *byte < 232);
    let letters: Vec<char> = fair
        .take(20)
        .map(|byte| char::from(LETTERS[usize::from(byte) % 29]))
        .collect();
    letters
        .chunks(5)
        .map(|group| group.iter().collect::<String>())
        .collect::<Vec<_>>()
        .join("-")
}

/// Checks a password, with all reasons in one error. `own` are words that it must not be made of.
pub fn acceptable(raw: &str, own: &[&str]) -> Result<Password> {
    Password::parse(raw, own)
        .map_err(|violations| anyhow::anyhow!(violations.into_iter().map(|v| v.message).collect::<Vec<_>>().join("; ")))
}
