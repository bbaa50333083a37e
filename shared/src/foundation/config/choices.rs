//! Settings that take one of a few words.

/// What kind of process reads the settings; it decides which of them have a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// API, admin and worker in one process. Without other settings SQLite and the secret key live in `data/`.
    Up,
    /// One service as a process of its own.
    Service,
    /// A management command. It uses the database of [`Mode::Up`] if none is set.
    Command,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SignUp {
    Open,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum StaffMfa {
    Optional,
    Required,
}

/// Whether the API speaks GraphQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum GraphQl {
    Off,
    /// And says what it can, with a page to try it.
    On,
    /// Without saying what it can.
    WithoutIntrospection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}
