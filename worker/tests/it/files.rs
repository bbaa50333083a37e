//! Jobs that make and read files: exports and the import of users.

use futures::TryStreamExt;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use usher_shared::{
    accounts::staff::{
        bulk::Objects,
        exports::{self, Exported, Format},
        imports::{self, Blank},
    },
    audit::Actor,
    foundation::entity::{
        audit_log::{self, ActorKind},
        job::{self, JobState},
        job_file,
        job_item::{self, ItemOutcome},
        user,
    },
    jobs::files,
};
use usher_testkit::{TestDb, on_both};
use usher_worker::registry;
use uuid::Uuid;

use crate::test_worker::TestWorker;

async fn text(test: &TestWorker, result: &Value) -> String {
    text_of(test, &result["file"]).await
}

async fn text_of(test: &TestWorker, file: &Value) -> String {
    let file: Uuid = file.as_str().unwrap().parse().unwrap();
    let pieces: Vec<Vec<u8>> = files::read(test.context.db.clone(), file).try_collect().await.unwrap();
    String::from_utf8(pieces.concat()).unwrap()
}

async fn export(test: &TestWorker, what: Exported, format: Format, objects: Option<Objects>) -> (Value, String) {
    let tx = test.context.job_store.begin().await.unwrap();
    let job = exports::order(&tx, what, format, objects, &Actor::system())
        .await
        .unwrap()
        .job_id;
    tx.commit().await.unwrap();
    let worker = test.start(registry());
    let result = test.reaches(job, JobState::Done).await.result.unwrap();
    worker.stop().await;
    let text = text(test, &result).await;
    (result, text)
}

async fn check(test: &TestWorker, file: &str) -> (Uuid, Value) {
    check_bytes(test, file.as_bytes(), Blank::Keep).await
}

async fn check_bytes(test: &TestWorker, file: &[u8], blank: Blank) -> (Uuid, Value) {
    let tx = test.context.job_store.begin().await.unwrap();
    let job = imports::check(&tx, "people.csv", file, blank, &Actor::system())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let worker = test.start(registry());
    let result = test.reaches(job, JobState::Done).await.result.unwrap();
    worker.stop().await;
    (job, result)
}

async fn import(test: &TestWorker, checked: Uuid, welcome: bool) -> (Uuid, Value) {
    let tx = test.context.job_store.begin().await.unwrap();
    let job = imports::run(&tx, checked, welcome, &Actor::system()).await.unwrap();
    tx.commit().await.unwrap();
    let worker = test.start(registry());
    let result = test.reaches(job, JobState::Done).await.result.unwrap();
    worker.stop().await;
    (job, result)
}

async fn people(test: &TestWorker) -> Vec<(String, String, Option<i16>)> {
    let users = user::Entity::find()
        .order_by_asc(user::Column::Id)
        .all(&test.context.db)
        .await
        .unwrap();
    users
        .into_iter()
        .map(|user| (user.email, user.name, user.age))
        .collect()
}

const FILE: &str = "Email,Name,Age\r\nada@example.org,Ada King,36\r\ngrace@example.org,Grace Hopper,\r\n\
                    no address,Nobody,200\r\ngrace@example.org,Again,1\r\nboss@example.org,Boss,50\r\n";

#[on_both]
async fn an_export_has_every_row_and_no_formula_and_no_secret(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    test.sign_up("=HYPERLINK(1)", "ada@example.org").await;
    test.sql("UPDATE users SET password_hash = 'very secret'").await;
    test.sql(
        "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
         INSERT INTO users (email, email_key, name, created_at, updated_at)
         SELECT 'u' || i || '@example.org', 'u' || i || '@example.org', 'User ' || i, '2026-01-01T00:00:00+00:00',
                '2026-01-01T00:00:00+00:00' FROM n",
    )
    .await;
    let (result, text) = export(&test, Exported::Users, Format::Csv, None).await;
    assert_eq!((&result["rows"], &result["bytes"]), (&json!(2500), &json!(text.len())));
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2501);
    assert!(
        lines[0].starts_with("\u{feff}id,email,name,age,status,"),
        "{}",
        lines[0]
    );
    assert!(
        lines[1].starts_with("1,ada@example.org,'=HYPERLINK(1),,active,"),
        "{}",
        lines[1]
    );
    assert!(lines[2500].contains("u2500@example.org"));
    assert!(!text.contains("secret"));
}

