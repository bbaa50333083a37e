//! What `usher up` prints: where things are, the first accounts, and a request to try.

use usher_shared::{AppContext, foundation::program::Program};

use crate::{bootstrap::FirstAccountsCreated, output};

pub fn print(app: &AppContext, accounts: &FirstAccountsCreated) {
    let config = &app.config;
    let sqlite_file = config
        .database_url
        .strip_prefix("sqlite://")
        .map(|path| path.split('?').next().unwrap_or(path));
    let database = sqlite_file.map_or_else(|| "PostgreSQL".to_owned(), |path| format!("SQLite in {path}"));
    let queue = app.job_store.transport().name();
    let mail = match config.smtp_url {
        Some(_) => "mail is sent by SMTP",
        None => "mail is kept in the admin under Emails",
    };
    output::line(format_args!(
        "\n{} is running: {database}, queue {queue}, {mail}.\n",
        config.product_name
    ));
    output::line(format_args!(
        "  API    {}    documentation at /docs and /redoc",
        config.api_url
    ));
    output::line(format_args!("  Admin  {}/admin/\n", config.admin_url));
    print_accounts(accounts);
    let known = if config.first.api_key.is_some() {
        "$USHER_API_KEY"
    } else {
        "$KEY"
    };
    let key = accounts.key.as_ref().map_or(known, |key| key.as_str());
    output::line("\nTry:");
    output::line(format_args!(
        "  curl -i {}/users -H \"Authorization: Bearer {key}\" -H \"Content-Type: application/json\" \
         -d '{{\"name\": \"Ada Lovelace\", \"email\": \"ada@example.org\", \"age\": 36}}'",
        config.api_url
    ));
    if accounts.key.is_none() {
        // The URL of a server may hold a password.
        let url = sqlite_file.map_or("\"$DATABASE_URL\"", |_| &config.database_url);
        output::line(format_args!(
            "\nNew keys and passwords:\n  {program} key create --name me --database-url {url}\n  \
             {program} staff set-password {email} --database-url {url}",
            program = Program::current().name,
            email = config.first.email.as_str(),
        ));
    }
    output::line("\nPress Ctrl-C to stop.\n");
}

fn print_accounts(accounts: &FirstAccountsCreated) {
    if accounts.email.is_some() || accounts.key.is_some() {
        output::line("First accounts, shown only once:");
    }
    if let Some(email) = &accounts.email {
        let password = accounts.password.as_deref();
        let password = password.unwrap_or("the password in USHER_SUPERUSER_PASSWORD");
        output::line(format_args!("  Admin sign-in  {email}  {password}"));
    }
    if let Some(key) = &accounts.key {
        output::line(format_args!("  API key        {}", key.as_str()));
    }
}
