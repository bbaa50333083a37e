//! `usher reseal`: the last step of replacing `SECRET_KEY`.

use anyhow::{Result, bail};
use usher_shared::{accounts::mfa, foundation::config::Config, webhooks};

use crate::{database, output};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub async fn run(config: &Config, args: &Args) -> Result<()> {
    if !config.has_secret_key {
        bail!("SECRET_KEY is not set: it encrypts, and SECRET_KEY_OLD decrypts what older keys encrypted");
    }
    let db = database::open(config).await?;
    let found = mfa::reseal(&db, &config.secret_key).await?;
    let webhooks = webhooks::reseal(&db, &config.secret_key).await?;
    let oldest = found.oldest_code.map(|at| at.format("%Y-%m-%d %H:%M UTC").to_string());
    if args.json {
        output::json(&serde_json::json!({
            "resealed": found.resealed,
            "current": found.current,
            "lost": found.lost,
            "recovery_codes": found.recovery_codes,
            "oldest_recovery_code": found.oldest_code,
            "webhooks": { "resealed": webhooks.resealed, "current": webhooks.current, "lost": webhooks.lost },
        }));
    } else {
        output::line(format_args!(
            "two-factor secrets  {} re-encrypted, {} already current, {} that no key opens",
            found.resealed, found.current, found.lost
        ));
        output::line(format_args!(
            "keys of webhooks    {} re-encrypted, {} already current, {} that no key opens",
            webhooks.resealed, webhooks.current, webhooks.lost
        ));
        output::line(match oldest {
            Some(oldest) => format!(
                "recovery codes      {} unused, the oldest from {oldest}: codes older than the new key need the key \
                 that made them",
                found.recovery_codes
            ),
            None => "recovery codes      none unused".to_owned(),
        });
    }
    if found.lost > 0 {
        bail!(
            "no key in SECRET_KEY or SECRET_KEY_OLD opens {} of the two-factor secrets",
            found.lost
        );
    }
    if webhooks.lost > 0 {
        bail!(
            "no key in SECRET_KEY or SECRET_KEY_OLD opens the keys of {} webhooks; rotate them",
            webhooks.lost
        );
    }
    Ok(())
}
