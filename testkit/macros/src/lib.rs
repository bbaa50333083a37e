//! `#[on_both]`, by which a test is written once and runs on both databases.

use proc_macro::{TokenStream, TokenTree};

/// Runs a test on a fresh database of each kind, as `name::sqlite` and `name::postgres`.
///
/// It stands on an `async fn` that takes a `TestDb`, imported under this name, and returns nothing or a `Result`:
/// ```text
/// use usher_testkit::{TestDb, on_both};
///
/// #[on_both]
/// async fn an_email_belongs_to_one_user(db: TestDb) {
///     let db = db.connect().await;
///     // …
/// }
/// ```
#[proc_macro_attribute]
pub fn on_both(_: TokenStream, function: TokenStream) -> TokenStream {
    let Some(name) = name_of(function.clone()) else {
        return "compile_error!(\"#[on_both] stands on an `async fn`\");"
            .parse()
            .unwrap_or_default();
    };
    let tests = format!(
        "mod {name} {{
            use super::TestDb;

            #[test]
            fn sqlite() -> impl ::std::process::Termination {{
                TestDb::run(async {{ super::{name}(TestDb::sqlite().await).await }})
            }}

            #[test]
            fn postgres() -> impl ::std::process::Termination {{
                TestDb::run(async {{ super::{name}(TestDb::postgres().await).await }})
            }}
        }}"
    );
    let mut all = function;
    all.extend(tests.parse::<TokenStream>().unwrap_or_default());
    all
}

/// The word behind `fn`, where the function is asynchronous.
fn name_of(function: TokenStream) -> Option<String> {
    let is = |token: &TokenTree, word: &str| matches!(token, TokenTree::Ident(ident) if ident.to_string() == word);
    let mut tokens = function.into_iter().skip_while(|token| !is(token, "async"));
    tokens.next()?;
    tokens.next().filter(|token| is(token, "fn"))?;
    tokens.next().map(|name| name.to_string())
}
