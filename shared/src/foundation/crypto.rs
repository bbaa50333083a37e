//! Hashes, signatures and encryption with `ring`, so that no service picks its own algorithms.

use std::{fmt, iter, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest, hkdf, hmac,
    rand::{SecureRandom, SystemRandom},
};

/// The secret of this installation (`SECRET_KEY`): at least 32 bytes, never shown.
///
/// Each purpose derives its own key by HKDF (RFC 5869), so that a value made for one purpose is useless for another.
///
/// While it is being replaced there are older keys as well (`SECRET_KEY_OLD`): only the newest signs and seals, and
/// values made with any of them are accepted.
#[derive(Clone)]
pub struct SecretKey {
    newest: hkdf::Prk,
    older: Arc<[hkdf::Prk]>,
    weakness: Option<&'static str>,
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

impl SecretKey {
    /// The shortest key accepted, in bytes.
    pub const MIN_BYTES: usize = 32;

    /// Reads a key in standard base64. The error says what is wrong and never repeats the value.
    pub fn from_base64(text: &str) -> Result<Self, &'static str> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| "is not base64")?;
        if bytes.len() < Self::MIN_BYTES {
            return Err("has fewer than 32 bytes");
        }
        Ok(Self {
            newest: hkdf::Salt::new(hkdf::HKDF_SHA256, b"usher").extract(&bytes),
            older: Arc::default(),
            weakness: weakness(&bytes),
        })
    }

    /// This key, and others whose values are accepted as well.
    #[must_use]
    pub fn accepting(self, others: impl IntoIterator<Item = Self>) -> Self {
        Self {
            older: others.into_iter().map(|other| other.newest).collect(),
            ..self
        }
    }

    /// Why it may be guessable, if its bytes don't look random.
    #[must_use]
    pub fn weakness(&self) -> Option<&'static str> {
        self.weakness
    }

    /// Whether there are older keys.
    #[must_use]
    pub fn is_being_replaced(&self) -> bool {
        !self.older.is_empty()
    }

    /// A new random key in base64.
    #[must_use]
    pub fn generate_base64() -> String {
        STANDARD.encode(random::<48>())
    }

    /// HMAC-SHA-256 of the message under the newest key of this purpose.
    #[must_use]
    pub fn sign(&self, purpose: &str, message: &[u8]) -> [u8; 32] {
        signature(&self.newest, purpose, message)
    }

    /// The signatures by each of the keys, newest first; for lookups by signature.
    pub fn signatures(&self, purpose: &str, message: &[u8]) -> impl Iterator<Item = [u8; 32]> {
        self.keys().map(move |key| signature(key, purpose, message))
    }

    /// Whether this is the message's signature, compared in constant time.
    #[must_use]
    pub fn verify(&self, purpose: &str, message: &[u8], tag: &[u8]) -> bool {
        self.keys()
            .any(|key| hmac::verify(&hmac_key(key, purpose), message, tag).is_ok())
    }

    /// Encrypts and authenticates with AES-256-GCM; the random nonce comes first.
    #[must_use]
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Vec<u8> {
        let nonce = random::<NONCE_LEN>();
        let mut sealed = plain.to_vec();
        aead_key(&self.newest, purpose)
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed)
            .expect("AES-GCM seals anything below 64 GiB");
        [&nonce[..], &sealed].concat()
    }

    /// Opens what [`Self::seal`] made for the same purpose; none if it was changed or made with another key.
    #[must_use]
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        self.keys().find_map(|key| open(key, purpose, sealed))
    }

    /// Seals again with the newest key what an older key sealed. None if the newest did, or if no key opens it.
    #[must_use]
    pub fn reseal(&self, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        if open(&self.newest, purpose, sealed).is_some() {
            return None;
        }
        Some(self.seal(purpose, &self.open(purpose, sealed)?))
    }

    /// Newest first.
    fn keys(&self) -> impl Iterator<Item = &hkdf::Prk> {
        iter::once(&self.newest).chain(&*self.older)
    }
}

/// Detects text and repeated bytes. 32 random bytes practically never have fewer than 20 different values; hexadecimal
/// digits of a random value are random enough.
fn weakness(bytes: &[u8]) -> Option<&'static str> {
    let mut seen = [false; 256];
    for byte in bytes {
        seen[usize::from(*byte)] = true;
    }
    let different = seen.iter().filter(|seen| **seen).count();
    if bytes.iter().all(u8::is_ascii_hexdigit) && different >= 10 {
        None
    } else if bytes.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') {
        Some("it is text, not random bytes")
    } else if different < 20 {
        Some("its bytes repeat, so they are not random")
    } else {
        None
    }
}

