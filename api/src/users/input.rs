//! A new user as it comes in.

use usher_shared::foundation::rules::{Age, Email, Name};
use utoipa::ToSchema;

use crate::toolkit::{
    fields::{Fields, FromFields},
    schema,
    state::Toolkit,
};

/// A person to sign up.
#[derive(ToSchema)]
#[schema(as = NewUser)]
pub(super) struct CreateUserIn {
    #[schema(schema_with = schema::name)]
    pub(super) name: Name,
    #[schema(schema_with = schema::email)]
    pub(super) email: Email,
    /// In whole years.
    #[schema(example = 36, value_type = Option<i16>, minimum = 0, maximum = 150)]
    pub(super) age: Option<Age>,
}

impl FromFields for CreateUserIn {
    fn from_fields(fields: &mut Fields<'_>, state: &Toolkit) -> Option<Self> {
        let name = fields.required("name", Name::parse);
        let email = fields.required("email", |raw| Email::parse(raw, state.config.email_policy));
        let age = fields.optional("age", Age::parse);
        Some(Self {
            name: name?,
            email: email?,
            age: age?,
        })
    }
}
