//! What the derives share: the path of the API's crate, comments, and the fields of a struct.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{
    Attribute, Data, DataStruct, DeriveInput, Error, Expr, Field, Fields, Ident, Lit, Meta, Path, Token,
    meta::ParseNestedMeta, parenthesized, punctuated::Punctuated,
};

/// The path of `usher-api`: itself, or the module `api` of the crate `usher`, by which products have it.
pub(crate) fn api() -> Result<TokenStream, Error> {
    let name = |name: &str| Ident::new(name, Span::call_site());
    match crate_name("usher-api") {
        Ok(FoundCrate::Itself) => return Ok(quote!(::usher_api)),
        Ok(FoundCrate::Name(found)) => {
            let found = name(&found);
            return Ok(quote!(::#found));
        }
        Err(_) => {}
    }
    match crate_name("usher") {
        Ok(FoundCrate::Itself) => Ok(quote!(::usher::api)),
        Ok(FoundCrate::Name(found)) => {
            let found = name(&found);
            Ok(quote!(::#found::api))
        }
        Err(_) => Err(Error::new(Span::call_site(), "add the crate usher to the dependencies")),
    }
}

/// The named fields of a struct.
pub(crate) fn fields<'i>(input: &'i DeriveInput, derive: &str) -> Result<Vec<(&'i Ident, &'i Field)>, Error> {
    let Data::Struct(DataStruct {
        fields: Fields::Named(fields),
        ..
    }) = &input.data
    else {
        let message = format!("{derive} is for structs with named fields");
        return Err(Error::new_spanned(&input.ident, message));
    };
    let named = fields.named.iter();
    Ok(named.filter_map(|field| Some((field.ident.as_ref()?, field))).collect())
}

/// Another item beside an entity, by SeaORM's name for it, such as `Model`.
pub(crate) fn beside(entity: &Path, name: &str) -> Path {
    let mut path = entity.clone();
    if let Some(last) = path.segments.last_mut() {
        last.ident = Ident::new(name, last.ident.span());
    }
    path
}

/// Calls `read` with each option of the attributes `#[name(…)]`.
pub(crate) fn options(
    attributes: &[Attribute],
    name: &str,
    mut read: impl FnMut(ParseNestedMeta<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let attributes = attributes.iter().filter(|attribute| attribute.path().is_ident(name));
    for attribute in attributes {
        attribute.parse_nested_meta(&mut read)?;
    }
    Ok(())
}

/// The names in `option(a, b)`.
pub(crate) fn names(option: &ParseNestedMeta<'_>) -> Result<Vec<Ident>, Error> {
    let names;
    parenthesized!(names in option.input);
    let names = Punctuated::<Ident, Token![,]>::parse_terminated(&names)?;
    Ok(names.into_iter().collect())
}

/// The lines of the doc comment.
pub(crate) fn comment(attributes: &[Attribute]) -> String {
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

/// `due_at` as `DueAt`, which is how SeaORM names the column.
pub(crate) fn pascal(name: &Ident) -> Ident {
    let name_text = name.to_string();
    let words = name_text.trim_start_matches("r#").split('_').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    Ident::new(&words.collect::<String>(), name.span())
}
