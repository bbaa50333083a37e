//! The names of object types in the audit log.

use strum::{IntoStaticStr, VariantArray};

/// The type of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum ObjectType {
    User,
    Role,
    Session,
    ApiKey,
    Job,
    Schedule,
    Queue,
    Mail,
    SuppressedAddress,
    MailBreaker,
    AuditEntry,
    Webhook,
    /// A request that was refused.
    Request,
}

impl ObjectType {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// What older rows call this type. The log is never altered, so a search for the name also looks for this one.
    #[must_use]
    pub const fn former(self) -> Option<&'static str> {
        match self {
            Self::ApiKey => Some("API key"),
            Self::SuppressedAddress => Some("suppressed address"),
            Self::MailBreaker => Some("refusing mail server"),
            Self::AuditEntry => Some("audit entry"),
            _ => None,
        }
    }

    const ALL: [Self; Self::VARIANTS.len()] = *Self::VARIANTS.first_chunk().expect("of this length");
}

/// Today's name of a type that some row names.
#[must_use]
pub fn present_word(word: &str) -> &str {
    let known = ObjectType::ALL.into_iter().find(|kind| kind.former() == Some(word));
    known.map_or(word, |kind| kind.as_str())
}

/// All names, old and new, of the type that this name stands for.
#[must_use]
pub fn spellings(word: &str) -> Vec<&str> {
    let present = present_word(word);
    let known = ObjectType::ALL.into_iter().find(|kind| kind.as_str() == present);
    std::iter::once(present)
        .chain(known.and_then(ObjectType::former))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_found_by_its_word_and_by_the_one_it_had() {
        assert_eq!(spellings("api_key"), ["api_key", "API key"]);
        assert_eq!(spellings("API key"), ["api_key", "API key"]);
        assert_eq!(spellings("user"), ["user"]);
        assert_eq!(spellings("article"), ["article"], "a product's own");
        for kind in ObjectType::ALL {
            let word = kind.as_str();
            assert!(
                word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                "{word}"
            );
        }
    }
}
