//! `#[derive(FromFields)]`, by which the reader of a request body and its schema come from one struct.

use proc_macro::TokenStream;
use quote::quote;
use syn::{Attribute, Data, DataStruct, DeriveInput, Error, Expr, Fields, Lit, Meta, parse_macro_input};

/// Implements `FromFields`, which reads each field as its type says, in their order, and `ToSchema`, which documents
/// them so. For the crate `usher-api` alone.
///
/// - `#[schema(as = NewUser)]` on the struct is its name in the OpenAPI document.
/// - `#[schema(example = 37)]` on a field takes the place of its type's example, and its comment comes before the
///   type's.
/// - `#[schema(fixed = FIXED)]` is on the field of type `Sent`, which notes those of the list `FIXED`.
#[proc_macro_derive(FromFields, attributes(schema))]
pub fn from_fields(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(|error| error.into_compile_error().into())
}

fn expand(input: &DeriveInput) -> Result<TokenStream, Error> {
    let Data::Struct(DataStruct {
        fields: Fields::Named(fields),
        ..
    }) = &input.data
    else {
        return Err(Error::new_spanned(input, "FromFields is for structs with named fields"));
    };
    let name = option(&input.attrs, "as")?;
    let name = name.ok_or_else(|| Error::new_spanned(&input.ident, "name the schema: #[schema(as = …)]"))?;
    let (body, about) = (&input.ident, comment(&input.attrs));
    let (mut reads, mut values, mut properties) = (vec![], vec![], vec![]);
    for field in &fields.named {
        let (name, kind) = (&field.ident, &field.ty);
        if let Some(list) = option(&field.attrs, "fixed")? {
            values.push(quote!(#name: <#kind>::read(fields, #list)));
            continue;
        }
        let about = comment(&field.attrs);
        let example = match option(&field.attrs, "example")? {
            Some(example) => quote!(Some(::serde_json::json!(#example))),
            None => quote!(None),
        };
        reads.push(quote!(let #name = fields.read::<#kind>(stringify!(#name));));
        values.push(quote!(#name: #name?));
        properties.push(quote!(.field::<#kind>(stringify!(#name), #about, #example)));
    }
    let expanded = quote! {
        impl crate::toolkit::fields::FromFields for #body {
            fn from_fields(fields: &mut crate::toolkit::fields::Fields<'_>) -> Option<Self> {
                #(#reads)*
                Some(Self { #(#values),* })
            }
        }

        impl ::utoipa::PartialSchema for #body {
            fn schema() -> ::utoipa::openapi::RefOr<::utoipa::openapi::Schema> {
                crate::toolkit::schema::BodySchema::new(#about)
                    #(#properties)*
                    .into()
            }
        }

        impl ::utoipa::ToSchema for #body {
            fn name() -> ::std::borrow::Cow<'static, str> {
                stringify!(#name).into()
            }
        }
    };
    Ok(expanded.into())
}

/// The value of this option of `#[schema(…)]`.
fn option(attributes: &[Attribute], wanted: &str) -> Result<Option<Expr>, Error> {
    let mut found = None;
    for attribute in attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("schema"))
    {
        attribute.parse_nested_meta(|option| {
            let value = option.value()?.parse()?;
            if option.path.is_ident(wanted) {
                found = Some(value);
            }
            Ok(())
        })?;
    }
    Ok(found)
}

/// The lines of the doc comment.
fn comment(attributes: &[Attribute]) -> String {
    let mut lines = vec![];
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        if let Meta::NameValue(line) = &attribute.meta
            && let Expr::Lit(literal) = &line.value
            && let Lit::Str(text) = &literal.lit
        {
            lines.push(text.value().trim().to_owned());
        }
    }
    lines.join("\n")
}
