//! The OpenAPI document: what the handlers declare, put together with every error they can answer.

use usher_shared::{events::EventType, foundation::program::BuiltIn};
use utoipa::{
    Modify, OpenApi, ToSchema,
    openapi::{
        Components,
        security::{Flow, HttpAuthScheme, HttpBuilder, OAuth2, Password, Scopes, SecurityScheme},
        server::ServerBuilder,
    },
};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    api_keys, auth, events,
    extension::ApiExtension,
    graphql, me, site,
    state::AppState,
    toolkit::{
        code::Code,
        idempotency,
        openapi::{DEFAULT_URL, codes_schema},
        problem::{ErrorOut, ProblemOut, ValidationErrorOut},
    },
    users, webhooks,
};

const ABOUT: &str = "Accounts for your product: create users, look them up, and let Usher email them.

**To try it here**, press *Authorize*: paste an API key (`uak_…`) from the first start or from `usher key create`, or
sign in with email and password for the operations under *Me*. Every error has a stable `code`, explained at the URL in
its `type`; send `Accept: application/problem+json` for errors in strict RFC 9457. Every response has an `X-Request-Id`,
under which the operator finds it in the logs.";

/// How people get a token in *Authorize*, as [`ABOUT`] says it.
pub(crate) const SIGN_IN_HERE: &str = "sign in with email and password";

#[derive(OpenApi)]
#[openapi(
    info(title = "Usher", description = ABOUT, license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")),
    tags(
        (name = "Sign-in", description = "Sign-up, sign-in, tokens and passwords"),
        (name = "Me", description = "The account of the signed-in user"),
        (name = "Users", description = "People with an account"),
        (name = "Events", description = "What happened, in order"),
        (name = "Webhooks", description = "Where events are sent, and how that went"),
        (name = "API keys", description = "Keys for other services, created by superusers"),
        (name = "Service", description = "Health, version and error codes"),
    ),
    modifiers(&Shared),
)]
struct Document;

/// What all operations share: the credential, the server, the shapes of errors.
struct Shared;

impl Modify for Shared {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("apiKey", api_key());
        components.add_security_scheme("accessToken", password_grant(DEFAULT_URL));
        add::<ErrorOut>(components);
        add::<ValidationErrorOut>(components);
        add::<ProblemOut>(components);
        document.servers = Some(vec![ServerBuilder::new().url(DEFAULT_URL).build()]);
    }
}

/// A key of a service.
pub(crate) fn api_key() -> SecurityScheme {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("uak_…")
        .description(Some(
            "An API key. Its scopes decide what it may do; each operation names the one it needs.",
        ));
    SecurityScheme::Http(bearer.build())
}

/// A user's access token, which Swagger UI's *Authorize* gets with email and password.
fn password_grant(api_url: &str) -> SecurityScheme {
    let token_url = format!("{api_url}/oauth/token");
    let grant = Flow::Password(Password::with_refresh_url(&token_url, Scopes::new(), &token_url));
    let about = "A person's access token (`uat_…`), as `POST /auth/login` gives it, or `POST /oauth/token` by the \
        password grant. Leave client id and secret empty.";
    SecurityScheme::OAuth2(OAuth2::with_description([grant], about))
}

/// The same where the grant is left out: it is pasted.
pub(crate) fn pasted_token() -> SecurityScheme {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("uat_…")
        .description(Some(
            "A person's access token (`uat_…`), as `POST /auth/login` gives it.",
        ));
    SecurityScheme::Http(bearer.build())
}

/// Adds a schema and those that it refers to.
fn add<T: ToSchema>(components: &mut Components) {
    components.schemas.extend(events::named::<T>());
}

/// Usher's documented operations, without these parts.
pub(crate) fn built_in(left_out: &[BuiltIn]) -> OpenApiRouter<AppState> {
    let mut router = OpenApiRouter::with_openapi(Document::openapi())
        .merge(auth::router(left_out))
        .merge(me::router())
        .merge(users::router())
        .merge(events::router())
        .merge(webhooks::router());
    if !left_out.contains(&BuiltIn::ApiKeyOperations) {
        router = router.merge(api_keys::router());
    }
    router.merge(site::operations())
}

/// The document of this build, for an API on its default address.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    openapi_with(&ApiExtension::default())
}

/// [`openapi`] with what a product adds.
#[must_use]
pub fn openapi_with(extension: &ApiExtension) -> utoipa::openapi::OpenApi {
    let mut document = extension.operations().into_openapi();
    extension.describe(&mut document);
    let components = document.components.get_or_insert_default();
    let codes: Vec<Code> = extension.all_codes().collect();
    components
        .schemas
        .insert(Code::name().into_owned(), codes_schema(&codes));
    idempotency::describe(&mut document);
    events::describe(&mut document, &extension.catalog(EventType::all()));
    document
}

/// The GraphQL schema of the API with what a product adds.
///
/// # Errors
///
/// One line that says which names can't stand beside each other, or which relation leads nowhere.
pub fn graphql_schema(extension: &ApiExtension) -> Result<String, String> {
    graphql::sdl(&openapi_with(extension), &extension.relations())
}

/// The document of an installation.
pub(crate) fn openapi_at(extension: &ApiExtension, api_url: &str) -> utoipa::openapi::OpenApi {
    let mut document = openapi_with(extension);
    document.servers = Some(vec![ServerBuilder::new().url(api_url).build()]);
    let components = document.components.get_or_insert_default();
    if !extension.leaves_out(BuiltIn::OAuthToken) {
        components.add_security_scheme("accessToken", password_grant(api_url));
    }
    document
}
