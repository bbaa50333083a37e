//! What comes in about API keys, and the rule of each field.

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use serde_json::{Value, json};
use usher_api_macros::FromFields;
use usher_shared::{
    accounts::api_keys::{self, KeyEdit, NewKey, Scope},
    foundation::rules::Name,
};
use utoipa::openapi::{ArrayBuilder, Schema};

use crate::toolkit::{
    fields::{Field, Fields, Patch, Violations, integer, string, strings},
    fixed::{Fixed, Sent},
    query::moment,
    schema::{nullable, text, time, whole, with_example},
};

/// A new API key.
#[derive(FromFields)]
#[schema(as = NewApiKey)]
pub(super) struct NewKeyIn {
    /// What it is for.
    #[schema(example = "billing")]
    name: Name,
    scopes: Vec<Scope>,
    /// Networks (CIDR) or single addresses from which alone the key works, 32 at most; none or empty for everywhere.
    allowed_cidrs: Option<Vec<IpNet>>,
    /// Instead of the installation's default.
    requests_per_minute: Option<KeyLimit>,
    /// When it ends, in the future; without it the key works until it is revoked.
    expires_at: Option<KeyEnd>,
}

impl From<NewKeyIn> for NewKey {
    fn from(body: NewKeyIn) -> Self {
        Self {
            name: body.name,
            scopes: body.scopes,
            allowed: body.allowed_cidrs.unwrap_or_default(),
            requests_per_minute: body.requests_per_minute.map(|KeyLimit(limit)| limit),
            expires_at: body.expires_at.map(|KeyEnd(end)| end),
        }
    }
}

/// What to change of a key; what is absent stays as it is (RFC 7396).
#[derive(FromFields)]
#[schema(as = ApiKeyPatch)]
pub(super) struct KeyPatchIn {
    /// What it is for.
    #[schema(example = "billing")]
    name: Patch<Name>,
    scopes: Patch<Vec<Scope>>,
    /// Null or empty for everywhere.
    #[schema(example = json!(["192.0.2.0/24"]))]
    allowed_cidrs: Patch<Option<Vec<IpNet>>>,
    /// Null for the installation's default.
    #[schema(example = 600)]
    requests_per_minute: Patch<Option<KeyLimit>>,
    /// In the future; null for never.
    expires_at: Patch<Option<KeyEnd>>,
    #[schema(fixed = FIXED)]
    pub(super) fixed: Sent,
}

/// Fields of a key that a patch can't change.
const FIXED: &[Fixed] = &[
    Fixed::new("id", "Ids never change"),
    Fixed::new("hint", "POST /api-keys/{id}/rotate makes another secret"),
    Fixed::new("key", "POST /api-keys/{id}/rotate makes another secret"),
    Fixed::new("state", "DELETE /api-keys/{id} revokes a key, and expires_at ends it"),
    Fixed::new("created_by", "It never changes"),
    Fixed::new("created_at", "It never changes"),
    Fixed::moving("last_used_at"),
    Fixed::new("revoked_at", "DELETE /api-keys/{id} revokes a key"),
    Fixed::new("previous_until", "POST /api-keys/{id}/rotate sets it"),
];

impl From<KeyPatchIn> for KeyEdit {
    fn from(body: KeyPatchIn) -> Self {
        Self {
            name: body.name.0,
            scopes: body.scopes.0,
            allowed: body.allowed_cidrs.0.map(Option::unwrap_or_default),
            requests_per_minute: (body.requests_per_minute.0).map(|limit| limit.map(|KeyLimit(limit)| limit)),
            expires_at: body.expires_at.0.map(|end| end.map(|KeyEnd(end)| end)),
        }
    }
}

/// How to rotate.
#[derive(FromFields)]
#[schema(as = ApiKeyRotation)]
pub(super) struct RotateIn {
    /// How long the old secret still works: up to a week, a day unless you say otherwise.
    pub(super) grace_seconds: Grace,
}

impl Field for Vec<Scope> {
    fn read(value: &Value, _: &Fields<'_>) -> Result<Self, Violations> {
        Ok(api_keys::parse_scopes(strings(value)?)?)
    }

    fn schema() -> Schema {
        ArrayBuilder::new()
            .items(text().enum_values(Some(Scope::all().map(Scope::as_str))))
            .min_items(Some(1))
            .description(Some(
                "What the key may do. At least one; one that is named twice counts once.",
            ))
            .examples([json!(["users:read", "users:write"])])
            .into()
    }
}

impl Field for Vec<IpNet> {
    fn read(value: &Value, _: &Fields<'_>) -> Result<Self, Violations> {
        Ok(api_keys::parse_networks(strings(value)?)?)
    }

    fn schema() -> Schema {
        let networks = ArrayBuilder::new().items(text());
        let networks = networks.max_items(Some(api_keys::MAX_NETWORKS));
        with_example(networks, json!(["192.0.2.0/24", "2001:db8::/32"]))
    }
}

/// Requests per minute.
struct KeyLimit(i32);

impl Field for KeyLimit {
    fn read(value: &Value, _: &Fields<'_>) -> Result<Self, Violations> {
        Ok(Self(api_keys::parse_limit(integer(value)?)?))
    }

    fn schema() -> Schema {
        with_example(whole(1, 1_000_000), json!(1200))
    }
}

/// When a key ends.
struct KeyEnd(DateTime<Utc>);

impl Field for KeyEnd {
    fn read(value: &Value, _: &Fields<'_>) -> Result<Self, Violations> {
        Ok(Self(api_keys::check_end(moment(string(value)?)?)?))
    }

    fn schema() -> Schema {
        time()
    }
}

/// Seconds; null stands for the default, and so does an absent field.
pub(super) struct Grace(pub(super) u32);

impl Field for Grace {
    fn absent() -> Option<Self> {
        Some(Self(api_keys::GRACE))
    }

    fn read(value: &Value, _: &Fields<'_>) -> Result<Self, Violations> {
        match value {
            Value::Null => Ok(Self(api_keys::GRACE)),
            value => Ok(Self(api_keys::parse_grace(integer(value)?)?)),
        }
    }

    fn schema() -> Schema {
        let seconds = whole(0, api_keys::MAX_GRACE).default(Some(json!(api_keys::GRACE)));
        nullable(with_example(seconds, json!(3600)))
    }
}
