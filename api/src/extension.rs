//! What a product adds to the API: operations, their tags and error codes, and what its events' data is.

use std::{collections::HashMap, sync::Arc};

use usher_shared::{
    events::EventType,
    foundation::program::{BuiltIn, Program},
};
use utoipa::{
    ToSchema,
    openapi::{
        OpenApi, RefOr, Schema, Tag,
        path::{Operation, PathItem},
        tag::TagBuilder,
    },
};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    events::{Catalog, EventData, socket},
    graphql,
    openapi::{SIGN_IN_HERE, built_in, graphql_schema, pasted_token},
    relation::Relation,
    site,
    state::AppState,
    toolkit::code::Code,
    users,
};

/// What a product adds to the API. Cheap to clone.
///
/// ```
/// use usher_api::{ApiExtension, AppState, Code, OpenApiRouter};
///
/// const TICKET_CLOSED: Code = Code::new("ticket_closed", 409, "Ticket closed", "The ticket is closed", "Reopen it.");
///
/// fn router() -> OpenApiRouter<AppState> {
///     OpenApiRouter::new()
/// }
///
/// let tickets = ApiExtension::new("tickets")
///     .routes(router)
///     .tag("Tickets", "What customers ask")
///     .codes(&[TICKET_CLOSED]);
/// assert_eq!(tickets.check(), Ok(()));
/// ```
#[derive(Clone, Default)]
pub struct ApiExtension {
    title: Option<String>,
    description: Option<String>,
    left_out: Vec<BuiltIn>,
    parts: Vec<Part>,
}

/// What one app adds.
#[derive(Clone)]
struct Part {
    app: &'static str,
    tags: Vec<Tag>,
    routers: Vec<Arc<dyn Fn() -> OpenApiRouter<AppState> + Send + Sync>>,
    codes: Vec<Code>,
    relations: Vec<Relation>,
    event_data: Vec<EventData>,
}

impl ApiExtension {
    /// Adds nothing yet. `app` names what is added where two apps collide.
    #[must_use]
    pub fn new(app: &'static str) -> Self {
        Self {
            parts: vec![Part {
                app,
                tags: vec![],
                routers: vec![],
                codes: vec![],
                relations: vec![],
                event_data: vec![],
            }],
            ..Self::default()
        }
    }

    /// The title of the OpenAPI document, in place of `Usher`.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// What the document says of the whole API, in Markdown.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// A tag of operations and what the document says of it.
    #[must_use]
    pub fn tag(mut self, name: &str, description: &str) -> Self {
        let tag = TagBuilder::new().name(name).description(Some(description));
        self.part().tags.push(tag.build());
        self
    }

    /// Operations. The function is called for the router and for the document.
    #[must_use]
    pub fn routes(mut self, router: impl Fn() -> OpenApiRouter<AppState> + Send + Sync + 'static) -> Self {
        self.part().routers.push(Arc::new(router));
        self
    }

    /// Error codes, for the document and for `/problems`.
    #[must_use]
    pub fn codes(mut self, codes: &[Code]) -> Self {
        self.part().codes.extend_from_slice(codes);
        self
    }

    /// A field that leads from one resource to another, in GraphQL.
    #[must_use]
    pub fn relation(mut self, relation: Relation) -> Self {
        self.part().relations.push(relation);
        self
    }

    /// What the data of these types of events is, for the documents: a `T`, such as what the API shows of the object.
    #[must_use]
    pub fn event_data<T: ToSchema>(mut self, types: impl IntoIterator<Item = EventType>) -> Self {
        self.part().event_data.push(EventData::of::<T>(types));
        self
    }

    /// Leaves out a part of Usher. Parts of other services change nothing.
    #[must_use]
    pub fn without(mut self, part: BuiltIn) -> Self {
        self.left_out.push(part);
        self
    }