#[on_both]
async fn an_export_of_chosen_rows_is_json_that_a_program_reads(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let ada = test.sign_up("Ada", "ada@example.org").await;
    test.sign_up("Grace", "grace@example.org").await;
    let (result, text) = export(
        &test,
        Exported::Users,
        Format::Json,
        Some(Objects::Ids(vec![ada.id, 999])),
    )
    .await;
    assert_eq!(result["rows"], json!(1));
    let rows: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&rows[0]["email"], &rows[0]["is_staff"]),
        (&json!("ada@example.org"), &json!(false))
    );
    let (_, none) = export(&test, Exported::Users, Format::Json, Some(Objects::Ids(vec![999]))).await;
    assert_eq!(serde_json::from_str::<Vec<Value>>(&none).unwrap(), Vec::<Value>::new());
    let (_, jobs) = export(&test, Exported::Jobs, Format::Csv, None).await;
    assert_eq!(jobs.matches(",welcome_email,").count(), 2);
    let (mails, _) = export(&test, Exported::Mails, Format::Csv, None).await;
    assert_eq!(mails["rows"], json!(2));
    let (_, trail) = export(&test, Exported::AuditLog, Format::Csv, None).await;
    assert_eq!(trail.matches(",export,job,").count(), 5);
}

#[on_both]
async fn a_dry_run_says_what_would_become_of_each_line_and_changes_nothing(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    test.sign_up("Ada Lovelace", "ada@example.org").await;
    test.sign_up("Boss", "boss@example.org").await;
    test.sql("UPDATE users SET is_staff = true WHERE name = 'Boss'").await;
    let before = people(&test).await;
    let (_, result) = check(&test, FILE).await;
    assert_eq!(people(&test).await, before);
    let counts: Vec<_> = ["rows", "new", "changed", "unchanged", "faulty"]
        .map(|name| result[name].clone())
        .into();
    assert_eq!(counts, [5, 1, 1, 0, 3].map(|count: i32| json!(count)));
    let faults = result["faults"].as_array().unwrap();
    assert_eq!(
        faults.iter().map(|fault| fault["line"].clone()).collect::<Vec<_>>(),
        [4, 5, 6].map(|line: i32| json!(line))
    );
    let fault = faults[0]["fault"].as_str().unwrap();
    assert!(
        fault.contains("email") && fault.contains("Enter an age of 150 or less"),
        "{fault}"
    );
    assert!(text(&test, &result).await.starts_with("\u{feff}line,fault\r\n4,"));
}

#[on_both]
async fn an_import_takes_no_name_that_cannot_be_seen(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let hidden = ["\u{200b}", "Ada\u{202e}x", "Ada\u{e000}", "Ada\u{378}", "\u{3164}"];
    let lines = hidden
        .iter()
        .enumerate()
        .map(|(number, name)| format!("u{number}@example.org,{name}\n"));
    let file = format!(
        "email,name\n{}ali@example.org,علی\u{200c}رضا\n",
        lines.collect::<String>()
    );
    let (checked, result) = check(&test, &file).await;
    assert_eq!(
        (&result["new"], &result["faulty"]),
        (&json!(1), &json!(hidden.len())),
        "{result}"
    );
    import(&test, checked, false).await;
    assert_eq!(
        people(&test).await,
        [("ali@example.org".to_owned(), "علی\u{200c}رضا".to_owned(), None)]
    );
}

