//! The device of a session, for people.

use usher_shared::foundation::entity::session;

use crate::texts;

/// Browser and system in our words: anyone who signs in chooses the header, and must not write into our mail.
pub(super) fn device(session: &session::Model) -> String {
    named(session.user_agent.as_deref().unwrap_or_default())
}

fn named(user_agent: &str) -> String {
    let known = |names: &[(&str, &'static str)]| {
        let name = names.iter().find(|(mark, _)| user_agent.contains(mark));
        name.map(|(_, name)| *name)
    };
    // The order matters: most claim to be Safari, and some to be Chrome.
    let browser = known(&[
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser/", "Samsung Internet"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("CriOS/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = known(&[
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(only), None) | (None, Some(only)) => only.to_owned(),
        (None, None) => texts::UNKNOWN.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn a_device_is_told_in_our_words() {
        for (user_agent, expected) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            ("curl/8.5.0", "unknown"),
            ("Visit https://evil.example now", "unknown"),
            ("", "unknown"),
        ] {
            assert_eq!(named(user_agent), expected, "{user_agent}");
        }
    }
}
