//! `GET /users?q=`: everybody is found by what they are called, on both databases alike.

use sea_orm::ConnectionTrait;
use serde_json::json;
use usher_shared::{accounts::users::fill_search_texts, foundation::search::folded};
use usher_testkit::{TestDb, on_both};

use crate::app::{Client, TestApp};

const PEOPLE: [(&str, &str); 16] = [
    ("Élodie Durand", "elo@example.com"),
    ("E\u{301}milie Nfd", "emilie@example.com"),
    ("İpek Yılmaz", "ipek@example.com"),
    ("山田太郎", "taro@example.jp"),
    ("김철수", "chulsoo@example.kr"),
    ("Kovács János", "janos@mail.example.hu"),
    ("Jürgen Straße", "js@bücher.de"),
    ("Søren Đorđević", "soren@example.dk"),
    ("Владимир Ёлкин", "vladimir@example.org"),
    ("علی\u{200c}رضا", "ali@example.ir"),
    ("O’Brien Bo", "bo@example.ie"),
    ("100% Adam_Smith \\ \"quoted\"", "adam+tag@sub.example.com"),
    ("🎉 Party", "party@example.com"),
    ("नमस्ते कुमार", "kumar@example.in"),
    ("王", "wang@example.cn"),
    ("ﬁnn Ｗｉｄｅ", "finn@пример.рф"),
];

/// Whom each search finds, by their place in the list above.
const SEARCHES: [(&str, &[usize]); 47] = [
    ("Élodie", &[0]),
    ("élodie", &[0]),
    ("ELODIE", &[0]),
    ("E\u{301}lodie", &[0]),
    ("lod", &[0]),
    ("émilie", &[1]),
    ("Emilie", &[1]),
    ("ipek", &[2]),
    ("İPEK", &[2]),
    ("yilmaz", &[2]),
    ("山田太郎", &[3]),
    ("太郎", &[3]),
    ("田太", &[3]),
    ("山", &[3]),
    ("철수", &[4]),
    ("김", &[4]),
    ("kovacs", &[5]),
    ("KOVÁCS jan", &[5]),
    ("ovác", &[5]),
    ("mail.example.hu", &[5]),
    ("strasse", &[6]),
    ("raß", &[6]),
    ("jurgen", &[6]),
    ("bücher.de", &[6]),
    ("bucher", &[6]),
    ("xn--bcher-kva.de", &[6]),
    ("js@xn--bcher-kva.de", &[6]),
    ("soren dordevic", &[7]),
    ("ВЛАДИМИР", &[8]),
    ("елкин", &[8]),
    ("علیرضا", &[9]),
    ("علی\u{200c}رضا", &[9]),
    ("o'brien", &[10]),
    ("bo", &[10]),
    ("100%", &[11]),
    ("adam_sm", &[11]),
    ("\\", &[11]),
    ("+tag@sub", &[11]),
    ("🎉", &[12]),
    ("कुमार", &[13]),
    ("王", &[14]),
    ("finn", &[15]),
    ("wide", &[15]),
    ("пример", &[15]),
    ("example.jp", &[3]),
    ("nobody", &[]),
    ("%%%", &[]),
];