#[on_both]
async fn an_import_writes_what_its_dry_run_said_and_a_second_time_nothing(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    test.sign_up("Ada Lovelace", "ada@example.org").await;
    test.sign_up("Boss", "boss@example.org").await;
    test.sql("UPDATE users SET is_staff = true WHERE name = 'Boss'").await;
    let (checked, _) = check(&test, FILE).await;
    let (job, result) = import(&test, checked, true).await;
    assert_eq!(result, json!({"done": 2, "skipped": 0, "failed": 3}));
    let boss = ("boss@example.org".to_owned(), "Boss".to_owned(), None);
    let expected = [
        ("ada@example.org".to_owned(), "Ada King".to_owned(), Some(36)),
        boss,
        ("grace@example.org".to_owned(), "Grace Hopper".to_owned(), None),
    ];
    assert_eq!(people(&test).await, expected);
    let failed = job_item::Entity::find()
        .filter(job_item::Column::JobId.eq(job))
        .filter(job_item::Column::Outcome.eq(ItemOutcome::Failed));
    assert_eq!(failed.count(&test.context.db).await.unwrap(), 3);
    let made = audit_log::Entity::find().filter(audit_log::Column::Action.eq("create"));
    // Those who signed up, and the one who was imported.
    assert_eq!(made.count(&test.context.db).await.unwrap(), 3);
    let welcomes = async || {
        job::Entity::find()
            .filter(job::Column::Kind.eq("welcome_email"))
            .count(&test.context.db)
            .await
            .unwrap()
    };
    assert_eq!(welcomes().await, 3);
    let (_, again) = import(&test, checked, true).await;
    assert_eq!(again, json!({"done": 0, "skipped": 2, "failed": 3}));
    assert_eq!(people(&test).await, expected);
    assert_eq!(welcomes().await, 3);
}

#[on_both]
async fn who_has_lost_their_rights_gets_no_export_and_imports_nobody(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let ada = test.sign_up("Ada", "ada@example.org").await;
    test.sql("UPDATE users SET is_staff = true, is_superuser = true").await;
    let actor = Actor::new(ActorKind::User, Some(ada.id), "Ada");
    let (job_store, file) = (&test.context.job_store, b"email,name\nnew@example.org,New\n");
    let tx = job_store.begin().await.unwrap();
    let looked = imports::check(&tx, "people.csv", file, Blank::Keep, &actor)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let worker = test.start(registry());
    test.reaches(looked, JobState::Done).await;
    worker.stop().await;
    let tx = job_store.begin().await.unwrap();
    let ordered = exports::order(&tx, Exported::Users, Format::Csv, None, &actor)
        .await
        .unwrap()
        .job_id;
    let imported = imports::run(&tx, looked, false, &actor).await.unwrap();
    tx.commit().await.unwrap();
    // Still staff, and no role gives the permissions.
    test.sql("UPDATE users SET is_superuser = false").await;
    let worker = test.start(registry());
    for (job, permission) in [(ordered, "users.export"), (imported, "users.import")] {
        let job = test.reaches(job, JobState::Cancelled).await;
        assert!(
            job.last_error.as_deref().is_some_and(|why| why.contains(permission)),
            "{job:?}"
        );
    }
    worker.stop().await;
    let files = job_file::Entity::find().filter(job_file::Column::JobId.eq(ordered));
    assert_eq!(
        (files.count(&test.context.db).await.unwrap(), people(&test).await.len()),
        (0, 1)
    );
}

