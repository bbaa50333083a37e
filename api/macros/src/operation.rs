//! `#[operation]`, by which an operation's signature is its documentation.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{
    Error, FnArg, Ident, ItemFn, LitInt, LitStr, Path, ReturnType, Token, Type, parenthesized,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
};

use crate::attributes::{api, comment, pascal};

/// `get, "/tickets", tag = "Tickets", id = "listTickets", object = "tickets", ok = "Some", errors(TICKET_CLOSED)`
pub(crate) struct Operation {
    method: Ident,
    path: LitStr,
    tag: Option<LitStr>,
    id: Option<LitStr>,
    object: Option<LitStr>,
    ok: Option<LitStr>,
    ok_status: Option<LitInt>,
    errors: Vec<Path>,
}

impl Parse for Operation {
    fn parse(input: ParseStream<'_>) -> Result<Self, Error> {
        let method = input.parse()?;
        input.parse::<Token![,]>()?;
        let mut operation = Self {
            method,
            path: input.parse()?,
            tag: None,
            id: None,
            object: None,
            ok: None,
            ok_status: None,
            errors: vec![],
        };
        while !input.is_empty() {
            input.parse::<Token![,]>()?;
            if !input.is_empty() {
                operation.option(input)?;
            }
        }
        Ok(operation)
    }
}

impl Operation {
    fn option(&mut self, input: ParseStream<'_>) -> Result<(), Error> {
        let name: Ident = input.parse()?;
        if name == "errors" {
            let codes;
            parenthesized!(codes in input);
            self.errors = Punctuated::<Path, Token![,]>::parse_terminated(&codes)?
                .into_iter()
                .collect();
        } else if name == "ok" && !input.peek(Token![=]) {
            let answer;
            parenthesized!(answer in input);
            self.ok_status = Some(answer.parse()?);
            answer.parse::<Token![,]>()?;
            self.ok = Some(answer.parse()?);
        } else {
            input.parse::<Token![=]>()?;
            let text = Some(input.parse()?);
            match name.to_string().as_str() {
                "tag" => self.tag = text,
                "id" => self.id = text,
                "object" => self.object = text,
                "ok" => self.ok = text,
                _ => return Err(Error::new_spanned(name, "use tag, id, object, ok or errors")),
            }
        }
        Ok(())
    }
}

pub(crate) fn expand(operation: &Operation, handler: &ItemFn) -> Result<TokenStream, Error> {
    let api = api()?;
    let name = &handler.sig.ident;
    let about = comment(&handler.attrs);
    if about.is_empty() {
        return Err(Error::new_spanned(name, "say in a comment what the operation does"));
    }
    let (method, path) = (pascal(&operation.method), &operation.path);
    let parts = parts(handler)?;
    let id = match &operation.id {
        Some(id) => id.value(),
        None => camel(name),
    };
    let object = match &operation.object {
        Some(object) => object.value(),
        None => object(name),
    };
    let tag = some(operation.tag.as_ref());
    let ok = some(operation.ok.as_ref());
    let ok_status = some(operation.ok_status.as_ref());
    let errors = &operation.errors;
    let (vis, document) = (&handler.vis, format_ident!("__path_{}", name));
    Ok(quote! {
        #handler

        #[allow(non_camel_case_types)]
        #[doc(hidden)]
        #vis struct #document;

        impl #document {
            fn describe() -> #api::OperationDoc {
                let mut operation = #api::OperationDoc::new(#api::__private::HttpMethod::#method, #path, #object);
                #(<#parts as #api::Describe>::describe(&mut operation);)*
                operation
            }
        }

        impl #api::__private::Path for #document {
            fn methods() -> Vec<#api::__private::HttpMethod> {
                vec![#api::__private::HttpMethod::#method]
            }

            fn path() -> String {
                #path.to_owned()
            }

            fn operation() -> #api::__private::Operation {
                Self::describe().finish(&#api::__private::Said {
                    id: #id,
                    tag: #tag,
                    about: #about,
                    ok: #ok,
                    ok_status: #ok_status,
                    errors: &[#(#errors),*],
                })
            }
        }

        impl #api::__private::SchemaReferences for #document {
            fn schemas(schemas: &mut Vec<(String, #api::__private::RefOr<#api::__private::Schema>)>) {
                schemas.extend(Self::describe().schemas());
            }
        }

        impl<'t> #api::__private::Tags<'t> for #document {
            fn tags() -> Vec<&'t str> {
                vec![]
            }
        }
    })
}

/// The types in the signature.
fn parts(handler: &ItemFn) -> Result<Vec<&Type>, Error> {
    let mut parts = vec![];
    for input in &handler.sig.inputs {
        match input {
            FnArg::Typed(input) => parts.push(&*input.ty),
            FnArg::Receiver(input) => return Err(Error::new_spanned(input, "a handler is a function")),
        }
    }
    if let ReturnType::Type(_, answer) = &handler.sig.output {
        parts.push(answer);
    }
    Ok(parts)
}

fn some<T: quote::ToTokens>(value: Option<T>) -> TokenStream {
    match value {
        Some(value) => quote!(Some(#value)),
        None => quote!(None),
    }
}

/// What `list_tickets` is about: `tickets`.
fn object(name: &Ident) -> String {
    let name = name.to_string();
    let object = name.split_once('_').map_or(&*name, |(_, object)| object);
    object.replace('_', " ")
}

/// `list_tickets` as `listTickets`.
fn camel(name: &Ident) -> String {
    let name = pascal(name).to_string();
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}