async fn found(client: &Client, filter: &str, text: &str) -> Vec<i64> {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair(filter, text)
        .append_pair("sort", "id")
        .finish();
    let page = client.get(&format!("/users?{query}")).await.json();
    let rows = page["data"].as_array().unwrap_or_else(|| panic!("{page}"));
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

async fn all_are_found(client: &Client, ids: &[i64], when: &str) {
    for (search, places) in SEARCHES {
        let expected: Vec<i64> = places.iter().map(|place| ids[*place]).collect();
        assert_eq!(found(client, "q", search).await, expected, "{search:?} {when}");
    }
    for ((name, email), id) in PEOPLE.iter().zip(ids) {
        assert!(
            found(client, "q", name).await.contains(id),
            "{name:?} by its own text {when}"
        );
        for word in name.split(' ').chain([*email]) {
            assert!(
                found(client, "q", word).await.contains(id),
                "{word:?} of {name:?} {when}"
            );
            let letters: Vec<char> = word.chars().collect();
            for part in letters.windows(3) {
                let part: String = part.iter().collect();
                // Marks and joiners are no letters.
                if folded(&part).chars().count() < 3 {
                    continue;
                }
                assert!(
                    found(client, "q", &part).await.contains(id),
                    "{part:?} of {word:?} {when}"
                );
            }
        }
    }
}

#[on_both]
async fn everybody_is_found_by_any_part_of_name_and_address(db: TestDb) {
    let app = TestApp::with(db, &[("RATE_LIMITS", "off")]).await;
    let client = app.all_scopes().await;
    let mut ids = vec![];
    for (name, email) in PEOPLE {
        let made = client
            .post("/users", &json!({"name": name, "email": email}))
            .await
            .json();
        ids.push(made["id"].as_i64().unwrap_or_else(|| panic!("{made}")));
    }
    all_are_found(&client, &ids, "at once").await;
    assert_eq!(
        fill_search_texts(&app.context.db).await.unwrap(),
        0,
        "nothing was missing"
    );
    all_are_found(&client, &ids, "from the index").await;

    // Changed and removed rows, in the index too.
    let at = format!("/users/{}", ids[0]);
    client
        .patch(&at, &json!({"name": "Margarét", "email": "new@example.com"}))
        .await;
    assert_eq!(
        (
            found(&client, "q", "élodie").await,
            found(&client, "q", "margaret").await
        ),
        (vec![], vec![ids[0]])
    );
    client.patch(&at, &json!({"name": "Margaret"})).await;
    assert_eq!(
        found(&client, "q", "margarét").await,
        [ids[0]],
        "a name that lost its accent"
    );
    app.sql(&format!("DELETE FROM users WHERE id = {}", ids[3])).await;
    assert_eq!(found(&client, "q", "太郎").await, [0; 0]);
    fill_search_texts(&app.context.db).await.unwrap();
    assert_eq!(found(&client, "q", "example.").await.len(), PEOPLE.len() - 3);
}

#[on_both]
async fn rows_of_the_release_before_are_found(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    let insert = async |name: &str, email: &str| {
        app.sql(&format!(
            "INSERT INTO users (email, email_key, name, status, version, created_at, updated_at) VALUES \
             ('{email}', '{email}', '{name}', 'active', 1, '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00+00:00')"
        ))
        .await;
    };
    insert("Kovács Éva", "eva@xn--bcher-kva.de").await;
    insert("Ada Lovelace", "ada@example.com").await;
    assert_eq!(found(&client, "q", "lovel").await, [2], "before the worker has seen it");
    assert_eq!(fill_search_texts(&app.context.db).await.unwrap(), 2);
    assert_eq!(
        (found(&client, "q", "kovacs").await, found(&client, "q", "bücher").await),
        (vec![1], vec![1])
    );
    let row = client.get("/users/1").await;
    assert_eq!(
        (&row.json()["email"], row.header("etag")),
        (&json!("eva@bücher.de"), "\"2\"")
    );

    // A change that does not know of the text.
    app.sql("UPDATE users SET name = 'Grace Hopper', version = 3 WHERE id = 2")
        .await;
    assert_eq!(
        (found(&client, "q", "hopper").await, found(&client, "q", "lovel").await),
        (vec![2], vec![])
    );
    assert_eq!(fill_search_texts(&app.context.db).await.unwrap(), 1);
    assert_eq!(
        (found(&client, "q", "hopp").await, found(&client, "q", "lovel").await),
        (vec![2], vec![])
    );
}

#[on_both]
async fn an_international_domain_is_shown_and_found_in_unicode_and_compared_in_ascii(db: TestDb) {
    let app = TestApp::start(db).await;
    let client = app.all_scopes().await;
    let made = client
        .post("/users", &json!({"name": "Ada", "email": "Ada@BÜCHER.de"}))
        .await
        .json();
    assert_eq!(made["email"], "Ada@bücher.de");
    let other = client
        .post("/users", &json!({"name": "Bob", "email": "ada@xn--bcher-kva.de"}))
        .await;
    other.is(409, "email_exists");
    let eve = client
        .post("/users", &json!({"name": "Eve", "email": "ada@bucher.de"}))
        .await
        .json()["id"]
        .as_i64()
        .unwrap();
    for fill in [false, true] {
        if fill {
            fill_search_texts(&app.context.db).await.unwrap();
        }
        for email in [
            "ada@bücher.de",
            "ADA@BÜCHER.DE",
            "ada@xn--bcher-kva.de",
            "ada@bu\u{308}cher.de",
        ] {
            assert_eq!(found(&client, "email", email).await, [1], "{email}");
        }
        for (prefix, expected) in [
            ("ada@bü", vec![1]),
            ("ADA@BÜCH", vec![1]),
            ("ada@b", vec![1, eve]),
            ("ada@bu", vec![eve]),
            ("ada@xn--b", vec![1]),
            ("ada", vec![1, eve]),
            ("ada@", vec![1, eve]),
            ("@bü", vec![]),
            ("da@bü", vec![]),
        ] {
            assert_eq!(found(&client, "email_prefix", prefix).await, expected, "{prefix}");
        }
    }
    let same = client
        .patch("/users/1", &json!({"email": "ada@XN--BCHER-KVA.de"}))
        .await;
    assert_eq!(same.json()["email"], "ada@bücher.de");
    let shown = app
        .context
        .db
        .query_one_raw(sea_orm::Statement::from_string(
            app.context.db.get_database_backend(),
            "SELECT email_key FROM users WHERE id = 1",
        ))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        shown.try_get::<String>("", "email_key").unwrap(),
        "ada@xn--bcher-kva.de"
    );
}