#[on_both]
async fn an_import_adds_and_changes_only_for_who_may(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    test.sign_up("Ada Lovelace", "ada@example.org").await;
    let staff = test.sign_up("Staff", "staff@example.org").await;
    test.sign_up("Boss", "boss@example.org").await;
    test.sql("UPDATE users SET is_staff = true WHERE name <> 'Ada Lovelace'")
        .await;
    test.sql("UPDATE users SET is_superuser = true WHERE name = 'Boss'")
        .await;
    test.sql(
        "INSERT INTO roles (id, name, description, version, created_at, updated_at)
              VALUES (1, 'R', '', 1, '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00+00:00')",
    )
    .await;
    test.sql(&format!(
        "INSERT INTO user_roles (user_id, role_id) VALUES ({}, 1)",
        staff.id
    ))
    .await;
    let actor = Actor::new(ActorKind::User, Some(staff.id), "Staff");
    let lines = [
        "new@example.org,New",
        "ada@example.org,Ada King",
        "staff@example.org,Me",
        "boss@example.org,Boss Again",
    ];
    let file = format!("email,name\n{}\n", lines.join("\n"));
    for (given, right) in [
        (&["users.import"][..], [false, false]),
        (&["users.import", "users.add"], [true, false]),
        (&["users.import", "users.change"], [false, true]),
        (&["users.import", "users.add", "users.change"], [true, true]),
    ] {
        test.sql("DELETE FROM role_permissions").await;
        test.sql("DELETE FROM users WHERE email = 'new@example.org'").await;
        test.sql("UPDATE users SET name = 'Ada Lovelace' WHERE email = 'ada@example.org'")
            .await;
        for permission in given {
            test.sql(&format!(
                "INSERT INTO role_permissions (role_id, permission) VALUES (1, '{permission}')"
            ))
            .await;
        }
        let tx = test.context.job_store.begin().await.unwrap();
        let looked = imports::check(&tx, "people.csv", file.as_bytes(), Blank::Keep, &actor)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let worker = test.start(registry());
        let result = test.reaches(looked, JobState::Done).await.result.unwrap();
        let count = |yes: bool| json!(i32::from(yes));
        assert_eq!(
            (&result["new"], &result["changed"]),
            (&count(right[0]), &count(right[1])),
            "{given:?}: {result}"
        );
        let tx = test.context.job_store.begin().await.unwrap();
        let job = imports::run(&tx, looked, false, &actor).await.unwrap();
        tx.commit().await.unwrap();
        test.reaches(job, JobState::Done).await;
        worker.stop().await;
        let people = people(&test).await;
        let has = |email: &str, name: &str| people.iter().any(|person| person.0 == email && person.1 == name);
        assert_eq!(
            [has("new@example.org", "New"), has("ada@example.org", "Ada King")],
            right,
            "{given:?}"
        );
        assert!(
            has("staff@example.org", "Staff") && has("boss@example.org", "Boss"),
            "staff are changed on their page"
        );
    }
}

#[on_both]
async fn an_import_goes_on_where_it_was(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let (checked, _) = check(&test, "email,name\na@example.org,A\nb@example.org,B\nA@example.org,C\n").await;
    let tx = test.context.job_store.begin().await.unwrap();
    let job = imports::run(&tx, checked, false, &Actor::system()).await.unwrap();
    tx.commit().await.unwrap();
    // What a killed worker leaves: the first line has its outcome; its user was deleted since.
    let row = job_item::ActiveModel {
        job_id: sea_orm::ActiveValue::Set(job),
        object_id: sea_orm::ActiveValue::Set("2".to_owned()),
        outcome: sea_orm::ActiveValue::Set(Some(ItemOutcome::Done)),
        error: sea_orm::ActiveValue::Set(None),
    };
    job_item::Entity::insert(row)
        .exec_without_returning(&test.context.db)
        .await
        .unwrap();
    let worker = test.start(registry());
    let result = test.reaches(job, JobState::Done).await.result.unwrap();
    worker.stop().await;
    assert_eq!(result, json!({"done": 2, "skipped": 0, "failed": 1}));
    assert_eq!(
        people(&test).await,
        [("b@example.org".to_owned(), "B".to_owned(), None)]
    );
}

#[on_both]
async fn an_export_comes_back_as_it_is_and_changes_nothing(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    for (name, email) in [
        ("'=1+1", "ada@example.org"),
        ("=2;\"=3", "b@example.org"),
        ("Ødegård, \"Bo\"", "ø@example.org"),
        ("Boss", "boss@example.org"),
        ("Gone", "gone@example.org"),
    ] {
        test.sign_up(name, email).await;
    }
    test.sql("UPDATE users SET is_staff = true WHERE name = 'Boss'").await;
    test.sql("UPDATE users SET deleted_at = '2026-01-01T00:00:00+00:00' WHERE name = 'Gone'")
        .await;
    test.sql("UPDATE users SET age = 36 WHERE email = 'ada@example.org'")
        .await;
    // What no rule would let in today.
    test.sql("UPDATE users SET name = '', email = 'root@localhost', email_key = 'root@localhost' WHERE email = 'b@example.org'").await;
    let before = people(&test).await;
    let (_, file) = export(&test, Exported::Users, Format::Csv, None).await;
    assert!(file.contains(",''=1+1,36,"), "{file}");
    for blank in [Blank::Keep, Blank::Clear] {
        let (checked, result) = check_bytes(&test, file.as_bytes(), blank).await;
        let counts: Vec<_> = ["rows", "new", "changed", "unchanged", "faulty"]
            .map(|name| result[name].clone())
            .into();
        assert_eq!(counts, [5, 0, 0, 5, 0].map(|count: i32| json!(count)), "{result}");
        assert!(
            result["ignored"].as_array().unwrap().contains(&json!("status")),
            "{result}"
        );
        assert_eq!(
            import(&test, checked, true).await.1,
            json!({"done": 0, "skipped": 5, "failed": 0})
        );
    }
    assert_eq!(people(&test).await, before);
}

