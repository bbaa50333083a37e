//! `/graphql`: the same operations, by queries.

use std::{collections::BTreeSet, fmt::Write};

use axum::{body::Body, http::Method};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel, PaginatorTrait};
use serde_json::{Value, json};
use usher_api::{ApiExtension, AppState, Relation, Scope, graphql_schema, router_with};
use usher_shared::foundation::{entity::user, time::now};
use usher_testkit::{TestDb, create_tables, on_both};

use crate::{
    app::{Answer, Client, TestApp},
    product::tickets::{self, READ, WRITE},
};

async fn start(db: TestDb, settings: &[(&str, &str)]) -> TestApp {
    let settings: Vec<_> = [("GRAPHQL", "on")].iter().chain(settings).copied().collect();
    let mut app = TestApp::with(db, &settings).await;
    create_tables(&app.context.db, tickets::SQL).await;
    app.router = router_with(AppState::new(&app.context), &tickets::extension());
    app
}

async fn ask(client: &Client, query: &str, variables: Value) -> Value {
    let answer = send(client, query, variables).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

async fn send(client: &Client, query: &str, variables: Value) -> Answer {
    let body = json!({"query": query, "variables": variables});
    client.post("/graphql", &body).await
}

/// The data of an answer without errors.
async fn data(client: &Client, query: &str, variables: Value) -> Value {
    let mut answer = ask(client, query, variables).await;
    assert_eq!(answer.get("errors"), None, "{answer}");
    answer["data"].take()
}

/// The first error of an answer.
async fn error(client: &Client, query: &str) -> Value {
    let mut answer = ask(client, query, json!({})).await;
    answer["errors"][0].take()
}

fn snapshot() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/schema.graphql")).unwrap_or_default()
}

#[test]
fn the_schema_is_the_one_in_the_documents() {
    let schema = graphql_schema(&ApiExtension::default()).unwrap();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/schema.graphql"), &schema).unwrap();
    }
    assert!(snapshot() == schema, "run the test with UPDATE_SNAPSHOTS=1");
}