    /// Both together. The title and the description of the first count.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.title = self.title.or(other.title);
        self.description = self.description.or(other.description);
        self.left_out.extend(other.left_out);
        self.parts.extend(other.parts);
        self
    }

    /// Looks for what two apps, or an app and Usher, both have. Call it before the API is served: the router panics
    /// where two operations have the same method and path.
    ///
    /// # Errors
    ///
    /// One line that names both.
    pub fn check(&self) -> Result<(), String> {
        let mut taken = Taken::default();
        for page in site::PAGES.iter().chain([&socket::PATH, &graphql::PATH]) {
            taken.path("usher", page)?;
            taken.word("usher", "GET", page)?;
        }
        let usher = built_in(&self.left_out).into_openapi();
        for tag in usher.tags.iter().flatten() {
            taken.word("usher", "the tag", &tag.name)?;
        }
        taken.operations("usher", &usher)?;
        for code in Code::ALL {
            taken.word("usher", "the error code", code.as_str())?;
        }
        taken.event_data("usher", &users::event_data())?;
        for Part {
            app,
            tags,
            routers,
            codes,
            event_data,
            ..
        } in &self.parts
        {
            for tag in tags {
                taken.word(app, "the tag", &tag.name)?;
            }
            for router in routers {
                taken.operations(app, &router().into_openapi())?;
            }
            for code in codes {
                taken.word(app, "the error code", code.as_str())?;
            }
            taken.event_data(app, event_data)?;
        }
        graphql_schema(self).map(drop)
    }

    pub(crate) fn relations(&self) -> Vec<Relation> {
        let relations = self.parts.iter().flat_map(|part| &part.relations);
        relations.copied().collect()
    }

    /// Usher's operations and the product's.
    pub(crate) fn operations(&self) -> OpenApiRouter<AppState> {
        let routers = self.parts.iter().flat_map(|part| &part.routers);
        routers.fold(built_in(&self.left_out), |all, router| all.merge(router()))
    }

    pub(crate) fn leaves_out(&self, part: BuiltIn) -> bool {
        self.left_out.contains(&part)
    }

    /// Writes title, description and tags into the document.
    pub(crate) fn describe(&self, document: &mut OpenApi) {
        if let Some(title) = &self.title {
            document.info.title.clone_from(title);
        }
        if self.description.is_some() {
            document.info.description.clone_from(&self.description);
        } else if let Some(about) = &mut document.info.description {
            let program = Program::current().name;
            *about = about.replace("let Usher email", &format!("let {} email", self.name()));
            *about = about.replace("`usher key create`", &format!("`{program} key create`"));
        }
        if self.leaves_out(BuiltIn::OAuthToken) {
            self.describe_pasted_tokens(document);
        }
        let tags = document.tags.get_or_insert_default();
        tags.retain(|tag| tag.name != "API keys" || !self.leaves_out(BuiltIn::ApiKeyOperations));
        let own = self.parts.iter().flat_map(|part| &part.tags);
        tags.splice(0..0, own.cloned());
    }

    /// Without the password grant, Swagger UI's *Authorize* takes a token.
    fn describe_pasted_tokens(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("accessToken", pasted_token());
        if let (Some(about), None) = (&mut document.info.description, &self.description) {
            *about = about.replace(SIGN_IN_HERE, "paste an access token (`uat_…`) from `POST /auth/login`");
        }
    }

    /// The codes that Usher answers with, and the product's.
    pub(crate) fn all_codes(&self) -> impl Iterator<Item = Code> {
        let own = self.parts.iter().flat_map(|part| &part.codes);
        Code::ALL.iter().chain(own).copied()
    }

    /// These types of events, and what is known of their data.
    pub(crate) fn catalog(&self, kinds: impl IntoIterator<Item = EventType>) -> Catalog {
        let own = self.parts.iter().flat_map(|part| &part.event_data);
        Catalog::new(kinds, users::event_data().iter().chain(own).cloned().collect())
    }

    /// The name of the API.
    pub(crate) fn name(&self) -> &str {
        self.title.as_deref().unwrap_or("Usher")
    }

    fn part(&mut self) -> &mut Part {
        if self.parts.is_empty() {
            *self = Self::new("the product").merge(std::mem::take(self));
        }
        self.parts.last_mut().expect("there is one")
    }
}

