//! `usher reseal`: the last step of replacing `SECRET_KEY`.

use anyhow::{Result, bail};
use usher_shared::{accounts::mfa, foundation::config::Config};

use crate::{database, say};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(long)]
    json: bool,
}

pub async fn run(config: &Config, args: &Args) -> Result<()> {
    if !config.has_secret_key {
        bail!("SECRET_KEY is not set: it is the key to seal with, and SECRET_KEY_OLD those to open with");
    }
    let db = database::open(config).await?;
    let found = mfa::reseal(&db, &config.secret_key).await?;
    let oldest = found.oldest_code.map(|at| at.format("%Y-%m-%d %H:%M UTC").to_string());
    if args.json {
        say::json(&serde_json::json!({
            "resealed": found.resealed,
            "current": found.current,
            "lost": found.lost,
            "recovery_codes": found.recovery_codes,
            "oldest_recovery_code": found.oldest_code,
        }));
    } else {
        say::line(format_args!(
            "second factors  {} sealed anew, {} were already, {} that no key opens",
            found.resealed, found.current, found.lost
        ));
        say::line(match oldest {
            Some(oldest) => format!(
                "recovery codes  {} unused, the oldest from {oldest}: those from before the change need the key that made them",
                found.recovery_codes
            ),
            None => "recovery codes  none unused".to_owned(),
        });
    }
    if found.lost > 0 {
        bail!(
            "{} second factors are sealed with a key that is neither SECRET_KEY nor in SECRET_KEY_OLD",
            found.lost
        );
    }
    Ok(())
}
