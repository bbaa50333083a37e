//! Which events a caller asks for, and which of them they may see.

use usher_shared::{
    accounts::api_keys::Scope,
    events::{EventType, Selection},
    foundation::rules::{Violation, ViolationKind},
};
use utoipa::IntoParams;

use crate::toolkit::{
    caller::Caller,
    code::Code,
    error::ApiError,
    fields::{FieldError, Step},
    query::{FromQuery, Parameters},
    state::Toolkit,
};

/// Events on a page unless the client says otherwise.
const DEFAULT_LIMIT: u64 = 50;
const MAX_LIMIT: u64 = 500;
/// More patterns than this are a mistake.
const MAX_PATTERNS: usize = 50;

/// What a reader of the stream asks.
pub(super) struct EventsQuery {
    pub(super) after: Option<i64>,
    pub(super) limit: u64,
    patterns: Vec<String>,
}

impl FromQuery for EventsQuery {
    fn from_query(parameters: &mut Parameters, _: &Toolkit) -> Self {
        Self {
            after: parameters.optional("after", position),
            patterns: parameters
                .optional("types", patterns)
                .unwrap_or_else(|| vec!["*".to_owned()]),
            limit: parameters.optional("limit", limit).unwrap_or(DEFAULT_LIMIT),
        }
    }

    fn sample_fault() -> FieldError {
        let violation = position("x").expect_err("no number");
        FieldError::new("query", Some(Step::Key("after".into())), violation)
    }
}

/// The parameters, for the document.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only describes what `EventsQuery` reads")]
pub(super) struct EventsIn {
    /// Only what comes after this position: `next_after` of the page before, or the `position` of an event. Without it
    /// pages begin with the oldest event there is, and streams with what happens from now on.
    #[param(example = 4711, minimum = 0)]
    after: Option<i64>,
    /// Only these types, with commas between; `user.*` for all of an object. Without it, all that you may see.
    #[param(example = "user.created,user.deleted")]
    types: Option<String>,
    /// How many events a page has at most. Streams have no pages.
    #[param(example = 50, minimum = 1, maximum = 500)]
    limit: Option<u64>,
}

/// The header of a stream that goes on, for the document.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only describes what `last_event_id` reads")]
pub(super) struct StreamIn {
    /// For streams, instead of `after`: browsers send it by themselves when they connect again.
    #[param(rename = "Last-Event-ID", example = "4711")]
    last_event_id: Option<String>,
}

/// A position in the stream.
pub(super) fn position(text: &str) -> Result<i64, Violation> {
    let number = text.parse().ok().filter(|number| *number >= 0);
    number.ok_or_else(|| Violation::new(ViolationKind::IntParsing, "Write a position: a whole number from 0 up"))
}

fn limit(text: &str) -> Result<u64, Violation> {
    let limit: u64 = text
        .parse()
        .map_err(|_| Violation::new(ViolationKind::IntParsing, "The limit must be a whole number"))?;
    if (1..=MAX_LIMIT).contains(&limit) {
        Ok(limit)
    } else {
        Err(Violation::value(format!("The limit can be 1 to {MAX_LIMIT}")))
    }
}

fn patterns(text: &str) -> Result<Vec<String>, Violation> {
    check_patterns(text.split(',').map(|pattern| pattern.trim().to_owned()).collect())
}

/// Types, such as `user.created` and `user.*`.
pub(super) fn check_patterns(patterns: Vec<String>) -> Result<Vec<String>, Violation> {
    if patterns.len() > MAX_PATTERNS {
        return Err(Violation::value(format!("Name at most {MAX_PATTERNS} types")));
    }
    if patterns.is_empty() {
        return Err(Violation::value(
            "Name a type, or leave types out for all that you may see",
        ));
    }
    match patterns
        .iter()
        .find(|pattern| EventType::matching(pattern).next().is_none())
    {
        None => Ok(patterns),
        Some(unknown) => {
            let known: Vec<_> = EventType::all().map(EventType::as_str).collect();
            Err(Violation::value(format!(
                "There is no type {unknown}; use {}, or such as user.* for all of an object",
                known.join(", ")
            )))
        }
    }
}

impl EventsQuery {
    /// What the caller gets of what they ask for.
    ///
    /// # Errors
    ///
    /// If they may see nothing of it.
    pub(super) fn selection(&self, caller: &Caller) -> Result<Selection, ApiError> {
        select(&self.patterns, caller)
    }
}

/// What a caller gets of these types: an API key those that its scopes show, a signed-in person what is about them.
///
/// # Errors
///
/// If they may see nothing of it.
pub(super) fn select(patterns: &[String], caller: &Caller) -> Result<Selection, ApiError> {
    let wanted = patterns.iter().flat_map(|pattern| EventType::matching(pattern));
    let (mut kinds, user_id): (Vec<_>, _) = match caller {
        Caller::Anonymous => return Err(Code::AUTHENTICATION_REQUIRED.into()),
        Caller::Key(key) => {
            let has = |kind: &EventType| key.scopes.split(' ').any(|scope| scope == kind.scope());
            (wanted.filter(has).map(EventType::as_str).collect(), None)
        }
        Caller::User(signed) => {
            let own = wanted.filter(|kind| kind.is_for_owner());
            (own.map(EventType::as_str).collect(), Some(signed.user.id))
        }
    };
    if kinds.is_empty() {
        return Err(ApiError::InsufficientScope(&[Scope::USERS_READ]));
    }
    kinds.sort_unstable();
    kinds.dedup();
    Ok(Selection { kinds, user_id })
}
