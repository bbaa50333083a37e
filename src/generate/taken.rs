//! Names that Usher or the generated code has already, so that they are refused before anything is written.

use anyhow::{Result, ensure};
use usher_shared::accounts::api_keys::Scope;

use super::names::{Name, is_sql_keyword};

/// Crates and modules that generated code names.
const CODE: &str = "admin alloc api app audit axum chrono core it lib main migrations sea_orm serde serde_json std \
                    test usher usher_test utoipa";

/// Functions, variables and types that the code of a model has beside those with the model's name.
const IN_MODELS: &str = "db list new project row";

/// Types of fields, which would hide a model of that name.
const TYPES: &str = "bool datetime integer string text user";

/// What the file of a job imports.
const IN_JOBS: &str = "deserialize job job_context job_error option result serialize string test_db test_project";

/// Usher's tables, and that of the migrations.
const TABLES: &str = "api_keys audit_log audit_seals audit_unsealed chosen_columns event_readers event_streams events \
                      idempotency_keys job_attempts job_file_chunks job_files job_items job_queues job_schedules jobs \
                      mail_breakers mail_suppressions mail_tokens mails mfa_challenges mfa_factors recovery_codes \
                      role_permissions roles seaql_migrations sessions spent_form_tokens spent_refresh_tokens \
                      stored_file_chunks stored_files user_roles users webhook_deliveries webhook_endpoints workers";

/// Addresses in the admin: models and pages.
const IN_ADMIN: &str = "account api_keys assets audit breakers deliveries events impersonation jobs login logout mails \
                        mfa queues reauthenticate roles schedules search sessions suppressions theme users webhooks";

/// Addresses of the API that its OpenAPI document doesn't have.
const IN_API: &str = "assets confirm_email_change docs keep_account metrics openapi redoc reset_password set_password \
                      undo_email_change verify_email ws";

/// What `--plural` names, which is also the table.
const PLURAL: &str = "the plural of a model";

/// What has a name already, for the sentence that says so.
const USHER: &str = "Usher has something of this name";
const GENERATED: &str = "the code around it has this name";

/// Refuses an app that can't be a module of the product.
pub(super) fn check_app(app: &Name) -> Result<()> {
    let name = app.snake();
    ensure!(name != "usher", "usher is the name of Usher's own app; choose another");
    ensure!(
        !is_among(CODE, name) && name != "bin",
        refusal("the name of an app", name, GENERATED)
    );
    Ok(())
}

/// Refuses a model that the product couldn't be built or started with.
pub(super) fn check_model(name: &Name, plural: &Name) -> Result<()> {
    let (one, many) = (name.snake(), plural.snake());
    let in_code = |word| is_among(CODE, word) || is_among(IN_MODELS, word);
    ensure!(!in_code(one), refusal("the name of a model", one, GENERATED));
    ensure!(
        !is_among(TYPES, one),
        refusal("the name of a model", one, "a field can have this type")
    );
    ensure!(!is_among(CODE, many), refusal(PLURAL, many, GENERATED));
    let is_reserved = is_sql_keyword(many) || many.starts_with("sqlite_") || many.starts_with("pg_");
    ensure!(!is_reserved, refusal(PLURAL, many, "it's a keyword of SQL"));
    ensure!(!is_object(one), refusal("the name of a model", one, USHER));
    ensure!(!is_plural(many), refusal(PLURAL, many, USHER));
    let pascal = name.pascal();
    check_schemas(
        "the name of a model",
        one,
        &[pascal.clone(), format!("New{pascal}"), format!("{pascal}Patch")],
    )
}

/// Refuses what Usher's OpenAPI document has: `Session` of a model, `UserStatus` of a field.
pub(super) fn check_schemas(what: &str, name: &str, schemas: &[String]) -> Result<()> {
    let components = usher_api::openapi().components.unwrap_or_default();
    let taken = schemas.iter().find(|schema| components.schemas.contains_key(*schema));
    let reason = taken.map(|schema| format!("Usher's API has a schema {schema}"));
    ensure!(reason.is_none(), refusal(what, name, &reason.unwrap_or_default()));
    Ok(())
}

/// Refuses a kind of job that Usher has, and one whose file couldn't be built.
pub(super) fn check_job(name: &Name) -> Result<()> {
    let kind = name.snake();
    let is_kind = usher_worker::registry().kinds().any(|other| other == kind);
    ensure!(
        !is_kind,
        refusal("the name of a job", kind, "Usher has a job of this kind")
    );
    let in_code = is_among(CODE, kind) || is_among(IN_JOBS, kind);
    ensure!(!in_code, refusal("the name of a job", kind, GENERATED));
    Ok(())
}

fn refusal(what: &str, name: &str, reason: &str) -> anyhow::Error {
    let option = if what == PLURAL { "--plural " } else { "" };
    anyhow::anyhow!("`{name}` can't be {what}: {reason}; use another, such as {option}my_{name}")
}

/// Whether one of Usher's rows has this name in the audit log.
fn is_object(name: &str) -> bool {
    let plural = format!("{name}s");
    is_among(TABLES, &plural) || is_among(IN_ADMIN, &plural) || is_among(TABLES, name)
}

/// Whether a table, an address or a scope of Usher has this name.
fn is_plural(name: &str) -> bool {
    let path = name.replace('_', "-");
    let document = usher_api::openapi();
    let mut paths = document.paths.paths.keys().filter_map(|path| path.split('/').nth(1));
    let has_scope = Scope::BUILT_IN
        .iter()
        .any(|scope| scope.as_str().split(':').next() == Some(name));
    has_scope
        || [TABLES, IN_ADMIN, IN_API].iter().any(|names| is_among(names, name))
        || paths.any(|taken| taken == path)
}

fn is_among(names: &str, name: &str) -> bool {
    names.split_whitespace().any(|other| other == name)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// A new table of Usher's is added to the list here.
    #[test]
    fn the_tables_of_all_entities_are_known() {
        let entities = Path::new(env!("CARGO_MANIFEST_DIR")).join("shared/src/foundation/entity");
        let mut met = 0;
        for entity in fs::read_dir(entities).unwrap() {
            let code = fs::read_to_string(entity.unwrap().path()).unwrap();
            let table = code
                .split("table_name = \"")
                .nth(1)
                .and_then(|rest| rest.split('"').next());
            if let Some(table) = table {
                assert!(is_among(TABLES, table), "{table}");
                met += 1;
            }
        }
        assert!(met > 20, "{met}");
    }

    #[test]
    fn what_usher_and_the_generated_code_have_is_refused() {
        let refused = |name: &str| {
            let name = Name::parse(name).unwrap();
            check_model(&name, &name.plural()).is_err()
        };
        for name in
            "user job session role mail api_key worker job_item audit_log mfa_factor problem version part error \
                     fault ready queue schedule suppression breaker doc admin api list row usher audit serde chrono \
                     text seaql_migration logout"
                .split_whitespace()
        {
            assert!(refused(name), "{name}");
        }
        for name in ["entry", "actor", "state", "tx", "found", "ticket", "order", "id", "key"] {
            assert!(!refused(name), "{name}");
        }
        for (kind, is_taken) in [("prune", true), ("job_context", true), ("remind", false)] {
            assert_eq!(check_job(&Name::parse(kind).unwrap()).is_err(), is_taken, "{kind}");
        }
    }
}
