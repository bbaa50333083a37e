//! Codes of authenticator apps: taken are those of three steps, however they are spaced, and no others.

use arbitrary::Unstructured;
use totp_rs::{Algorithm, Builder, Secret};
use usher_shared::accounts::mfa::totp;

const SECRET: &[u8] = b"12345678901234567890";
const STEP: i64 = 30;

/// A moment, then what somebody typed.
pub fn codes(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let (Ok(at), Ok(typed)) = (input.arbitrary::<i64>(), input.arbitrary::<&str>()) else {
        return;
    };
    let digits: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
    match totp::step_of(SECRET, typed, at) {
        Some(step) => {
            assert!((at.div_euclid(STEP) - step).abs() <= 1, "RFC 6238 §5.2: {step} at {at}");
            assert_eq!(code(step), digits);
        }
        None => assert!(near(at).all(|step| code(step) != digits), "{digits} is right at {at}"),
    }
    // The right code, spaced as somebody might.
    for step in near(at) {
        let spaced: String = code(step).chars().flat_map(|digit| [digit, ' ']).collect();
        assert!(totp::step_of(SECRET, &spaced, at).is_some());
    }
}

/// The steps whose codes are taken at a moment; those before 1970 have none.
fn near(at: i64) -> impl Iterator<Item = i64> {
    let now = at.div_euclid(STEP);
    (now - 1..=now + 1).filter(move |step| at >= 0 && *step >= 0)
}

fn code(step: i64) -> String {
    let app = Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_step_duration(STEP.unsigned_abs())
        .with_secret(Secret::from(SECRET.to_vec()))
        .build_noncompliant();
    app.generate(step.unsigned_abs() * STEP.unsigned_abs()).to_string()
}
