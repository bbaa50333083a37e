//! `new_sign_in`: somebody signed in from a device that the account did not know.

use sea_orm::EntityTrait;
use usher_shared::{foundation::entity::session, jobs::NewSignIn};

use crate::{JobContext, JobError, Letter, letter::moment};

pub(super) async fn send(job: NewSignIn, context: JobContext) -> Result<(), JobError> {
    let session = session::Entity::find_by_id(job.session_id).one(&context.db).await?;
    let (Some(user), Some(session)) = (context.account(job.user_id).await?, session) else {
        return Ok(());
    };
    let (product, app) = (context.product(), &context.config.app_url);
    let letter = Letter::new("A new sign-in to your account")
        .line(format!("Somebody signed in to your account at {product} from a device that was not used before. If it was you, all is well."))
        .line(format!("If it was not you, somebody else knows your password: ask for a new one at {app} now."))
        .fact("When", moment(session.created_at))
        .fact("Device", device(session.user_agent.as_deref().unwrap_or_default()))
        .fact("Address", session.address.as_deref().unwrap_or("unknown"))
        .why(format!("You receive this mail because it is about the safety of your account at {product}."));
    context.post(&user, letter).await
}

/// Browser and system in our words: whoever signs in chooses the header, and must not write into our mail.
pub(super) fn device(user_agent: &str) -> String {
    let known = |names: &[(&str, &'static str)]| {
        let name = names.iter().find(|(mark, _)| user_agent.contains(mark));
        name.map(|(_, name)| *name)
    };
    // In this order, because most claim to be Safari, and some to be Chrome.
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
        (None, None) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::device;

    #[test]
    fn a_device_is_told_in_our_words() {
        for (user_agent, expected) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            ("curl/8.5.0", "unknown"),
            ("Visit https://evil.example now", "unknown"),
            ("", "unknown"),
        ] {
            assert_eq!(device(user_agent), expected, "{user_agent}");
        }
    }
}
