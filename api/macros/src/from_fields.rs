//! `#[derive(FromFields)]`, by which the reader of a request body and its schema come from one struct.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, DeriveInput, Error, Expr, Ident, Path, Token, parse::Parse, parse_quote};

use crate::attributes::{api, beside, comment, fields, options};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream, Error> {
    let api = api()?;
    let body = &input.ident;
    let name = match option::<Ident>(&input.attrs, "as")? {
        Some(name) => name.to_string(),
        None => body.to_string().trim_end_matches("In").to_owned(),
    };
    let about = comment(&input.attrs);
    let (mut reads, mut values, mut properties, mut stored) = (vec![], vec![], vec![], vec![]);
    for (name, field) in fields(input, "FromFields")? {
        let (kind, word) = (&field.ty, name.to_string());
        let word = word.trim_start_matches("r#");
        if let Some(list) = option::<Expr>(&field.attrs, "fixed")? {
            values.push(quote!(#name: <#kind>::read(fields, #list)));
            continue;
        }
        let about = comment(&field.attrs);
        let example = match option::<Expr>(&field.attrs, "example")? {
            Some(example) => quote!(Some(#api::__private::serde_json::json!(#example))),
            None => quote!(None),
        };
        reads.push(quote!(let #name = fields.read::<#kind>(#word);));
        values.push(quote!(#name: #name?));
        if !has(&field.attrs, "not_stored")? {
            stored.push(quote!(#name: #api::Stored::active(body.#name)));
        }
        properties.push(quote!(.field::<#kind>(#word, #about, #example)));
    }
    let row = match option::<Path>(&input.attrs, "entity")? {
        Some(entity) => {
            let active = beside(&entity, "ActiveModel");
            quote! {
                impl From<#body> for #active {
                    fn from(body: #body) -> Self {
                        Self { #(#stored,)* ..::std::default::Default::default() }
                    }
                }
            }
        }
        None => quote!(),
    };
    let patch = match option::<Ident>(&input.attrs, "patch")? {
        Some(patch) => patch_of(input, &patch, &name)?,
        None => quote!(),
    };
    Ok(quote! {
        #row
        #patch

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

/// The struct of a merge patch: the same fields, each of which can be left out.
fn patch_of(input: &DeriveInput, patch: &Ident, name: &str) -> Result<TokenStream, Error> {
    let (api, vis) = (api()?, &input.vis);
    let name = Ident::new(&format!("{}Patch", name.trim_start_matches("New")), patch.span());
    let entity = option::<Path>(&input.attrs, "entity")?;
    let entity = entity.map(|entity| quote!(, entity = #entity));
    let (mut kept, mut plain) = (vec![], vec![]);
    for (name, field) in fields(input, "FromFields")? {
        if !has(&field.attrs, "create_only")? {
            let (attrs, vis, kind) = (&field.attrs, &field.vis, &field.ty);
            plain.push(quote!(#vis #name: #api::Patch<#kind>));
            kept.push(quote!(#(#attrs)* #vis #name: #api::Patch<#kind>));
        }
    }
    let patch: DeriveInput = parse_quote! {
        /// What to change; absent fields stay as they are (RFC 7396).
        #[schema(as = #name #entity)]
        #vis struct #patch {
            #(#kept),*
        }
    };
    let derived = expand(&patch)?;
    let DeriveInput { ident, .. } = &patch;
    Ok(quote! {
        /// What to change; absent fields stay as they are (RFC 7396).
        #vis struct #ident {
            #(#plain),*
        }
        #derived
    })
}

/// The value of this option of `#[schema(…)]`.
pub(crate) fn option<T: Parse>(attributes: &[Attribute], wanted: &str) -> Result<Option<T>, Error> {
    let mut found = None;
    options(attributes, "schema", |option| {
        if option.path.is_ident(wanted) {
            found = Some(option.value()?.parse()?);
        } else if option.input.peek(Token![=]) {
            option.value()?.parse::<Expr>()?;
        }
        Ok(())
    })?;
    Ok(found)
}

/// Whether `#[schema(…)]` has this word.
fn has(attributes: &[Attribute], wanted: &str) -> Result<bool, Error> {
    let mut found = false;
    options(attributes, "schema", |option| {
        found |= option.path.is_ident(wanted);
        if option.input.peek(Token![=]) {
            option.value()?.parse::<Expr>()?;
        }
        Ok(())
    })?;
    Ok(found)
}
