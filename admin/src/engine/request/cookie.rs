//! The admin's cookies: HttpOnly, SameSite=Lax, and behind HTTPS Secure with the `__Host-` prefix, so that no
//! neighbouring host can plant one (RFC 6265bis section 4.1.3.2).

use axum::http::{HeaderMap, HeaderValue, header::COOKIE};

/// One of the admin's cookies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cookie {
    name: &'static str,
    /// Seconds; none lasts as long as the browser runs.
    max_age: Option<u32>,
}

/// The session's token.
pub(crate) const SESSION: Cookie = Cookie {
    name: "usher_admin",
    max_age: None,
};
/// What the log-in form's token is bound to before there is a session.
pub(crate) const VISITOR: Cookie = Cookie {
    name: "usher_visitor",
    max_age: None,
};
/// What tells a browser that an account signed in with.
pub(crate) const DEVICE: Cookie = Cookie {
    name: "usher_device",
    max_age: Some(90 * 24 * 60 * 60),
};
/// A message for the next page.
pub(crate) const FLASH: Cookie = Cookie {
    name: "usher_flash",
    max_age: Some(60),
};
/// Dark, light, or as the system has it.
pub(crate) const THEME: Cookie = Cookie {
    name: "usher_theme",
    max_age: Some(365 * 24 * 60 * 60),
};

impl Cookie {
    fn full_name(self, https: bool) -> String {
        format!("{}{}", if https { "__Host-" } else { "" }, self.name)
    }

    /// Its value in a request.
    pub(crate) fn read(self, headers: &HeaderMap, https: bool) -> Option<&str> {
        let name = self.full_name(https);
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        lines
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// `Set-Cookie` for a value of base64url or token characters.
    pub(crate) fn set(self, value: &str, https: bool) -> HeaderValue {
        self.header(value, self.max_age, https)
    }

    /// `Set-Cookie` that removes it.
    pub(crate) fn clear(self, https: bool) -> HeaderValue {
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
