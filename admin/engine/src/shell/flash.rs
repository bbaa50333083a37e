//! A message from one page for the next, in a cookie sealed for this visitor's session.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use usher_shared::foundation::crypto::SecretKey;

use crate::request::csrf::Binding;

const PURPOSE: &str = "admin flash";

/// A message.
#[derive(Clone, Debug)]
pub struct Message {
    /// A CSS class: `good`, `warning` or `bad`.
    pub tone: &'static str,
    pub words: String,
    /// A page of this admin that the message leads to, and what the link says.
    pub link: Option<(String, String)>,
}

impl Message {
    pub fn success(words: impl Into<String>) -> Self {
        Self {
            tone: "good",
            words: words.into(),
            link: None,
        }
    }

    pub fn warning(words: impl Into<String>) -> Self {
        Self {
            tone: "warning",
            words: words.into(),
            link: None,
        }
    }

    /// With a link after the words; neither part contains a line break.
    pub fn link(self, href: &str, label: &str) -> Self {
        Self {
            link: Some((href.to_owned(), label.to_owned())),
            ..self
        }
    }

    /// The cookie's value.
    pub fn seal(&self, key: &SecretKey, binding: &Binding) -> String {
        let (href, label) = self.link.as_ref().map_or(("", ""), |(href, label)| (href, label));
        let plain = format!("{binding}\n{}\n{href}\n{label}\n{}", self.tone, self.words);
        BASE64_URL_SAFE_NO_PAD.encode(key.seal(PURPOSE, plain.as_bytes()))
    }

    /// `None` when the cookie belongs to another session.
    pub fn open(key: &SecretKey, binding: &Binding, cookie: &str) -> Option<Self> {
        let plain = key.open(PURPOSE, &BASE64_URL_SAFE_NO_PAD.decode(cookie).ok()?)?;
        let plain = String::from_utf8(plain).ok()?;
        let rest = plain.strip_prefix(&binding.to_string())?.strip_prefix('\n')?;
        let mut parts = rest.splitn(4, '\n');
        let (tone, href, label, words) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let message = if tone == "good" {
            Self::success(words)
        } else {
            Self::warning(words)
        };
        Some(if href.is_empty() {
            message
        } else {
            message.link(href, label)
        })
    }
}
