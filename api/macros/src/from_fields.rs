//! `#[derive(FromFields)]`, by which the reader of a request body and its schema come from one struct.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, DeriveInput, Error, Expr};

use crate::attributes::{api, comment, fields, options};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream, Error> {
    let api = api()?;
    let body = &input.ident;
    let name = match option(&input.attrs, "as")? {
        Some(name) => quote!(#name).to_string(),
        None => body.to_string().trim_end_matches("In").to_owned(),
    };
    let about = comment(&input.attrs);
    let (mut reads, mut values, mut properties) = (vec![], vec![], vec![]);
    for (name, field) in fields(input, "FromFields")? {
        let (kind, word) = (&field.ty, name.to_string());
        let word = word.trim_start_matches("r#");
        if let Some(list) = option(&field.attrs, "fixed")? {
            values.push(quote!(#name: <#kind>::read(fields, #list)));
            continue;
        }
        let about = comment(&field.attrs);
        let example = match option(&field.attrs, "example")? {
            Some(example) => quote!(Some(#api::__private::serde_json::json!(#example))),
            None => quote!(None),
        };
        reads.push(quote!(let #name = fields.read::<#kind>(#word);));
        values.push(quote!(#name: #name?));
        properties.push(quote!(.field::<#kind>(#word, #about, #example)));
    }
    Ok(quote! {
        impl #api::FromFields for #body {
            fn from_fields(fields: &mut #api::Fields<'_>) -> Option<Self> {
                #(#reads)*
                Some(Self { #(#values),* })
            }
        }

        impl #api::__private::PartialSchema for #body {
            fn schema() -> #api::__private::RefOr<#api::__private::Schema> {
                #api::__private::BodySchema::new(#about)
                    #(#properties)*
                    .into()
            }
        }

        impl #api::__private::ToSchema for #body {
            fn name() -> ::std::borrow::Cow<'static, str> {
                #name.into()
            }
        }
    })
}

/// The value of this option of `#[schema(…)]`.
fn option(attributes: &[Attribute], wanted: &str) -> Result<Option<Expr>, Error> {
    let mut found = None;
    options(attributes, "schema", |option| {
        let value = option.value()?.parse()?;
        if option.path.is_ident(wanted) {
            found = Some(value);
        }
        Ok(())
    })?;
    Ok(found)
}
