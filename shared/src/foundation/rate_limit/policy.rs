//! What is rate limited and by how much, and the setting `RATE_LIMITS`, which changes that.

use std::time::Duration;

use strum::{IntoStaticStr, VariantArray};

use super::quota::Quota;

/// Something that is rate limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum Policy {
    /// Requests with one API key, unless it has its own limit.
    Key,
    /// Requests of one user, in all sessions together.
    User,
    /// Sign-ups from one address without a credential.
    SignUp,
    /// Passwords sent from one address to the hosted pages.
    SetPassword,
    /// Sign-ins from one address.
    LogIn,
    /// Wrong passwords and codes for one account; unknown clients and known devices are counted separately.
    LogInFailures,
    /// Consecutive wrong codes for one account. NIST SP 800-63B §5.2.2: no more than 100.
    CodeFailures,
    /// Unauthenticated requests from one address that change something, before they are parsed.
    Anonymous,
    /// Refreshes from one address, which many users may share.
    Refresh,
    /// Mails to one mailbox that anybody can request.
    Mail,
    /// Mails requested from one address, to any mailbox.
    MailRequests,
    /// Mailed tokens presented from one address.
    MailedToken,
}

impl Policy {
    pub const ALL: [Self; Self::VARIANTS.len()] = *Self::VARIANTS.first_chunk().expect("of this length");

    /// Its name in `RATE_LIMITS` and the `RateLimit` header.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.into_str()
    }

    const fn quota(self) -> Quota {
        match self {
            Self::Key | Self::User => Quota::per_minute(600),
            Self::SignUp => Quota::per_hour(10),
            Self::SetPassword | Self::LogInFailures => Quota::per_hour(20),
            Self::LogIn => Quota::per_minute(5),
            Self::CodeFailures => Quota {
                burst: 100,
                period: Duration::from_secs(30 * 86_400),
            },
            Self::Anonymous => Quota::per_minute(300),
            Self::Refresh => Quota::per_minute(120),
            Self::Mail => Quota {
                burst: 3,
                period: Duration::from_secs(3 * 3_600),
            },
            Self::MailRequests => Quota::per_hour(30),
            Self::MailedToken => Quota::per_minute(30),
        }
    }
}

/// `RATE_LIMITS`: whether anything is limited, and the quotas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimits {
    pub enabled: bool,
    quotas: [Quota; Policy::ALL.len()],
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            enabled: true,
            quotas: Policy::ALL.map(Policy::quota),
        }
    }
}

impl RateLimits {
    /// Parses `on`, `off`, or changes to the built-in quotas, such as `log-in=20/min, mail=5/2h`. The error completes
    /// the sentence "RATE_LIMITS …".
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut limits = Self::default();
        match text.to_ascii_lowercase().as_str() {
            "on" | "true" | "yes" | "1" => {}
            "off" | "false" | "no" | "0" => limits.enabled = false,
            changes => {
                for change in changes.split([',', ' ']).filter(|change| !change.is_empty()) {
                    limits.change(change)?;
                }
            }
        }
        Ok(limits)
    }

    fn change(&mut self, change: &str) -> Result<(), String> {
        let parts = change.split_once('=');
        let (name, quota) = parts.ok_or_else(|| format!("has {change:?}, which is neither on nor off nor a limit"))?;
        let known = Policy::ALL.into_iter().find(|policy| policy.name() == name);
        let policy = known.ok_or_else(|| {
            let names = Policy::ALL.map(Policy::name).join(", ");
            format!("limits {name:?}, which is none of {names}")
        })?;
        self.quotas[policy as usize] =
            parse_quota(quota).ok_or_else(|| format!("has {change:?}, whose quota is not like 20/min or 3/2h"))?;
        Ok(())
    }

    #[must_use]
    pub fn quota(&self, policy: Policy) -> Quota {
        self.quotas[policy as usize]
    }
}

/// 1 to 1,000,000 in up to a day, such as `20/min` or `3/2h`.
fn parse_quota(text: &str) -> Option<Quota> {
    let (burst, period) = text.split_once('/')?;
    let unit = period.trim_start_matches(|digit: char| digit.is_ascii_digit());
    let seconds: u64 = match unit {
        "s" => 1,
        "min" => 60,
        "h" => 3_600,
        _ => return None,
    };
    let times = match &period[..period.len() - unit.len()] {
        "" => 1,
        digits => digits.parse::<u64>().ok()?,
    };
    let period = times
        .checked_mul(seconds)
        .filter(|period| (1..=86_400).contains(period))?;
    let burst: u32 = burst.parse().ok().filter(|burst| (1..=1_000_000).contains(burst))?;
    Some(Quota {
        burst,
        period: Duration::from_secs(period),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_changes_and_the_rest_stays() {
        let limits = RateLimits::parse("log-in=20/min, mail=5/2h,key=100/s").unwrap();
        assert_eq!(limits.quota(Policy::LogIn), Quota::per_minute(20));
        let mail = Quota {
            burst: 5,
            period: Duration::from_secs(7_200),
        };
        assert_eq!(limits.quota(Policy::Mail), mail);
        assert_eq!(limits.quota(Policy::Key).period, Duration::from_secs(1));
        assert_eq!(limits.quota(Policy::User), Quota::per_minute(600));
        assert!(limits.enabled && !RateLimits::parse("OFF").unwrap().enabled);
        assert_eq!(RateLimits::parse("on").unwrap(), RateLimits::default());
    }

    #[test]
    fn each_policy_has_a_place_of_its_own() {
        for policy in Policy::ALL {
            let limits = RateLimits::parse(&format!("{}=77/7s", policy.name())).unwrap();
            let changed = Policy::ALL.into_iter().filter(|other| limits.quota(*other).burst == 77);
            assert_eq!(changed.collect::<Vec<_>>(), [policy]);
        }
    }

    #[test]
    fn nonsense_is_told() {
        for text in [
            "maybe",
            "log-in",
            "log-in=",
            "log-in=5",
            "log-in=5/",
            "log-in=0/min",
            "log-in=-1/min",
            "log-in=5/0min",
            "log-in=5/day",
            "log-in=5/25h",
            "log-in=1000001/min",
            "login=5/min",
            "log-in=5/99999999999999999999h",
        ] {
            assert!(RateLimits::parse(text).is_err(), "{text}");
        }
    }
}
