//! What is running: the program's name, and the apps whose schema it needs. It is set once, before
//! anything is read or opened, and is the same everywhere in the process.

use std::sync::OnceLock;

/// A program that is built on Usher, or Usher itself.
#[derive(Debug)]
pub struct Program {
    /// As it is typed on the command line, such as `usher`.
    pub name: &'static str,
    /// What `--version` prints.
    pub version: &'static str,
    /// What `--help` says it is.
    pub about: &'static str,
    /// The product's name in emails and on pages, where the settings give none.
    pub product_name: &'static str,
    /// The apps with migrations of their own, each with its newest one.
    pub schemas: Vec<AppSchema>,
}

/// A part of Usher that a product can leave out: its addresses are then unknown, and nothing leads to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuiltIn {
    /// `POST /auth/sign-up`: services, staff, imports and commands alone create accounts. Addresses are still verified.
    SelfSignUp,
    /// `POST /oauth/token`, sign-in in the format of OAuth. Clients use `POST /auth/login`.
    OAuthToken,
    /// The operations at `/api-keys`: keys are made in the admin and with the command `key`.
    ApiKeyOperations,
    /// The import of users in the admin, and the permission `users.import`.
    UserImport,
    /// Impersonating users in the admin, and the permission `users.impersonate`.
    Impersonation,
}

/// What a program needs of an app's schema.
#[derive(Clone, Copy, Debug)]
pub struct AppSchema {
    pub app: &'static str,
    /// The name of its newest migration.
    pub newest: &'static str,
}

static USHER: Program = Program {
    name: "usher",
    version: env!("CARGO_PKG_VERSION"),
    about: "A user service: public API, staff admin and background worker",
    product_name: "Usher",
    schemas: vec![],
};
static PROGRAM: OnceLock<Program> = OnceLock::new();

impl Program {
    /// Says what is running. Only the first call counts: a process runs one program.
    ///
    /// # Errors
    /// The name of the other program, if this process runs one already.
    pub fn set(self) -> Result<(), &'static str> {
        let name = self.name;
        match PROGRAM.set(self) {
            Err(_) if Self::current().name != name => Err(Self::current().name),
            _ => Ok(()),
        }
    }

    /// What is running; Usher itself until [`Program::set`] was called.
    #[must_use]
    pub fn current() -> &'static Self {
        PROGRAM.get().unwrap_or(&USHER)
    }
}

impl Default for Program {
    fn default() -> Self {
        Self {
            name: USHER.name,
            version: USHER.version,
            about: USHER.about,
            product_name: USHER.product_name,
            schemas: vec![],
        }
    }
}
