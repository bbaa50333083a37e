//! Settings: what is missing or malformed is said in one line that names it.

use usher_shared::foundation::config::{Config, ConfigError, Mode, SignUp, Source, StaffMfa, settings};

const SECRET: &str = "bm90IGEgc2VjcmV0LCBvbmx5IHVzZWQgYnkgdGhlIHRlc3RzIG9mIFVzaGVy";

fn read(mode: Mode, more: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let base = Source::of([("DATABASE_URL", "postgres://u:p@db/usher"), ("SECRET_KEY", SECRET)]);
    Config::read(mode, &base.and(Source::of(more.iter().copied())))
}

#[test]
fn a_room_has_safe_defaults() {
    let config = read(Mode::Service, &[]).unwrap();
    assert_eq!(config.api_addr.to_string(), "127.0.0.1:8000");
    assert_eq!(config.admin_url, "http://127.0.0.1:8001");
    assert_eq!(config.app_url, "http://127.0.0.1:8000");
    assert_eq!((config.sign_up, config.staff_mfa), (SignUp::Closed, StaffMfa::Required));
    assert!(config.rate_limits.enabled && !config.email_policy.allow_special_domains);
    let up = read(Mode::Up, &[]).unwrap();
    assert_eq!((up.sign_up, up.staff_mfa), (SignUp::Open, StaffMfa::Optional));
}

#[test]
fn the_product_is_called_as_set_or_else_as_the_sender_or_else_usher() {
    let name = |more: &[(&str, &str)]| read(Mode::Service, more).unwrap().product_name;
    assert_eq!(name(&[]), "Usher");
    assert_eq!(name(&[("MAIL_FROM", "hello@acme.example")]), "Usher");
    assert_eq!(name(&[("MAIL_FROM", "Acme Cloud <hello@acme.example>")]), "Acme Cloud");
    assert_eq!(
        name(&[("MAIL_FROM", r#""Acme, \"Inc.\"" <hello@acme.example>"#)]),
        r#"Acme, "Inc.""#
    );
    assert_eq!(
        name(&[("PRODUCT_NAME", " Acme "), ("MAIL_FROM", "Usher <u@acme.example>")]),
        "Acme"
    );
    assert_eq!(read(Mode::Service, &[]).unwrap().mail_from, "usher@localhost");
}

#[test]
fn every_setting_refuses_nonsense_in_one_line_that_names_it() {
    let nonsense = [
        ("USHER_ENV", "../secrets"),
        ("DATABASE_URL", "mysql://u@h/x"),
        ("DATABASE_URL", "not a url"),
        ("DATABASE_URL", "postgres://h"),
        ("DATABASE_URL", "sqlite://"),
        ("REDIS_URL", "redis//:nowhere:x"),
        ("FILE_STORE", "ftp://example.org/files"),
        ("FILE_STORE", "file:files"),
        ("API_ADDR", "127.0.0.1:many"),
        ("ADMIN_ADDR", "localhost"),
        ("METRICS_ADDR", "9000"),
        ("API_URL", "ftp://x"),
        ("ADMIN_URL", "x"),
        ("APP_URL", "https://x/?y"),
        ("SMTP_URL", "http://x"),
        ("SMTP_URL", "smtp://"),
        ("PRODUCT_NAME", "…"),
        ("PRODUCT_NAME", "two\nlines"),
        ("MAIL_FROM", "nobody"),
        ("MAIL_FROM", "a@b\r\nBcc: c@d"),
        ("SECRET_KEY", "c2hvcnQ="),
        ("SECRET_KEY", "!"),
        ("SECRET_KEY_OLD", "c2hvcnQ=,!"),
        ("SIGN_UP", "perhaps"),
        ("STAFF_MFA", "on"),
        ("TRUSTED_PROXIES", "10.0.0.0/99"),
        ("RATE_LIMITS", "maybe"),
        ("RATE_LIMITS", "log-in=many"),
        ("EVENT_RETENTION_DAYS", "0"),
        ("EVENT_RETENTION_DAYS", "forever"),
        ("WEBHOOK_NETWORKS", "localhost"),
        ("GRAPHQL", "yes"),
        ("LOG_FORMAT", "xml"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization"),
        ("OTEL_SERVICE_NAME", "two\nlines"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
        ("EMAIL_ALLOW_SPECIAL_DOMAINS", "some"),
        ("CORS_ORIGINS", "https://x/path"),
        ("USHER_SUPERUSER_EMAIL", "root"),
        ("USHER_SUPERUSER_PASSWORD", "short"),
        ("USHER_API_KEY", "uak_typo"),
    ];
    for (name, value) in nonsense {
        let error = read(Mode::Service, &[(name, value)]).unwrap_err();
        let line = error.to_string();
        assert_eq!(error.name, name, "{line}");
        assert!(
            line.starts_with(name) && line.contains("for example") && !line.contains('\n'),
            "{line}"
        );
    }
    for name in settings().get_arguments().filter_map(|arg| arg.get_env()) {
        assert!(
            nonsense.iter().any(|(checked, _)| name == *checked),
            "{name:?} accepts anything"
        );
    }
}

#[test]
fn what_a_room_needs_is_asked_for() {
    for name in ["DATABASE_URL", "SECRET_KEY"] {
        let error = read(Mode::Service, &[(name, "  ")]).unwrap_err();
        assert_eq!(error.name, name);
        assert!(error.to_string().contains("is not set"), "{error}");
    }
}

#[test]
fn secrets_are_never_shown() {
    let settings = [
        ("USHER_SUPERUSER_PASSWORD", "velvet otter canyon 72"),
        ("SMTP_URL", "smtp://u:hunter2@h"),
    ];
    let config = read(Mode::Service, &settings).unwrap();
    let shown = format!(
        "{config:?} {:?} {:?} {:?}",
        config.first,
        config.secret_key,
        Source::of(settings)
    );
    for secret in ["velvet", "hunter2", &SECRET[..8]] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let error = read(Mode::Service, &[("SECRET_KEY", "aHVudGVyMg==")])
        .unwrap_err()
        .to_string();
    assert!(!error.contains("aHVudGVyMg"), "{error}");
}

#[test]
fn lists_are_read_with_commas_and_spaces() {
    let more = [
        ("TRUSTED_PROXIES", "10.0.0.0/8, ::1/128"),
        ("CORS_ORIGINS", "https://a.example,http://b.example:81"),
    ];
    let config = read(Mode::Service, &more).unwrap();
    assert_eq!(config.trusted_proxies.len(), 2);
    assert_eq!(config.cors_origins, ["https://a.example", "http://b.example:81"]);
}