#[on_both]
async fn what_is_missing_is_a_fault_and_a_blank_cell_changes_nothing_unless_it_is_meant_to(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    test.sign_up("Ada", "ada@example.org").await;
    test.sign_up("Bob", "bob@example.org").await;
    test.sql("UPDATE users SET age = 36").await;
    let file = "\u{feff}sep=;\r\n\r\nE-Mail ;NAME;Age;;\r\nada@example.org;Ada King;;;\r\nbob@example.org;;\r\nc@example.org;C\r\nd@example.org;D;1;;x\r\n";
    let (checked, kept) = check_bytes(&test, file.as_bytes(), Blank::Keep).await;
    let counts =
        |result: &Value| ["rows", "new", "changed", "unchanged", "faulty"].map(|name| result[name].as_i64().unwrap());
    assert_eq!(counts(&kept), [4, 0, 1, 1, 2], "{kept}");
    let faults: Vec<_> = kept["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| {
            (
                fault["line"].as_i64().unwrap(),
                fault["fault"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let said = |line, fields| {
        (
            line,
            format!("it has {fields} fields, but the first line names 3 columns"),
        )
    };
    assert_eq!(faults, [said(6, 2), said(7, 5)]);
    assert_eq!(
        text_of(&test, &kept["changes"]).await,
        "\u{feff}line,email,field,before,after\r\n4,ada@example.org,name,Ada,Ada King\r\n"
    );
    import(&test, checked, false).await;
    let person = |email: &str, name: &str, age| (email.to_owned(), name.to_owned(), age);
    assert_eq!(
        people(&test).await,
        [
            person("ada@example.org", "Ada King", Some(36)),
            person("bob@example.org", "Bob", Some(36))
        ]
    );

    let (checked, cleared) = check_bytes(&test, file.as_bytes(), Blank::Clear).await;
    assert_eq!(counts(&cleared), [4, 0, 1, 0, 3], "a name cannot be cleared: {cleared}");
    assert!(
        text_of(&test, &cleared["changes"])
            .await
            .ends_with("4,ada@example.org,age,36,\r\n")
    );
    import(&test, checked, false).await;
    assert_eq!(people(&test).await[0], person("ada@example.org", "Ada King", None));
}

#[on_both]
async fn a_file_in_utf_16_is_read(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    let file: Vec<u8> = "\u{feff}Email address\tName\r\ne@example.org\tÉlodie\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let (checked, result) = check_bytes(&test, &file, Blank::Keep).await;
    assert_eq!(result["new"], json!(1), "{result}");
    import(&test, checked, false).await;
    assert_eq!(
        people(&test).await,
        [("e@example.org".to_owned(), "Élodie".to_owned(), None)]
    );
}

#[on_both]
async fn a_file_that_is_no_list_of_users_is_refused_with_what_to_do(db: TestDb) {
    let test = TestWorker::embedded(db).await;
    for (file, words) in [
        ("name\nAda\n", "must name the columns email and name"),
        ("email,name,shoe\n", "unknown column \"shoe\""),
        ("email,e-mail,name\n", "appears twice"),
        ("email,name\n\"ada", "never closed"),
        ("", "upload it again"),
    ] {
        let (_, result) = check(&test, file).await;
        let refused = result["refused"].as_str().unwrap();
        assert!(refused.contains(words), "{refused}");
    }
    let tx = test.context.job_store.begin().await.unwrap();
    let too_large = vec![b'x'; imports::MAX_BYTES + 1];
    assert!(
        imports::check(&tx, "x.csv", &too_large, Blank::Keep, &Actor::system())
            .await
            .is_err()
    );
    assert!(
        imports::run(&tx, Uuid::now_v7(), false, &Actor::system())
            .await
            .is_err()
    );
}
