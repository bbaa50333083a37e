//! `#[derive(ApiEnum)]`, by which an enum is the same in the database, on the wire and in the document.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Error, Ident};

use crate::{
    attributes::{api, comment},
    from_fields::option,
};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream, Error> {
    let (api, name, about) = (api()?, &input.ident, comment(&input.attrs));
    let word = option::<Ident>(&input.attrs, "as")?;
    let word = word.as_ref().unwrap_or(name).to_string();
    Ok(quote! {
        impl #api::__private::serde::Serialize for #name {
            fn serialize<S: #api::__private::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&#api::__private::ActiveEnum::to_value(self))
            }
        }

        impl #api::__private::PartialSchema for #name {
            fn schema() -> #api::__private::RefOr<#api::__private::Schema> {
                #api::__private::enum_schema::<Self>(#about).into()
            }
        }

        impl #api::__private::ToSchema for #name {
            fn name() -> ::std::borrow::Cow<'static, str> {
                #word.into()
            }
        }

        impl #api::Field for #name {
            fn read(
                value: &#api::__private::serde_json::Value,
                _: &#api::Fields<'_>,
            ) -> Result<Self, #api::Violations> {
                Ok(#api::__private::parse_enum(#api::string(value)?)?)
            }

            fn schema() -> #api::__private::Schema {
                #api::__private::enum_schema::<Self>(#about)
            }
        }

        impl #api::QueryValue for #name {
            fn parse(text: &str) -> Result<Self, #api::Violation> {
                #api::__private::parse_enum(text)
            }

            fn schema() -> #api::__private::Schema {
                #api::__private::enum_schema::<Self>(#about)
            }
        }

        impl #api::Stored for #name {
            type Column = Self;

            fn active(self) -> #api::__private::ActiveValue<Self> {
                #api::__private::ActiveValue::Set(self)
            }
        }
    })
}
