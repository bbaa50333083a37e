//! Time-based one-time codes (RFC 6238): SHA-1, six digits, 30 seconds, which every authenticator app supports.

use crate::foundation::crypto::random;
use qrcode::{EcLevel, QrCode, render::svg};
use totp_rs::{Algorithm, Builder, Secret, Totp};

/// RFC 4226 section 4 recommends 160 bits.
pub const SECRET_BYTES: usize = 20;

/// A new secret.
pub fn new_secret() -> [u8; SECRET_BYTES] {
    random()
}

/// The 30-second step that this code belongs to, at most one step from `at` (Unix seconds); RFC 6238 section 5.2.
pub fn step_of(secret: &[u8], code: &str, at: i64) -> Option<i64> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let at = u64::try_from(at).ok()?;
    totp(secret).check(&code, at).and_then(|step| i64::try_from(step).ok())
}

/// The secret as people type it: base32 in groups of four.
pub fn readable(secret: &[u8]) -> String {
    let base32 = Secret::from(secret.to_vec()).to_base32();
    let groups: Vec<_> = base32.as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
    groups.join(" ")
}

/// The address that authenticator apps read from the QR code. The issuer is the product's name.
pub fn address(issuer: &str, account: &str, secret: &[u8]) -> String {
    // A colon separates issuer and account, also as %3A.
    let encoded = |text: &str| -> String {
        let text = text.replace(':', " ");
        let parts = url::form_urlencoded::byte_serialize(text.as_bytes());
        // Apps don't decode a plus sign.
        parts.map(|part| part.replace('+', "%20")).collect()
    };
    let (issuer, account) = (encoded(issuer), encoded(account));
    let base32 = Secret::from(secret.to_vec()).to_base32();
    format!("otpauth://totp/{issuer}:{account}?secret={base32}&issuer={issuer}")
}

/// The address as a QR code in SVG, or none if it is too long for one.
pub fn qr_code(address: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(address, EcLevel::M).ok()?;
    let mut picture = code.render::<svg::Color<'_>>();
    picture.min_dimensions(208, 208).quiet_zone(true);
    Some(
        picture
            .dark_color(svg::Color("#000"))
            .light_color(svg::Color("#fff"))
            .build(),
    )
}

fn totp(secret: &[u8]) -> Totp {
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_skew(1)
        .with_step_duration(30)
        .with_secret(Secret::from(secret.to_vec()))
        .build_noncompliant()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_rfc_6238() {
        // Appendix B, cut to six digits.
        let secret = b"12345678901234567890";
        assert_eq!(step_of(secret, "287082", 59), Some(1));
        assert_eq!(step_of(secret, "081804", 1_111_111_109), Some(37_037_036));
        assert_eq!(step_of(secret, "005 924", 1_234_567_890), Some(41_152_263));
    }

    #[test]
    fn the_address_names_the_issuer_and_the_account_as_apps_read_them() {
        let said = address(
            "Acme & Söhne: Sign-in",
            "ada+1@example.com (Phone)",
            b"12345678901234567890",
        );
        assert_eq!(
            said,
            "otpauth://totp/Acme%20%26%20S%C3%B6hne%20%20Sign-in:ada%2B1%40example.com%20%28Phone%29\
             ?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Acme%20%26%20S%C3%B6hne%20%20Sign-in"
        );
    }

    #[test]
    fn one_step_of_skew_is_forgiven_and_two_are_not() {
        let secret = b"12345678901234567890";
        assert_eq!(step_of(secret, "287082", 30 + 30), Some(1));
        assert_eq!(step_of(secret, "287082", 29), Some(1));
        assert_eq!(step_of(secret, "287082", 90), None);
        for wrong in ["", "28708", "2870822", "abcdef", "٢٨٧٠٨٢", "+87082"] {
            assert_eq!(step_of(secret, wrong, 59), None, "{wrong}");
        }
    }
}