/// A new operation and a new field are in both faces, or this says which is missing.
#[test]
fn what_asks_for_a_credential_is_in_the_schema() {
    let schema = graphql_schema(&tickets::extension()).unwrap();
    let document = serde_json::to_value(usher_api::openapi_with(&tickets::extension())).unwrap();
    let roots = ["type Query {", "type Mutation {"].map(|root| {
        let rest = schema.split(root).nth(1).unwrap();
        rest.split("\n}").next().unwrap()
    });
    let has = |name: &str| {
        let has = |root: &str| root.contains(&format!("\t{name}(")) || root.contains(&format!("\t{name}: "));
        roots.into_iter().any(has)
    };
    let (mut here, mut missing) = (0, vec![]);
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap();
            let mut schemes = operation["security"].as_array().into_iter().flatten();
            let is_open = schemes.all(|one| one.as_object().unwrap().is_empty());
            let noun = id.strip_prefix("list").or(id.strip_prefix("get")).unwrap_or(id);
            let noun = noun[..1].to_lowercase() + &noun[1..];
            match (is_open, has(id) || has(&noun)) {
                (true, is_there) => assert!(!is_there, "{id} is for signing in"),
                (false, true) => here += 1,
                (false, false) => missing.push(id.to_owned()),
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
    assert!(here > 40, "{here}");
    let user = &document["components"]["schemas"]["UserDetails"]["properties"];
    let part = schema.split("type UserDetails {").nth(1).unwrap();
    let part = part.split("\n}").next().unwrap();
    for name in user.as_object().unwrap().keys() {
        let name = name.replace("_at", "At").replace("external_id", "externalId");
        assert!(part.contains(&format!("\t{name}: ")), "{name}: {part}");
    }
}

#[test]
fn a_relation_that_leads_nowhere_is_refused_with_its_name() {
    for (relation, reason) in [
        (
            Relation::one("Ticket", "requester", "requester_id", "listPeople"),
            "the relation requester of Ticket: listPeople is no operation that lists",
        ),
        (
            Relation::one("Tikcet", "requester", "requester_id", "listUsers"),
            "the relation requester of Tikcet: no operation answers with Tikcet",
        ),
        (
            Relation::one("Ticket", "asker", "asker_id", "listUsers"),
            "the relation asker of Ticket: Ticket has no field asker_id",
        ),
        (
            Relation::one("Ticket", "subject", "requester_id", "listUsers"),
            "the relation subject of Ticket: Ticket has a field of that name",
        ),
    ] {
        let extension = tickets::extension().relation(relation);
        assert_eq!(extension.check(), Err(reason.to_owned()));
    }
}

#[on_both]
async fn a_list_is_read_in_both_directions_and_says_what_rest_says(db: TestDb) {
    let app = start(db, &[]).await;
    let client = app.all_scopes().await;
    for number in 0..7 {
        client.sign_up(&format!("user{number}@example.com")).await;
    }
    let all = client.get("/users?sort=id").await.json();
    let expected: Vec<i64> = all["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["id"].as_i64().unwrap())
        .collect();

    let whole = "{ users(sort: \"id\", first: 1) { totalCount totalCountIsExact nodes {
        id name email createdAt age status verified externalId updatedAt etag __typename } } }";
    let page = &data(&client, whole, json!({})).await["users"];
    let (node, row) = (&page["nodes"][0], &all["data"][0]);
    assert_eq!(
        (&page["totalCount"], &page["totalCountIsExact"]),
        (&json!(7), &json!(true))
    );
    assert_eq!(node["id"], row["id"].to_string());
    assert_eq!(
        (&node["status"], &node["__typename"]),
        (&json!("ACTIVE"), &json!("UserDetails"))
    );
    for (ours, theirs) in [
        ("name", "name"),
        ("createdAt", "created_at"),
        ("externalId", "external_id"),
        ("age", "age"),
    ] {
        assert_eq!(node[ours], row[theirs], "{ours}");
    }

    let query = "query($first: Int, $after: String, $last: Int, $before: String) {
        users(sort: \"id\", first: $first, after: $after, last: $last, before: $before) {
            edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
    let ids = |page: &Value| -> Vec<i64> {
        let edges = page["edges"].as_array().unwrap().iter();
        edges
            .map(|edge| edge["node"]["id"].as_str().unwrap().parse().unwrap())
            .collect()
    };
    let (mut met, mut after) = (vec![], Value::Null);
    loop {
        let page = data(&client, query, json!({"first": 3, "after": after})).await["users"].take();
        assert_eq!(page["pageInfo"]["hasPreviousPage"], !after.is_null());
        assert_eq!(
            page["pageInfo"]["endCursor"],
            page["edges"].as_array().unwrap().last().unwrap()["cursor"]
        );
        met.extend(ids(&page));
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(met, expected);
    let (mut met, mut before) = (vec![], Value::Null);
    loop {
        let page = data(&client, query, json!({"last": 2, "before": before})).await["users"].take();
        assert_eq!(page["pageInfo"]["hasNextPage"], !before.is_null());
        met.splice(0..0, ids(&page));
        if page["pageInfo"]["hasPreviousPage"] == false {
            break;
        }
        before = page["pageInfo"]["startCursor"].clone();
    }
    assert_eq!(met, expected);
    // Any edge is a place to go on from, also for the other face.
    let page = data(&client, query, json!({"first": 5})).await["users"].take();
    let cursor = page["edges"][1]["cursor"].as_str().unwrap();
    let page = data(&client, query, json!({"first": 2, "after": cursor})).await["users"].take();
    assert_eq!(ids(&page), expected[2..4]);
    let page = client
        .get(&format!("/users?sort=id&limit=2&cursor={cursor}"))
        .await
        .json();
    assert_eq!(page["data"][0]["id"], expected[2]);
    let other = "{ users(sort: \"-id\", first: 2, after: \"CURSOR\") { nodes { id } } }";
    let error = error(&client, &other.replace("CURSOR", cursor)).await;
    assert_eq!(error["extensions"]["code"], "invalid_request");
}

#[on_both]
async fn filters_are_those_of_the_list(db: TestDb) {
    let app = start(db, &[]).await;
    let client = app.all_scopes().await;
    let (ada, bob) = (
        client.sign_up("ada@example.com").await,
        client.sign_up("bob@example.com").await,
    );
    client.post(&format!("/users/{bob}/lock"), &json!({})).await;
    let of = async |filter: &str| {
        let query = format!("{{ users({filter}) {{ nodes {{ id }} }} }}");
        data(&client, &query, json!({})).await["users"]["nodes"].take()
    };
    assert_eq!(of("status: LOCKED").await, json!([{"id": bob.to_string()}]));
    assert_eq!(of("email: \"ADA@example.com\"").await, json!([{"id": ada.to_string()}]));
    assert_eq!(
        of("q: \"lovel\", sort: \"id\", first: 1").await,
        json!([{"id": ada.to_string()}])
    );
    assert_eq!(of("createdAfter: \"2999-01-01T00:00:00Z\"").await, json!([]));
    let fault = error(&client, "{ users(createdAfter: \"soon\") { nodes { id } } }").await;
    assert_eq!(fault["extensions"]["errors"][0]["argument"], json!(["createdAfter"]));
    assert_eq!(fault["path"], json!(["users"]));
}

#[on_both]
async fn each_caller_sees_what_they_see_elsewhere(db: TestDb) {
    let app = start(db, &[]).await;
    let service = app.key(&[READ, WRITE, Scope::USERS_WRITE]).await;
    let (ada, eve) = (app.person("ada@example.com").await, app.person("eve@example.com").await);
    for owner in [ada.id, eve.id, eve.id] {
        open(&service, owner).await;
    }
    let mine = "{ tickets { nodes { requesterId } } me { id email } }";
    let seen = data(&eve.client, mine, json!({})).await;
    let hers = json!({"requesterId": eve.id.to_string()});
    assert_eq!(seen["tickets"]["nodes"], json!([hers, hers]));
    assert_eq!(seen["me"]["email"], "eve@example.com");
    let foreign = format!(
        "{{ tickets(requesterId: \"{}\") {{ nodes {{ id }} }} ticket(id: \"1\") {{ id }} }}",
        ada.id
    );
    let answer = ask(&eve.client, &foreign, json!({})).await;
    assert_eq!(answer["data"], json!({"tickets": {"nodes": []}, "ticket": null}));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "not_found");

    let answer = ask(
        &service,
        "{ users { nodes { id } } sessions: userSessions(id: 1) { __typename } me { id } tickets { nodes { id } } }",
        json!({}),
    )
    .await;
    let codes: BTreeSet<_> = answer["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            let of = |value: &Value| value.as_str().unwrap().to_owned();
            (of(&error["path"][0]), of(&error["extensions"]["code"]))
        })
        .collect();
    let expected = [
        ("me", "user_token_required"),
        ("sessions", "insufficient_scope"),
        ("users", "insufficient_scope"),
    ];
    assert_eq!(
        codes,
        expected.map(|(path, code)| (path.to_owned(), code.to_owned())).into()
    );
    assert_eq!(answer["data"]["tickets"]["nodes"].as_array().unwrap().len(), 3);

    let query = json!({"query": "{ tickets { nodes { id } } }"});
    app.anonymous()
        .post("/graphql", &query)
        .await
        .is(401, "authentication_required");
    let wrong = app.anonymous().with("authorization", "Bearer uak_wrong");
    wrong.post("/graphql", &query).await.is(401, "invalid_credential");
}

