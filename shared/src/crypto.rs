//! Hashes, signatures and sealing over `ring`, so that no room picks algorithms of its own.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest, hkdf, hmac,
    rand::{SecureRandom, SystemRandom},
};

/// The secret of this installation (`SECRET_KEY`): at least 32 bytes, never shown.
///
/// Each use derives a key of its own by HKDF (RFC 5869), so that a value made for one purpose is
/// worth nothing for another.
#[derive(Clone)]
pub struct SecretKey(hkdf::Prk);

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
        Ok(Self(hkdf::Salt::new(hkdf::HKDF_SHA256, b"usher").extract(&bytes)))
    }

    /// A new random key in base64, for a file or a variable.
    #[must_use]
    pub fn generate_base64() -> String {
        STANDARD.encode(random::<48>())
    }

    /// HMAC-SHA-256 of the message under the key of this purpose.
    #[must_use]
    pub fn sign(&self, purpose: &str, message: &[u8]) -> [u8; 32] {
        let tag = hmac::sign(&self.hmac_key(purpose), message);
        tag.as_ref().try_into().unwrap_or([0; 32])
    }

    /// Whether the tag is this message's, compared in constant time.
    #[must_use]
    pub fn verify(&self, purpose: &str, message: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&self.hmac_key(purpose), message, tag).is_ok()
    }

    /// Encrypts and authenticates with AES-256-GCM; the random nonce stands in front.
    #[must_use]
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Vec<u8> {
        let nonce = random::<NONCE_LEN>();
        let mut sealed = plain.to_vec();
        self.aead_key(purpose)
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed)
            .expect("AES-GCM seals anything below 64 GiB");
        [&nonce[..], &sealed].concat()
    }

    /// Opens what [`Self::seal`] made for the same purpose; none when it was changed or is another key's.
    #[must_use]
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut plain = sealed.to_vec();
        let length = self
            .aead_key(purpose)
            .open_in_place(nonce, Aad::empty(), &mut plain)
            .ok()?
            .len();
        plain.truncate(length);
        Some(plain)
    }

    fn hmac_key(&self, purpose: &str) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.derive("sign", purpose))
    }

    fn aead_key(&self, purpose: &str) -> LessSafeKey {
        let key = UnboundKey::new(&AES_256_GCM, &self.derive("seal", purpose)).expect("the key has AES-256's length");
        LessSafeKey::new(key)
    }

    fn derive(&self, use_: &str, purpose: &str) -> [u8; 32] {
        let info = [use_.as_bytes(), b":", purpose.as_bytes()];
        let mut key = [0; 32];
        let derived = self
            .0
            .expand(&info, hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut key));
        derived.expect("HKDF-SHA-256 yields 32 bytes");
        key
    }
}

/// SHA-256 (FIPS 180-4).
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, bytes)
        .as_ref()
        .try_into()
        .unwrap_or([0; 32])
}

/// Whether two byte strings are equal, in time that tells nothing of where they differ.
#[must_use]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    sha256(a) == sha256(b)
}

/// Random bytes of the operating system's generator.
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
    fn short_and_malformed_keys_are_refused() {
        assert!(SecretKey::from_base64("c2hvcnQ=").is_err());
        assert!(SecretKey::from_base64("not base64!").is_err());
    }
}
