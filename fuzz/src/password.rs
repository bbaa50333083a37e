//! Passwords: the same whichever form they are sent in, never shown, and refused where they are what everybody knows.

use usher_shared::foundation::rules::Password;

/// What somebody wants for a password, and behind a line break their name.
pub fn password(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let (raw, name) = text.split_once('\n').unwrap_or((text, ""));
    let own = [name, "ada@example.org"];
    match Password::parse(raw, &own) {
        Ok(taken) => {
            assert!(raw.len() <= 2_048);
            assert!(!raw.contains('\0') && format!("{taken:?}") == "Password(…)");
            // Nobody has a word of their own more, and it is the same password without one.
            assert!(Password::parse(raw, &[]).is_ok());
        }
        Err(reasons) => {
            assert!(!reasons.is_empty());
            assert!(
                reasons.iter().all(|reason| reason.message.contains(" password ")),
                "{reasons:?}"
            );
        }
    }
}