async fn open(service: &Client, requester_id: i64) -> i64 {
    let ticket = json!({"subject": "Dark", "body": "Dark", "state": "open", "requester_id": requester_id});
    let answer = service.post("/tickets", &ticket).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["id"].as_i64().unwrap()
}

#[on_both]
async fn a_level_of_relations_costs_a_list_however_many_objects_it_has(db: TestDb) {
    let app = start(db, &[]).await;
    let client = app.key(&[READ, WRITE, Scope::USERS_READ, Scope::USERS_WRITE]).await;
    let query = "{ users(sort: \"id\") { nodes { id tickets(first: 2, sort: \"id\") {
        pageInfo { hasNextPage endCursor } edges { cursor node { id requester { id email } } } } } } }";
    let mut statements = vec![];
    for size in [1, 6] {
        while app.count_users().await < size {
            let id = client
                .sign_up(&format!("user{}@example.com", app.count_users().await))
                .await;
            for _ in 0..3 {
                open(&client, id).await;
            }
        }
        app.take_statements();
        let answer = data(&client, query, json!({})).await;
        let asked = app.take_statements();
        let users = answer["users"]["nodes"].as_array().unwrap();
        assert_eq!(users.len(), usize::try_from(size).unwrap());
        for user in users {
            let tickets = user["tickets"]["edges"].as_array().unwrap();
            assert_eq!(
                (tickets.len(), &user["tickets"]["pageInfo"]["hasNextPage"]),
                (2, &json!(true))
            );
            assert!(
                tickets
                    .iter()
                    .all(|ticket| ticket["node"]["requester"]["id"] == user["id"])
            );
            assert!(tickets[0]["node"]["id"].as_str() < tickets[1]["node"]["id"].as_str());
        }
        statements.push(asked);
    }
    assert_eq!(statements[0].len(), statements[1].len(), "{statements:#?}");
    // The key; users, and whether there are more; tickets, and what their list adds to them; users.
    assert_eq!(statements[1].len(), 6, "{:#?}", statements[1]);

    // A place in a relation is a place in the list.
    let answer = data(&client, query, json!({})).await;
    let of = &answer["users"]["nodes"][1];
    let (id, cursor) = (&of["id"], &of["tickets"]["pageInfo"]["endCursor"]);
    let rest = format!("{{ tickets(requesterId: {id}, sort: \"id\", after: {cursor}) {{ nodes {{ id }} }} }}");
    let rest = data(&client, &rest, json!({})).await;
    assert_eq!(rest["tickets"]["nodes"], json!([{"id": "6"}]), "{answer}");

    // What the list refuses is missing, and said once.
    let blind = app.key(&[READ]).await;
    let answer = ask(&blind, "{ tickets { nodes { id requester { id } } } }", json!({})).await;
    assert_eq!(answer["data"]["tickets"]["nodes"][0]["requester"], Value::Null);
    assert_eq!(answer["errors"].as_array().unwrap().len(), 1);
    assert_eq!(answer["errors"][0]["extensions"]["code"], "insufficient_scope");
    assert_eq!(answer["errors"][0]["path"], json!(["tickets", "nodes", 0, "requester"]));
}

