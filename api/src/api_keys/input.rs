//! What comes in about API keys, and the rule of each field.

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use serde_json::json;
use usher_shared::{
    accounts::api_keys::{self, KeyEdit, NewKey, Scope},
    foundation::rules::{Name, Violation},
};
use utoipa::{
    ToSchema,
    openapi::{Array, ArrayBuilder, Object, Type},
};

use crate::toolkit::{
    fields::{Fields, FromFields},
    fixed::{Fixed, Sent},
    query::moment,
    schema,
    state::Toolkit,
};

/// A key to make.
#[derive(ToSchema)]
#[schema(as = NewApiKey)]
pub(super) struct NewKeyIn {
    #[schema(schema_with = schema::key_name)]
    name: Name,
    #[schema(schema_with = scopes_schema)]
    scopes: Vec<Scope>,
    /// Networks (CIDR) or single addresses from which alone the key works, 32 at most; none or empty for everywhere.
    #[schema(example = json!(["192.0.2.0/24", "2001:db8::/32"]), value_type = Option<Vec<String>>, max_items = 32)]
    allowed_cidrs: Option<Vec<IpNet>>,
    /// Instead of the installation's default.
    #[schema(example = 1200, value_type = Option<i32>, minimum = 1, maximum = 1_000_000)]
    requests_per_minute: Option<i32>,
    /// When it ends, in the future; without it the key works until it is revoked.
    #[schema(example = "2100-01-01T00:00:00Z")]
    expires_at: Option<DateTime<Utc>>,
}

impl FromFields for NewKeyIn {
    fn from_fields(fields: &mut Fields<'_>, _: &Toolkit) -> Option<Self> {
        let name = fields.required("name", Name::parse);
        let scopes = fields.required("scopes", parse_scopes);
        let allowed_cidrs = fields.optional("allowed_cidrs", parse_networks);
        let requests_per_minute = fields.optional("requests_per_minute", api_keys::parse_limit);
        let expires_at = fields.optional("expires_at", parse_end);
        Some(Self {
            name: name?,
            scopes: scopes?,
            allowed_cidrs: allowed_cidrs?,
            requests_per_minute: requests_per_minute?,
            expires_at: expires_at?,
        })
    }
}

impl From<NewKeyIn> for NewKey {
    fn from(body: NewKeyIn) -> Self {
        Self {
            name: body.name,
            scopes: body.scopes,
            allowed: body.allowed_cidrs.unwrap_or_default(),
            requests_per_minute: body.requests_per_minute,
            expires_at: body.expires_at,
        }
    }
}

/// What to change of a key; what is absent stays as it is (RFC 7396).
#[derive(ToSchema)]
#[schema(as = ApiKeyPatch)]
pub(super) struct KeyPatchIn {
    #[schema(schema_with = schema::key_name, required = false)]
    name: Option<Name>,
    #[schema(schema_with = scopes_schema, required = false)]
    scopes: Option<Vec<Scope>>,
    /// Null or empty for everywhere.
    #[schema(example = json!(["192.0.2.0/24"]), value_type = Option<Vec<String>>, max_items = 32)]
    allowed_cidrs: Option<Option<Vec<IpNet>>>,
    /// Null for the installation's default.
    #[schema(example = 600, value_type = Option<i32>, minimum = 1, maximum = 1_000_000)]
    requests_per_minute: Option<Option<i32>>,
    /// In the future; null for never.
    #[schema(example = "2100-01-01T00:00:00Z", value_type = Option<DateTime<Utc>>)]
    expires_at: Option<Option<DateTime<Utc>>>,
    #[schema(ignore)]
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

impl FromFields for KeyPatchIn {
    fn from_fields(fields: &mut Fields<'_>, _: &Toolkit) -> Option<Self> {
        let name = fields.change("name", Name::parse);
        let scopes = fields.change("scopes", parse_scopes);
        let allowed_cidrs = fields.change_or_clear("allowed_cidrs", parse_networks);
        let requests_per_minute = fields.change_or_clear("requests_per_minute", api_keys::parse_limit);
        let expires_at = fields.change_or_clear("expires_at", parse_end);
        Some(Self {
            name: name?,
            scopes: scopes?,
            allowed_cidrs: allowed_cidrs?,
            requests_per_minute: requests_per_minute?,
            expires_at: expires_at?,
            fixed: Sent::read(fields, FIXED),
        })
    }
}

impl From<KeyPatchIn> for KeyEdit {
    fn from(body: KeyPatchIn) -> Self {
        Self {
            name: body.name,
            scopes: body.scopes,
            allowed: body.allowed_cidrs.map(Option::unwrap_or_default),
            requests_per_minute: body.requests_per_minute,
            expires_at: body.expires_at,
        }
    }
}

/// How to rotate.
#[derive(ToSchema)]
#[schema(as = ApiKeyRotation)]
pub(super) struct RotateIn {
    /// How long the old secret still works: up to a week, a day unless you say otherwise.
    #[schema(example = 3600, value_type = Option<u32>, minimum = 0, maximum = 604_800, default = 86_400)]
    pub(super) grace_seconds: u32,
}

impl FromFields for RotateIn {
    fn from_fields(fields: &mut Fields<'_>, _: &Toolkit) -> Option<Self> {
        let grace = fields.optional("grace_seconds", api_keys::parse_grace)?;
        let grace_seconds = grace.unwrap_or(api_keys::GRACE);
        Some(Self { grace_seconds })
    }
}

fn scopes_schema() -> Array {
    let mut scope = Object::with_type(Type::String);
    scope.enum_values = Some(Scope::ALL.iter().map(|scope| scope.as_str().into()).collect());
    ArrayBuilder::new()
        .items(scope)
        .min_items(Some(1))
        .description(Some(
            "What the key may do. At least one; one that is named twice counts once.",
        ))
        .examples([json!(["users:read", "users:write"])])
        .build()
}

fn parse_scopes(words: Vec<&str>) -> Result<Vec<Scope>, Violation> {
    api_keys::parse_scopes(words)
}

fn parse_networks(texts: Vec<&str>) -> Result<Vec<IpNet>, Violation> {
    api_keys::parse_networks(texts)
}

fn parse_end(text: &str) -> Result<DateTime<Utc>, Violation> {
    api_keys::check_end(moment(text)?)
}
