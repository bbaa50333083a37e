//! The parser of each setting. An error completes the sentence "NAME …".

use std::{io::IsTerminal, net::SocketAddr};

use ipnet::IpNet;
use url::{ParseError, Url};

use super::choices::LogFormat;
use crate::foundation::{
    crypto::SecretKey,
    rules::{Email, EmailPolicy, Password, Violation, text},
    token::{Token, TokenKind},
};

pub(super) const SECRET_KEY_EXAMPLE: &str = "\"$(openssl rand -base64 48)\"";

pub(super) type Read<T> = Result<T, String>;

/// A word, because it becomes a file's name.
pub(super) fn environment(text: &str) -> Read<String> {
    let is_word = text
        .chars()
        .all(|char| char.is_ascii_alphanumeric() || "-_".contains(char));
    if is_word && !text.is_empty() {
        Ok(text.to_owned())
    } else {
        Err(format!("is {text:?}, not a word of letters, digits, - and _"))
    }
}

/// From a day to ten years.
pub(super) fn days(text: &str) -> Read<u16> {
    let days = text.parse().ok().filter(|days| (1..=3_650).contains(days));
    days.ok_or_else(|| format!("is {text:?}, not a number of days from 1 to 3650"))
}

pub(super) fn database_url(text: &str) -> Read<String> {
    if let Some(path) = text.strip_prefix("sqlite://") {
        let path = path.split('?').next().unwrap_or_default();
        return match path {
            "" | ":memory:" => Err("must name a file after sqlite://".to_owned()),
            _ => Ok(text.to_owned()),
        };
    }
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "postgres" | "postgresql") => {
            if url.host_str().is_none_or(str::is_empty) {
                Err("names no host".to_owned())
            } else if url.path().trim_matches('/').is_empty() {
                Err("names no database after the host".to_owned())
            } else {
                Ok(text.to_owned())
            }
        }
        Ok(url) => Err(format!(
            "has the scheme {}; Usher runs on postgres:// and sqlite://",
            url.scheme()
        )),
        Err(error) => Err(not_a_url(error)),
    }
}

fn not_a_url(error: ParseError) -> String {
    match error {
        ParseError::RelativeUrlWithoutBase => "is not a URL: it does not begin with a scheme".to_owned(),
        error => format!("is not a URL: {error}"),
    }
}

pub(super) fn redis_url(text: &str) -> Read<String> {
    match redis::Client::open(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("is not the URL of a Redis server".to_owned()),
    }
}

pub(super) fn smtp_url(text: &str) -> Read<String> {
    match Url::parse(text) {
        Ok(url) if !matches!(url.scheme(), "smtp" | "smtps") => {
            Err(format!("has the scheme {}; use smtp:// or smtps://", url.scheme()))
        }
        Ok(url) if url.host_str().is_none_or(str::is_empty) => Err("names no host".to_owned()),
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(not_a_url(error)),
    }
}

pub(super) fn web_url(text: &str) -> Read<String> {
    match Url::parse(text) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() => {
            Err("is not an http:// or https:// URL".to_owned())
        }
        Ok(url) if url.query().is_some() || url.fragment().is_some() => Err("must not contain ? or #".to_owned()),
        Ok(_) => Ok(text.trim_end_matches('/').to_owned()),
        Err(error) => Err(not_a_url(error)),
    }
}

/// The address to type on this machine.
pub(super) fn url_of(addr: SocketAddr) -> String {
    if addr.ip().is_unspecified() {
        format!("http://localhost:{}", addr.port())
    } else {
        format!("http://{addr}")
    }
}

pub(super) fn address(text: &str) -> Read<SocketAddr> {
    text.parse()
        .map_err(|_| format!("is {text:?}, not an IP address with a port"))
}

pub(super) fn mailbox(text: &str) -> Read<String> {
    if text.contains('@') && !text.chars().any(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err("is not a sender".to_owned())
    }
}

/// The display name of a sender that has one, such as `"Acme, Inc." <hello@acme.example>`.
pub(super) fn mailbox_name(text: &str) -> Option<String> {
    let name = text.rsplit_once('<')?.0.trim();
    let name = match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(quoted) => quoted.replace(r#"\""#, "\"").replace(r"\\", r"\"),
        None => name.to_owned(),
    };
    product_name(&name).ok()
}

/// Short enough for a subject line and an authenticator app.
pub(super) fn product_name(text: &str) -> Read<String> {
    const MAX: usize = 64;
    let name = text.trim();
    if name.chars().any(char::is_control) {
        Err("contains a control character".to_owned())
    } else if text::visible("The name", name).is_err() {
        Err("contains a character that cannot be displayed".to_owned())
    } else if !name.chars().any(char::is_alphanumeric) {
        Err("has no letter or digit".to_owned())
    } else if name.chars().count() > MAX {
        Err(format!("has more than {MAX} characters"))
    } else {
        Ok(name.to_owned())
    }
}

pub(super) fn secret_key(text: &str) -> Read<SecretKey> {
    SecretKey::from_base64(text).map_err(str::to_owned)
}

/// Several, separated by commas.
pub(super) fn secret_keys(text: &str) -> Read<Vec<SecretKey>> {
    let keys = words(text).map(|word| secret_key(word).map_err(|problem| format!("has a key that {problem}")));
    keys.collect()
}

pub(super) fn email_policy(text: &str) -> Read<EmailPolicy> {
    let allow_special_domains = match text.to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "1" => true,
        "off" | "false" | "no" | "0" => false,
        _ => return Err(format!("is {text:?}, neither on nor off")),
    };
    Ok(EmailPolicy { allow_special_domains })
}

pub(super) fn default_log_format() -> LogFormat {
    if std::io::stderr().is_terminal() {
        LogFormat::Text
    } else {
        LogFormat::Json
    }
}

pub(super) fn networks(text: &str) -> Read<Vec<IpNet>> {
    words(text)
        .map(|word| word.parse().map_err(|_| format!("has {word:?}, which is not a CIDR")))
        .collect()
}

pub(super) fn origins(text: &str) -> Read<Vec<String>> {
    words(text)
        .map(|word| match Url::parse(word) {
            Ok(url) if url.origin().is_tuple() && url.origin().ascii_serialization() == word => Ok(word.to_owned()),
            _ => Err(format!(
                "has {word:?}, which is not an origin (scheme, host and port, nothing else)"
            )),
        })
        .collect()
}

/// Of any domain: the policy is another setting.
pub(super) fn email(text: &str) -> Read<Email> {
    let any = EmailPolicy {
        allow_special_domains: true,
    };
    Email::parse(text, any).map_err(|violation| violation.message)
}

pub(super) fn api_key(text: &str) -> Read<Token> {
    Token::parse(TokenKind::ApiKey, text).ok_or_else(|| "is not a key with a valid checksum".to_owned())
}

pub(super) fn password(text: &str, product_name: &str) -> Read<Password> {
    let reasons = |violations: Vec<Violation>| violations.into_iter().map(|v| v.message).collect::<Vec<_>>().join("; ");
    Password::parse(text, &["Administrator", product_name])
        .map_err(|violations| format!("is not accepted: {}", reasons(violations)))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty())
}