/// What there is already, each with the app that has it.
#[derive(Default)]
struct Taken {
    words: HashMap<String, &'static str>,
    /// Paths as they are written, by the path without the names of its parameters.
    paths: HashMap<String, (String, &'static str)>,
    schemas: HashMap<String, (RefOr<Schema>, &'static str)>,
}

impl Taken {
    fn operations(&mut self, app: &'static str, document: &OpenApi) -> Result<(), String> {
        let components = document.components.iter();
        for (name, schema) in components.flat_map(|components| &components.schemas) {
            self.schema(app, name, schema)?;
        }
        for (path, item) in &document.paths.paths {
            self.path(app, path)?;
            for (method, operation) in operations(item) {
                self.word(app, method, path)?;
                if let Some(id) = &operation.operation_id {
                    self.word(app, "the operation id", id)?;
                }
            }
        }
        Ok(())
    }

    fn event_data(&mut self, app: &'static str, event_data: &[EventData]) -> Result<(), String> {
        for data in event_data {
            for kind in &data.kinds {
                self.word(app, "the data of events", kind.as_str())?;
            }
            for (name, schema) in (data.schemas)() {
                self.schema(app, &name, &schema)?;
            }
        }
        Ok(())
    }

    /// The router takes a path with parameters of other names for another path at the same place.
    fn path(&mut self, app: &'static str, path: &str) -> Result<(), String> {
        let there = self.paths.entry(without_names(path));
        let (written, other) = there.or_insert_with(|| (path.to_owned(), app));
        if written == path {
            Ok(())
        } else {
            Err(format!(
                "{other} has the path {written} and {app} {path}; give the parameters the same names"
            ))
        }
    }

    /// Two apps can share a schema, if it says the same.
    fn schema(&mut self, app: &'static str, name: &str, schema: &RefOr<Schema>) -> Result<(), String> {
        let there = self.schemas.entry(name.to_owned());
        let (known, other) = there.or_insert_with(|| (schema.clone(), app));
        if known == schema {
            Ok(())
        } else {
            Err(format!(
                "{other} and {app} both have the schema {name}; give one another name"
            ))
        }
    }

    fn word(&mut self, app: &'static str, what: &str, word: &str) -> Result<(), String> {
        match self.words.insert(format!("{what} {word}"), app) {
            None => Ok(()),
            Some(other) if other == app => Err(format!("{app} has {what} {word} twice")),
            Some(other) => Err(format!("{other} and {app} both have {what} {word}")),
        }
    }
}

/// `/tickets/{id}` as `/tickets/{}`.
fn without_names(path: &str) -> String {
    let parts = path
        .split('/')
        .map(|part| if part.starts_with('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn operations(item: &PathItem) -> impl Iterator<Item = (&'static str, &Operation)> {
    [
        ("GET", &item.get),
        ("PUT", &item.put),
        ("POST", &item.post),
        ("DELETE", &item.delete),
        ("PATCH", &item.patch),
        ("OPTIONS", &item.options),
        ("HEAD", &item.head),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{asyncapi, events};

    const SHUT: Code = Code::new("shop_shut", 409, "Shut", "The shop is shut", "Come again.");

    mod shop {
        #[utoipa::path(get, path = "/shop/{id}", operation_id = "getShop", responses())]
        pub(super) async fn show() {}

        #[utoipa::path(get, path = "/shop/{shop_id}", operation_id = "findShop", responses())]
        pub(super) async fn find() {}

        #[utoipa::path(post, path = "/shop", operation_id = "getShop", responses())]
        pub(super) async fn create() {}

        #[utoipa::path(get, path = "/docs", responses())]
        pub(super) async fn docs() {}
    }

    #[derive(utoipa::ToSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct User {
        shop: String,
    }

    #[utoipa::path(get, path = "/customers", responses((status = 200, body = User)))]
    async fn customers() {}

    const OPENED: EventType = EventType::new("shop.opened", "shops:read", "A shop opened");
    const SHUT_FOR_GOOD: EventType = EventType::new("shop.shut", "shops:read", "A shop shut for good");

    /// A shop.
    #[derive(utoipa::ToSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Shop {
        #[schema(example = 3)]
        id: i64,
        #[schema(example = "Corner")]
        name: String,
        kind: Kind,
    }

    #[derive(utoipa::ToSchema)]
    #[schema(as = ShopKind, rename_all = "snake_case")]
    #[expect(dead_code, reason = "only its schema is looked at")]
    enum Kind {
        Bakery,
    }

    fn shop(routes: fn() -> OpenApiRouter<AppState>) -> ApiExtension {
        ApiExtension::new("shop").routes(routes)
    }

    fn show() -> OpenApiRouter<AppState> {
        OpenApiRouter::new().routes(utoipa_axum::routes!(shop::show))
    }

    #[test]
    fn what_two_apps_have_is_named_with_both() {
        let first = shop(show).codes(&[SHUT]).tag("Shops", "Where things are sold");
        let first = first.event_data::<Shop>([OPENED]);
        assert_eq!(first.check(), Ok(()));
        assert_eq!(ApiExtension::default().check(), Ok(()));
        let second = |routes: fn() -> OpenApiRouter<AppState>| ApiExtension::new("depot").routes(routes);
        let find = || OpenApiRouter::new().routes(utoipa_axum::routes!(shop::find));
        let create = || OpenApiRouter::new().routes(utoipa_axum::routes!(shop::create));
        let docs = || OpenApiRouter::new().routes(utoipa_axum::routes!(shop::docs));
        let customers = || OpenApiRouter::new().routes(utoipa_axum::routes!(customers));
        for (other, expected) in [
            (second(show), "shop and depot both have GET /shop/{id}"),
            (
                second(find),
                "shop has the path /shop/{id} and depot /shop/{shop_id}; give the parameters the same names",
            ),
            (second(create), "shop and depot both have the operation id getShop"),
            (
                second(customers),
                "usher and depot both have the schema User; give one another name",
            ),
            (second(docs), "usher and depot both have GET /docs"),
            (
                ApiExtension::new("depot").tag("Shops", "Where things are stored"),
                "shop and depot both have the tag Shops",
            ),
            (
                ApiExtension::new("depot").tag("Users", "Who stores things"),
                "usher and depot both have the tag Users",
            ),
            (
                ApiExtension::new("depot").tag("Depots", "Big").tag("Depots", "Small"),
                "depot has the tag Depots twice",
            ),
            (
                ApiExtension::new("depot").codes(&[SHUT]),
                "shop and depot both have the error code shop_shut",
            ),
            (
                ApiExtension::new("depot").codes(&[Code::NOT_FOUND]),
                "usher and depot both have the error code not_found",
            ),
            (
                ApiExtension::new("depot").event_data::<Shop>([OPENED]),
                "shop and depot both have the data of events shop.opened",
            ),
            (
                ApiExtension::new("depot").event_data::<Shop>([EventType::USER_CREATED]),
                "usher and depot both have the data of events user.created",
            ),
            (
                ApiExtension::new("depot").event_data::<User>([SHUT_FOR_GOOD]),
                "usher and depot both have the schema User; give one another name",
            ),
        ] {
            assert_eq!(first.clone().merge(other).check(), Err(expected.to_owned()));
        }
    }

    #[test]
    fn the_document_has_what_a_product_adds() {
        let shop = shop(show).title("Shop").tag("Shops", "Where to buy").codes(&[SHUT]);
        let document = serde_json::to_value(crate::openapi_with(&shop)).expect("JSON");
        assert_eq!(document["info"]["title"], "Shop");
        assert_eq!(document["tags"][0]["name"], "Shops");
        assert_eq!(document["paths"]["/shop/{id}"]["get"]["operationId"], "getShop");
        let codes = &document["components"]["schemas"]["ErrorCode"];
        let words = codes["enum"].as_array().expect("words");
        assert_eq!(words.last(), Some(&"shop_shut".into()));
        assert!(
            codes["description"]
                .as_str()
                .expect("text")
                .contains("- `shop_shut`: Shut")
        );
    }

    #[test]
    fn both_documents_know_the_data_of_a_products_events() {
        let extension = ApiExtension::new("shop").event_data::<Shop>([OPENED]);
        let catalog = extension.catalog([OPENED, SHUT_FOR_GOOD]);
        let mut document = OpenApi::default();
        events::describe(&mut document, &catalog);
        let openapi = serde_json::to_value(document).expect("JSON");
        let body = |word: &str| &openapi["webhooks"][word]["post"]["requestBody"]["content"]["application/json"];
        let asyncapi = asyncapi::document("Shop", &catalog, "https://shop.example");
        assert_eq!(asyncapi["info"]["title"], "Shop events");
        let message = &asyncapi["components"]["messages"]["shop.opened"];
        let shop = json!({"id": 3, "name": "Corner", "kind": "bakery"});
        for (schemas, of_kind, example) in [
            (
                &openapi["components"]["schemas"],
                &body("shop.opened")["schema"],
                &body("shop.opened")["example"],
            ),
            (
                &asyncapi["components"]["schemas"],
                &asyncapi["components"]["schemas"]["shop.opened"],
                &message["examples"][0]["payload"],
            ),
        ] {
            assert_eq!(
                of_kind["allOf"][1]["properties"]["data"]["$ref"],
                "#/components/schemas/Shop"
            );
            assert_eq!(schemas["Shop"]["required"], json!(["id", "name", "kind"]));
            assert_eq!(schemas["ShopKind"]["enum"], json!(["bakery"]));
            let object = json!({"type": "shop", "id": "3", "version": 1});
            assert_eq!((&example["data"], &example["object"]), (&shop, &object));
            assert_eq!(example["type"], "shop.opened");
        }
        let unspecified = &body("shop.shut")["schema"]["allOf"][1]["properties"];
        assert_eq!(unspecified, &json!({"type": {"type": "string", "enum": ["shop.shut"]}}));
        assert_eq!(body("shop.shut")["example"]["data"], json!({"id": 1}));
    }
}