fn signature(key: &hkdf::Prk, purpose: &str, message: &[u8]) -> [u8; 32] {
    let tag = hmac::sign(&hmac_key(key, purpose), message);
    tag.as_ref().try_into().unwrap_or([0; 32])
}

fn open(key: &hkdf::Prk, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut plain = sealed.to_vec();
    let length = aead_key(key, purpose)
        .open_in_place(nonce, Aad::empty(), &mut plain)
        .ok()?
        .len();
    plain.truncate(length);
    Some(plain)
}

fn hmac_key(key: &hkdf::Prk, purpose: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &derive(key, "sign", purpose))
}

fn aead_key(key: &hkdf::Prk, purpose: &str) -> LessSafeKey {
    let key = UnboundKey::new(&AES_256_GCM, &derive(key, "seal", purpose)).expect("the key has AES-256's length");
    LessSafeKey::new(key)
}

fn derive(key: &hkdf::Prk, use_: &str, purpose: &str) -> [u8; 32] {
    let info = [use_.as_bytes(), b":", purpose.as_bytes()];
    let mut derived = [0; 32];
    let filled = key
        .expand(&info, hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut derived));
    filled.expect("HKDF-SHA-256 yields 32 bytes");
    derived
}

/// SHA-256 (FIPS 180-4).
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, bytes)
        .as_ref()
        .try_into()
        .unwrap_or([0; 32])
}

/// Lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether two byte strings are equal, in time that doesn't depend on where they differ.
#[must_use]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    sha256(a) == sha256(b)
}

/// Random bytes from the operating system.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the operating system gives random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SecretKey {
        SecretKey::from_base64(&SecretKey::generate_base64()).unwrap()
    }

    #[test]
    fn a_sealed_value_opens_only_unchanged_with_its_key_and_purpose() {
        let key_ = key();
        let mut sealed = key_.seal("totp", b"secret");
        assert_eq!(key_.open("totp", &sealed).as_deref(), Some(&b"secret"[..]));
        assert_eq!(key_.open("csrf", &sealed), None);
        assert_eq!(key().open("totp", &sealed), None);
        sealed[14] ^= 1;
        assert_eq!(key_.open("totp", &sealed), None);
        assert_eq!(key_.open("totp", b"short"), None);
    }

    #[test]
    fn a_signature_holds_for_its_message_and_purpose_only() {
        let key = key();
        let tag = key.sign("cursor", b"42");
        assert!(key.verify("cursor", b"42", &tag));
        assert!(!key.verify("cursor", b"43", &tag));
        assert!(!key.verify("csrf", b"42", &tag));
    }

    #[test]
    fn what_an_older_key_made_is_accepted_and_only_the_newest_makes_anything() {
        let (old, new) = (key(), key());
        let both = new.clone().accepting([old.clone()]);
        let (tag, sealed) = (old.sign("cursor", b"42"), old.seal("totp", b"secret"));
        assert!(both.verify("cursor", b"42", &tag) && !new.verify("cursor", b"42", &tag));
        assert_eq!(both.open("totp", &sealed).as_deref(), Some(&b"secret"[..]));
        assert_eq!(both.sign("cursor", b"42"), new.sign("cursor", b"42"));
        let both_tags: Vec<_> = both.signatures("cursor", b"42").collect();
        assert_eq!(both_tags, [new.sign("cursor", b"42"), tag]);

        let resealed = both.reseal("totp", &sealed).unwrap();
        assert_eq!(new.open("totp", &resealed).as_deref(), Some(&b"secret"[..]));
        assert_eq!(both.reseal("totp", &resealed), None, "it is the newest's already");
        assert_eq!(new.reseal("totp", &sealed), None, "nobody can open it");
    }

    #[test]
    fn what_is_not_random_is_told_from_what_is() {
        let weak = |bytes: &[u8]| {
            SecretKey::from_base64(&STANDARD.encode(bytes))
                .unwrap()
                .weakness()
                .is_some()
        };
        assert!(weak(b"only for tests, never in production") && weak(&[7; 48]) && weak(&[b'0'; 64]));
        assert!(!weak(
            b"8f14e45fceea167a5a36dedd4bea2543c9f0f895fb98ab9159f51fd0297e236d"
        ));
        for _ in 0..100 {
            assert!(!weak(&random::<32>()));
        }
    }

    #[test]
    fn short_and_malformed_keys_are_refused() {
        assert!(SecretKey::from_base64("c2hvcnQ=").is_err());
        assert!(SecretKey::from_base64("not base64!").is_err());
    }
}
