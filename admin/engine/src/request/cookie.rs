//! Cookies of the admin: HttpOnly, SameSite=Lax, and behind HTTPS Secure with the `__Host-` prefix, so that no
//! neighboring host can set one (RFC 6265bis section 4.1.3.2). A cookie jar from a library would need the same names,
//! ages and prefixes on top, for about fifteen lines less and two more crates.

use axum::http::{HeaderMap, HeaderValue, header::COOKIE};
use usher_shared::foundation::config::Config;

/// A cookie's name and lifetime.
#[derive(Clone, Copy, Debug)]
pub struct Cookie {
    pub name: &'static str,
    /// Seconds; `None` lasts until the browser closes.
    pub max_age: Option<u32>,
}

/// A message for the next page.
pub const FLASH: Cookie = Cookie {
    name: "usher_flash",
    max_age: Some(60),
};

/// Whether browsers reach the admin by HTTPS, so that cookies can be confined to it.
pub fn is_https(config: &Config) -> bool {
    config.admin_url.starts_with("https://")
}

impl Cookie {
    fn full_name(self, https: bool) -> String {
        format!("{}{}", if https { "__Host-" } else { "" }, self.name)
    }

    /// Its value in a request.
    pub fn read(self, headers: &HeaderMap, https: bool) -> Option<&str> {
        let name = self.full_name(https);
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        lines
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// `Set-Cookie` for a value of base64url or token characters.
    pub fn set(self, value: &str, https: bool) -> HeaderValue {
        self.header(value, self.max_age, https)
    }

    /// `Set-Cookie` that removes it.
    pub fn clear(self, https: bool) -> HeaderValue {
        self.header("", Some(0), https)
    }

    fn header(self, value: &str, max_age: Option<u32>, https: bool) -> HeaderValue {
        let age = max_age
            .map(|seconds| format!("; Max-Age={seconds}"))
            .unwrap_or_default();
        let secure = if https { "; Secure" } else { "" };
        let text = format!(
            "{}={value}; Path=/; HttpOnly; SameSite=Lax{age}{secure}",
            self.full_name(https)
        );
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
    }
}
