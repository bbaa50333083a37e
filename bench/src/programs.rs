//! The services' programs over one database that is made ready as an operator would: migrated, with people in it, and
//! with a superuser and a key to ask with.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::Value;
use usher_shared::{
    accounts::users::NewUser,
    foundation::{
        crypto::SecretKey,
        rules::{Email, EmailPolicy, Name},
    },
};
use usher_testkit::{Folder, Program, Running};

/// The superuser of every database here.
pub const EMAIL: &str = "bench@example.com";
pub const PASSWORD: &str = "four uncommon words together";

/// Ten million users take an hour and more.
const SEEDED_WITHIN: Duration = Duration::from_secs(3 * 3_600);

pub struct Programs {
    /// Where they all run.
    pub folder: Folder,
    settings: Vec<(&'static str, String)>,
}

impl Programs {
    /// Without rate limits.
    pub fn over(database_url: &str) -> Self {
        let settings = [
            ("DATABASE_URL", database_url),
            ("RATE_LIMITS", "off"),
            ("STAFF_MFA", "optional"),
            ("USHER_SUPERUSER_EMAIL", EMAIL),
            ("USHER_SUPERUSER_PASSWORD", PASSWORD),
        ];
        let programs = Self {
            folder: Folder::new(),
            settings: settings.map(|(name, value)| (name, value.to_owned())).into(),
        };
        programs.with("SECRET_KEY", SecretKey::generate_base64())
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.settings.push((name, value.into()));
        self
    }

    /// One of them by its name: `usher`, `usher-api`, …
    pub fn named(&self, name: &str) -> Program {
        let settings = self.settings.iter();
        settings.fold(Program::named(name), |program, (name, value)| program.env(name, value))
    }

    /// Migrates, and adds this many users, if any.
    pub async fn seed(&self, users: u64) -> Result<()> {
        self.usher("migrate up").await?;
        if users > 0 {
            self.usher(&format!("seed --users {users}")).await?;
        }
        Ok(())
    }

    /// A new API key with every scope.
    pub async fn key(&self) -> Result<String> {
        let made = self.usher("key create --name bench --scopes all --json").await?;
        let made: Value = serde_json::from_str(&made).context(made)?;
        Ok(made["key"].as_str().context("no key")?.to_owned())
    }

    async fn usher(&self, arguments: &str) -> Result<String> {
        let command = arguments.split(' ').fold(self.named("usher"), Program::arg);
        let (code, text) = command.finish(&self.folder, SEEDED_WITHIN).await;
        // What it says goes to a file, which stays empty where there is no room.
        ensure!(
            code == 0,
            "usher {arguments} ended with {code}, is the disk full? {text}"
        );
        Ok(text)
    }
}

/// A process that is killed now and then.
pub struct Mortal {
    program: Program,
    running: Option<Running>,
}

impl Mortal {
    pub fn of(program: Program) -> Self {
        Self { program, running: None }
    }

    /// Starts it unless it runs.
    pub async fn start(&mut self, folder: &Folder) {
        if !self.running.as_mut().is_some_and(Running::is_running) {
            self.running = Some(self.program.start(folder).await);
        }
    }

    /// Ends it with SIGKILL.
    pub fn kill(&mut self) {
        self.running.take().into_iter().for_each(Running::kill);
    }

    /// Ends it with SIGTERM, as a new version would.
    pub async fn roll(&mut self) -> Result<()> {
        let Some(running) = self.running.take() else {
            return Ok(());
        };
        match running.terminate().await {
            0 => Ok(()),
            code => bail!("a process that was told to stop ended with {code}"),
        }
    }

    /// Its process id while it runs.
    pub fn id(&self) -> Option<u32> {
        self.running.as_ref().map(Running::id)
    }
}

/// Somebody with this address.
pub fn person(address: &str) -> Result<NewUser> {
    let policy = EmailPolicy {
        allow_special_domains: true,
    };
    Ok(NewUser {
        name: Name::parse("Ada Lovelace").map_err(|_| anyhow!("no name"))?,
        email: Email::parse(address, policy).map_err(|_| anyhow!("{address} is no address"))?,
        age: None,
    })
}