#[on_both]
async fn relations_keep_own_rows_to_their_owner(db: TestDb) {
    let app = start(db, &[]).await;
    let service = app.key(&[READ, WRITE]).await;
    let (ada, eve) = (app.person("ada@example.com").await, app.person("eve@example.com").await);
    open(&service, ada.id).await;
    open(&service, eve.id).await;
    // People can't list users, so a relation to them is refused as the list is.
    let answer = ask(
        &eve.client,
        "{ tickets { nodes { id requester { email } } } }",
        json!({}),
    )
    .await;
    assert_eq!(
        answer["data"]["tickets"]["nodes"],
        json!([{"id": "2", "requester": null}])
    );
    assert_eq!(answer["errors"][0]["extensions"]["code"], "insufficient_scope");
}

#[on_both]
async fn a_mutation_runs_the_operation_with_its_checks(db: TestDb) {
    let app = start(db, &[]).await;
    let client = app.all_scopes().await;
    let create = "mutation($input: NewUserInput!, $key: String) {
        createUser(input: $input, idempotencyKey: $key) { id name email } }";
    let ada = json!({"input": {"name": "Ada", "email": "ada@example.com"}, "key": "one"});
    let made = data(&client, create, ada.clone()).await;
    assert_eq!(data(&client, create, ada).await, made);
    assert_eq!(app.count_users().await, 1);
    let id = made["createUser"]["id"].as_str().unwrap();
    let other = json!({"input": {"name": "Bob", "email": "bob@example.com"}, "key": "one"});
    let refused = ask(&client, create, other).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "idempotency_key_reused");

    let answer = ask(
        &client,
        create,
        json!({"input": {"name": "", "email": "x", "age": 200}, "key": "two"}),
    )
    .await;
    let faults = answer["errors"][0]["extensions"]["errors"].as_array().unwrap();
    let arguments: Vec<_> = faults.iter().map(|fault| fault["argument"].clone()).collect();
    assert_eq!(
        arguments,
        [
            json!(["input", "name"]),
            json!(["input", "email"]),
            json!(["input", "age"])
        ]
    );
    assert_eq!(answer["data"], json!({"createUser": null}));
    assert_eq!(answer["errors"][0]["extensions"]["status"], 422);

    // What is not named stays, and null takes away.
    let update = "mutation($id: ID!, $input: UserPatchInput!, $tag: String, $age: Int) {
        updateUser(id: $id, input: $input, ifMatch: $tag) { name age etag }
        other: updateUser(id: $id, input: {name: \"Augusta\", age: $age}) { name age } }";
    let changed = data(&client, update, json!({"id": id, "input": {"age": 36}})).await;
    assert_eq!(changed["updateUser"]["name"], "Ada");
    assert_eq!(changed["other"], json!({"name": "Augusta", "age": 36}));
    let tag = &changed["updateUser"]["etag"];
    let late = ask(&client, update, json!({"id": id, "input": {"age": null}, "tag": tag})).await;
    assert_eq!(late["errors"][0]["extensions"]["code"], "precondition_failed");
    assert_eq!(late["data"]["other"]["age"], 36);
    let gone = data(&client, "mutation($id: ID!) { deleteUser(id: $id) }", json!({"id": id})).await;
    assert_eq!(gone, json!({"deleteUser": true}));
    let users = user::Entity::find_by_id(id.parse::<i64>().unwrap())
        .one(&app.context.db)
        .await
        .unwrap();
    assert!(users.unwrap().deleted_at.is_some());

    let fault = error(&client, "mutation { deleteUser(id: \"1/sessions\") }").await;
    assert_eq!(fault["extensions"]["code"], "invalid_request");
    for input in [json!({"nickname": "Ada"}), json!({"age": "old"}), json!(7)] {
        let answer = ask(&client, update, json!({"id": id, "input": input})).await;
        assert!(answer["errors"][0]["message"].is_string(), "{input}: {answer}");
        assert!(
            answer["data"].is_null() || answer["data"]["updateUser"].is_null(),
            "{answer}"
        );
    }
    let nothing = error(&app.key(&[Scope::USERS_READ]).await, "mutation { deleteUser(id: 1) }").await;
    assert_eq!(nothing["extensions"]["code"], "insufficient_scope");
    let odd = error(
        &client,
        "mutation { updateUser(id: 1, input: {}, ifMatch: \"\\\"1\\\"\\nX-Evil: 1\") { id } }",
    )
    .await;
    assert_eq!(odd["extensions"]["errors"][0]["argument"], json!(["ifMatch"]), "{odd}");
}

#[on_both]
async fn what_costs_too_much_is_refused_before_it_runs(db: TestDb) {
    let app = start(db, &[]).await;
    let client = app.all_scopes().await;
    client.sign_up("ada@example.com").await;
    let mut bomb = "query { users { nodes { ...F0 } } }".to_owned();
    for level in 0..40 {
        write!(
            bomb,
            " fragment F{level} on UserDetails {{ ...F{0} ...F{0} }}",
            level + 1
        )
        .unwrap();
    }
    bomb += " fragment F40 on UserDetails { id }";
    let endless = "{ users { nodes { ...A } } } fragment A on UserDetails { ...B } fragment B on UserDetails { ...A }";
    let wide = format!("{{ users {{ nodes {{ {} }} }} }}", "name ".repeat(1_001));
    let many: String = (0..21)
        .map(|number| format!("a{number}: users(first: 1) {{ nodes {{ id }} }} "))
        .collect();
    let large = "{ users(first: 200) { nodes { id tickets(first: 200) { nodes { id subject } } } } }";
    let level = "tickets { nodes { requester { ";
    let deep = format!(
        "{{ users {{ nodes {{ {}id{} }} }} }}",
        level.repeat(6),
        " } } }".repeat(6)
    );
    for (query, reason) in [
        (&*bomb, "more than 1000 fields"),
        (endless, "more than 1000 fields"),
        (&wide, "more than 1000 fields"),
        (&format!("{{ {many} }}"), "20 operations"),
        (large, "more than 50000 values"),
        (&deep, "too deep"),
        ("{ users(first: 0) { nodes { id } } }", "1 to 200 rows"),
        ("{ users(first: 201) { nodes { id } } }", "1 to 200 rows"),
        ("{ users(last: -1) { nodes { id } } }", "1 to 200 rows"),
        ("{ users(first: 1, last: 1) { nodes { id } } }", "not for both"),
        ("{ users(before: \"x\") { nodes { id } } }", "last ones before"),
        ("{ users(last: 2, after: \"x\") { nodes { id } } }", "first ones after"),
        ("{ people { id } }", "Unknown field"),
        ("{ users { nodes { password } } }", "Unknown field"),
        ("{ users", "can't be read: expected"),
        ("", "Send a query"),
        ("query($id: ID!) { user(id: $id) { id } }", "Send the variable $id"),
        ("subscription { events { id } }", "socket"),
    ] {
        app.take_statements();
        let answer = ask(&client, query, json!({})).await;
        let message = answer["errors"][0]["message"].as_str().unwrap_or_default();
        assert!(message.contains(reason), "{query:.80}: {answer:.400}");
        assert_eq!(answer["data"], Value::Null);
        let touched = app.take_statements().iter().any(|sql| sql.contains("FROM \"users\""));
        assert!(!touched, "{query:.80}");
    }
    let long = format!("{{ users {{ nodes {{ id }} }} }} {}", "#".repeat(17_000));
    let answer = ask(&client, &long, json!({})).await;
    assert!(answer["errors"][0]["message"].as_str().unwrap().contains("16384 bytes"));
    let wrong: String = (0..100).map(|number| format!("f{number} ")).collect();
    let answer = ask(&client, &format!("{{ {wrong} }}"), json!({})).await;
    assert_eq!(answer["errors"].as_array().unwrap().len(), 20);
    let secret = ask(&client, "{ a b: \"hunter2", json!({})).await;
    assert!(!secret.to_string().contains("hunter2"), "{secret}");
    let aliases: String = (0..101)
        .map(|number| format!("a{number}: __schema {{ types {{ name }} }} "))
        .collect();
    let answer = ask(&client, &format!("{{ {aliases} }}"), json!({})).await;
    assert!(
        answer["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("more than 300 fields"),
        "{answer:.300}"
    );
    let nested = format!(
        "{{ users(q: {}1{}) {{ nodes {{ id }} }} }}",
        "[".repeat(20_000),
        "]".repeat(20_000)
    );
    let answer = ask(&client, &nested, json!({})).await;
    assert!(answer["errors"][0]["message"].is_string());
}

#[on_both]
async fn an_answer_has_a_size(db: TestDb) {
    let app = start(db, &[]).await;
    let client = app.key(&[READ, WRITE]).await;
    let ada = app.member("ada@example.com").await;
    for _ in 0..20 {
        let body = "é".repeat(10_000);
        let ticket = json!({"subject": "Long", "body": body, "state": "open", "requester_id": ada.id});
        assert_eq!(client.post("/tickets", &ticket).await.status, 201);
    }
    let bodies = |count: u32| {
        let aliases: String = (0..count).map(|number| format!("a{number}: body ")).collect();
        format!("{{ tickets {{ nodes {{ {aliases} }} }} }}")
    };
    let answer = ask(&client, &bodies(10), json!({})).await;
    assert_eq!(answer.get("errors"), None);
    let answer = send(&client, &bodies(40), json!({})).await;
    assert!(answer.body.len() < 1_000, "{}", answer.body.len());
    let answer = answer.json();
    assert!(
        answer["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("more than 8388608 bytes"),
        "{answer}"
    );
    assert_eq!(answer["data"], json!({"tickets": null}));
    let lists: String = (0..20)
        .map(|number| format!("a{number}: tickets {{ nodes {{ body again: body }} }} "))
        .collect();
    let answer = ask(&client, &format!("{{ {lists} }}"), json!({})).await;
    assert!(answer["data"]["a0"]["nodes"].is_array());
    assert_eq!(answer["data"]["a19"], Value::Null);
    assert!(!answer["errors"].as_array().unwrap().is_empty());

    // What has run is not said not to have run.
    let writes: String = (0..47).map(|number| format!("a{number}: body ")).collect();
    let writes: String = (0..20)
        .map(|number| {
            let input = format!(
                "input: {{subject: \"{number}\", body: $body, state: OPEN, requesterId: {}}}",
                ada.id
            );
            format!("t{number}: createTicket({input}) {{ subject {writes} }} ")
        })
        .collect();
    let query = format!("mutation M($body: String!) {{ {writes} }}");
    let answer = ask(&client, &query, json!({"body": "é".repeat(5_000)})).await;
    assert_eq!(answer["data"]["t0"]["subject"], "0", "{:.300}", answer.to_string());
    assert_eq!(answer["data"]["t19"], Value::Null);
    assert_eq!(
        answer["errors"].as_array().unwrap().last().unwrap()["path"],
        json!(["t19"])
    );
    assert_eq!(client.get("/tickets?count=true").await.json()["count"], 40);

    // Names count as well: here 20 times 40 of them.
    let lists: String = (0..20)
        .map(|number| format!("a{number}: tickets {{ nodes {{ ...F }} }} "))
        .collect();
    let query = format!("{{ {lists} }} fragment F on Ticket {{ {}: id }}", "n".repeat(12_000));
    let answer = send(&client, &query, json!({})).await;
    assert!(answer.body.len() < 8_400_000, "{}", answer.body.len());
    let answer = answer.json();
    assert!(answer["data"]["a0"]["nodes"].is_array());
    assert_eq!(answer["data"]["a19"], Value::Null);
}

#[on_both]
async fn fields_of_one_name_are_one_field(db: TestDb) {
    let app = start(db, &[]).await;
    let client = app.all_scopes().await;
    let (ada, bob) = (
        client.sign_up("ada@example.com").await,
        client.sign_up("bob@example.com").await,
    );
    for query in [
        format!("{{ a: user(id: {ada}) {{ id }} ...F }} fragment F on Query {{ a: user(id: {bob}) {{ id }} }}"),
        format!("{{ user(id: {ada}) {{ x: id ... on UserDetails {{ x: name }} }} }}"),
        format!("{{ x: user(id: {ada}) {{ a: name }} x: user(id: {ada}) {{ a: email }} }}"),
        format!(
            "mutation {{ x: updateUser(id: {ada}, input: {{name: \"A\"}}) {{ id }} ...F }}
            fragment F on Mutation {{ x: updateUser(id: {bob}, input: {{name: \"B\"}}) {{ id }} }}"
        ),
    ] {
        let answer = ask(&client, &query, json!({})).await;
        let message = answer["errors"][0]["message"].as_str().unwrap_or_default();
        assert!(
            message.contains("different fields") || message.contains("conflict"),
            "{query}: {answer}"
        );
        assert_eq!(answer.get("data"), None);
    }
    let same = format!("{{ x: user(id: {ada}) {{ id }} x: user(id: {ada}) {{ id name }} }}");
    assert_eq!(data(&client, &same, json!({})).await["x"]["name"], "Ada Lovelace");
}

#[on_both]
async fn an_id_is_written_in_one_way_and_leads_to_its_operation(db: TestDb) {
    let app = start(db, &[]).await;
    let client = app.all_scopes().await;
    client.sign_up("ada@example.com").await;
    for id in ["01", "+1", "1/sessions", "current", "", "1 ", "\u{661}"] {
        let answer = ask(
            &client,
            "query($id: ID!) { user(id: $id) { id } apiKey(id: $id) { id } }",
            json!({"id": id}),
        )
        .await;
        assert_eq!(answer["data"], json!({"user": null, "apiKey": null}), "{id}");
        for error in answer["errors"].as_array().unwrap() {
            assert_eq!(error["extensions"]["code"], "invalid_request", "{id}: {error}");
        }
    }
    let empty = error(&client, "{ userByExternalId(id: \"\") { id } }").await;
    assert_eq!(empty["extensions"]["code"], "not_found");
    let long = format!("{{ users(q: \"{}\") {{ nodes {{ id }} }} }}", "a".repeat(9_000));
    assert_eq!(error(&client, &long).await["extensions"]["code"], "uri_too_long");
    let place = error(&client, "{ users(last: 1, before: \"x\") { nodes { id } } }").await;
    assert_eq!(place["extensions"]["errors"][0]["argument"], json!(["before"]));
}

#[on_both]
async fn each_operation_counts_as_a_request(db: TestDb) {
    let app = start(db, &[("RATE_LIMITS", "key=5/h")]).await;
    let client = app.key(&[Scope::USERS_READ]).await;
    let many: String = (0..8)
        .map(|number| format!("a{number}: users {{ nodes {{ id }} }} "))
        .collect();
    let answer = ask(&client, &format!("{{ {many} }}"), json!({})).await;
    let refused = answer["errors"].as_array().unwrap();
    assert_eq!(refused.len(), 3, "{answer}");
    assert_eq!(refused[0]["extensions"]["code"], "rate_limited");
    assert!(refused[0]["extensions"]["retryAfter"].as_i64().unwrap() > 0);
    let body = json!({"query": "{ users { nodes { id } } }"});
    client.post("/graphql", &body).await.is(429, "rate_limited");
}

#[on_both]
async fn aliases_fragments_variables_and_directives_mean_what_they_mean(db: TestDb) {
    let app = start(db, &[]).await;
    let client = app.all_scopes().await;
    let id = client.sign_up("ada@example.com").await;
    let query = "query Other { users { nodes { id } } }
        query Wanted($id: ID = 999, $more: Boolean = false) {
            one: user(id: $id) { ...Basic name mail: email @include(if: $more) age @skip(if: true) }
            one: user(id: $id) { status ... on UserDetails { verified } ... @include(if: $more) { externalId } }
            __typename
        }
        fragment Basic on UserDetails { id name }";
    let body = json!({"query": query, "operationName": "Wanted", "variables": {"id": id, "more": true}});
    let answer = client.post("/graphql", &body).await.json();
    let expected = json!({
        "one": {"id": id.to_string(), "name": "Ada Lovelace", "mail": "ada@example.com", "status": "ACTIVE",
            "verified": false, "externalId": null},
        "__typename": "Query",
    });
    assert_eq!(answer["data"], expected, "{answer}");
    let body = json!({"query": query, "operationName": "Wanted"});
    let answer = client.post("/graphql", &body).await.json();
    assert_eq!(answer["errors"][0]["extensions"]["code"], "user_not_found", "{answer}");
    assert_eq!(answer["errors"][0]["path"], json!(["one"]));
    for name in [json!(null), json!("Unknown")] {
        let body = json!({"query": query, "operationName": name});
        let answer = client.post("/graphql", &body).await.json();
        assert!(answer["errors"][0]["message"].is_string(), "{answer}");
    }
}

#[on_both]
async fn the_schema_can_be_asked_for(db: TestDb) {
    let app = start(db, &[]).await;
    let ask_schema =
        "{ __schema { queryType { name } types { name fields { name } } } __type(name: \"User\") { name } }";
    let answer = data(&app.anonymous(), ask_schema, json!({})).await;
    assert_eq!(answer["__schema"]["queryType"]["name"], "Query");
    assert_eq!(answer["__type"]["name"], "User");
    let client = app.all_scopes().await;
    let mixed = error(&client, "{ __schema { queryType { name } } users { nodes { id } } }").await;
    assert!(mixed["message"].as_str().unwrap().contains("of its own"), "{mixed}");
    let page = app.anonymous().with("accept", "text/html").get("/graphql").await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("graphiql.min.js"));
    assert!(page.header("content-security-policy").contains("script-src 'self'"));
    client.get("/graphql").await.is(405, "method_not_allowed");
    let front = app.anonymous().with("accept", "text/html").get("/").await;
    assert!(front.text().contains("href=\"/graphql\""));
}

#[on_both]
async fn a_schema_that_is_kept_is_told_in_no_way(db: TestDb) {
    let app = TestApp::with(db, &[("GRAPHQL", "without-introspection")]).await;
    let client = app.all_scopes().await;
    let ask_schema = "{ __schema { queryType { name } } __type(name: \"User\") { name } }";
    let answer = ask(&client, ask_schema, json!({})).await;
    assert_eq!(answer["data"], Value::Null);
    assert!(!answer.to_string().contains("queryType\":{"), "{answer}");
    let typo = ask(&client, "{ user { nodes } }", json!({})).await;
    assert!(!typo.to_string().contains("Did you mean"), "{typo}");
    assert_eq!(
        data(&client, "{ users { nodes { id } } }", json!({})).await,
        json!({"users": {"nodes": []}})
    );
    client
        .with("accept", "text/html")
        .get("/graphql")
        .await
        .is(405, "method_not_allowed");
}

#[on_both]
async fn it_is_off_unless_it_is_asked_for(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    client
        .post("/graphql", &json!({"query": "{ me { id } }"}))
        .await
        .is(404, "not_found");
}

#[on_both]
async fn answers_are_of_the_kind_that_the_client_knows(db: TestDb) {
    let app = start(db, &[]).await;
    let client = app.all_scopes().await;
    let new = client
        .clone()
        .with("accept", "application/graphql-response+json, application/json;q=0.9");
    let body = json!({"query": "{ users { nodes { id } } }"});
    let answer = new.post("/graphql", &body).await;
    assert_eq!(
        answer.header("content-type"),
        "application/graphql-response+json; charset=utf-8"
    );
    assert_eq!(
        (answer.status.as_u16(), answer.header("cache-control")),
        (200, "no-store")
    );
    let faulty = json!({"query": "{ nothing }"});
    assert_eq!(new.post("/graphql", &faulty).await.status, 400);
    let old = client.post("/graphql", &faulty).await;
    assert_eq!(
        (old.status.as_u16(), old.header("content-type")),
        (200, "application/json; charset=utf-8")
    );
    // An operation that failed has run.
    let failed = new.post("/graphql", &json!({"query": "{ user(id: 99) { id } }"})).await;
    assert_eq!(failed.status, 200);
    for (body, kind) in [
        ("[]", "model_attributes_type"),
        ("{\"query\": 1}", "model_attributes_type"),
        ("{", "json_invalid"),
    ] {
        assert_eq!(client.post_text("/graphql", body).await.faults()[0].0, kind, "{body}");
    }
    let text = client.clone().with("content-type", "text/plain");
    let text = text
        .call(Method::POST, "/graphql", Body::from("{\"query\": \"{ me { id } }\"}"))
        .await;
    assert_eq!(text.status, 422);
    client.delete("/graphql").await.is(405, "method_not_allowed");
}

#[on_both]
async fn a_user_who_is_gone_is_null_in_a_relation(db: TestDb) {
    let app = start(db, &[]).await;
    let client = app.key(&[READ, WRITE, Scope::USERS_READ, Scope::USERS_WRITE]).await;
    let id = client.sign_up("ada@example.com").await;
    open(&client, id).await;
    let row = user::Entity::find_by_id(id)
        .one(&app.context.db)
        .await
        .unwrap()
        .unwrap();
    let mut row = row.into_active_model();
    row.deleted_at = Set(Some(now()));
    row.update(&app.context.db).await.unwrap();
    let answer = data(
        &client,
        "{ tickets { nodes { requester { id } } } users { nodes { id } } }",
        json!({}),
    )
    .await;
    assert_eq!(
        answer,
        json!({"tickets": {"nodes": [{"requester": null}]}, "users": {"nodes": []}})
    );
    assert_eq!(user::Entity::find().count(&app.context.db).await.unwrap(), 1);
}
