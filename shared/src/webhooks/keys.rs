//! What signs the events of an endpoint: Standard Webhooks 1.0, symmetric (`v1`) and asymmetric (`v1a`). Every request
//! carries both signatures; receivers check the one they can.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::{
    hmac,
    signature::{Ed25519KeyPair, KeyPair},
};

use crate::foundation::crypto::{SecretKey, random};

pub(super) const PURPOSE: &str = "webhook keys";
const HALF: usize = 32;

/// The keys of one endpoint.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// For HMAC-SHA-256; the receiver has it too.
    secret: [u8; HALF],
    /// Of the ed25519 key, which nobody else has.
    seed: [u8; HALF],
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(…)")
    }
}

impl Keys {
    #[must_use]
    pub fn generate() -> Self {
        Self {
            secret: random(),
            seed: random(),
        }
    }

    pub(super) fn seal(&self, key: &SecretKey) -> Vec<u8> {
        key.seal(PURPOSE, &[self.secret, self.seed].concat())
    }

    /// None if no key opens it.
    pub(super) fn open(key: &SecretKey, sealed: &[u8]) -> Option<Self> {
        let plain = key.open(PURPOSE, sealed)?;
        let (secret, seed) = plain.split_at_checked(HALF)?;
        Some(Self {
            secret: secret.try_into().ok()?,
            seed: seed.try_into().ok()?,
        })
    }

    /// The shared secret: `whsec_` and base64.
    #[must_use]
    pub fn secret(&self) -> String {
        format!("whsec_{}", STANDARD.encode(self.secret))
    }

    /// The public key: `whpk_` and base64.
    #[must_use]
    pub fn public_key(&self) -> String {
        format!("whpk_{}", STANDARD.encode(self.pair().public_key()))
    }

    /// Signatures of a request, separated by a space. `timestamp` is in Unix seconds.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let message = format!("{id}.{timestamp}.{body}");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.secret);
        let symmetric = STANDARD.encode(hmac::sign(&key, message.as_bytes()));
        let asymmetric = STANDARD.encode(self.pair().sign(message.as_bytes()));
        format!("v1,{symmetric} v1a,{asymmetric}")
    }

    fn pair(&self) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&self.seed).expect("32 bytes are a seed")
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    /// The example of the specification's own test suite.
    #[test]
    fn the_symmetric_signature_is_that_of_the_specification() {
        let mut secret = [0; HALF];
        let known = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        secret[..known.len()].copy_from_slice(&known);
        // HMAC pads its key with zeros, so a shorter key and the same with zeros behind sign alike.
        let keys = Keys {
            secret,
            seed: [7; HALF],
        };
        let signed = keys.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}");
        assert!(
            signed.starts_with("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1a,"),
            "{signed}"
        );
    }

    #[test]
    fn the_asymmetric_signature_is_checked_with_the_public_key() {
        let keys = Keys::generate();
        let signed = keys.sign("a", 1, "{}");
        let signature = STANDARD.decode(signed.split_once("v1a,").unwrap().1).unwrap();
        let public = STANDARD
            .decode(keys.public_key().strip_prefix("whpk_").unwrap())
            .unwrap();
        let public = UnparsedPublicKey::new(&ED25519, public);
        assert!(public.verify(b"a.1.{}", &signature).is_ok());
        assert!(public.verify(b"a.2.{}", &signature).is_err());
    }

    #[test]
    fn sealed_keys_open_with_their_key_alone() {
        let new_key = || SecretKey::from_base64(&SecretKey::generate_base64()).unwrap();
        let (keys, key) = (Keys::generate(), new_key());
        let sealed = keys.seal(&key);
        assert_eq!(Keys::open(&key, &sealed), Some(keys));
        assert_eq!(Keys::open(&new_key(), &sealed), None);
    }
}
