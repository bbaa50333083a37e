//! A process that cannot start says why in one line that names the setting, and ends.

use std::time::Duration;

use sea_orm::ConnectionTrait;
use usher_shared::foundation::config::settings;
use usher_testkit::{Folder, Program, TestDb, eventually, free_port, run};

const SECRET_KEY: &str = "b25seSBmb3IgdGVzdHMsIG5ldmVyIGluIHByb2R1Y3Rpb24=";
const SERVICES: [&str; 3] = ["usher-api", "usher-admin", "usher-worker"];

fn service(name: &str, database_url: &str) -> Program {
    let program = Program::named(name)
        .env("SECRET_KEY", SECRET_KEY)
        .env("DATABASE_URL", database_url);
    program
        .env("API_ADDR", format!("127.0.0.1:{}", free_port()))
        .env("ADMIN_ADDR", format!("127.0.0.1:{}", free_port()))
}

/// It ends by itself, not with success, and says one line with all of `words` besides its log.
async fn refuses(program: &Program, words: &[&str]) -> String {
    let (code, text) = program.finish(&Folder::new(), Duration::from_secs(20)).await;
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('{')).collect();
    assert!(
        code != 0 && lines.len() == 1,
        "exit code {code}, {} lines:\n{text}",
        lines.len()
    );
    assert!(
        words.iter().all(|word| lines[0].contains(word)),
        "one of {words:?} is not in:\n{text}"
    );
    assert!(!text.contains("panicked"), "{text}");
    text
}

#[test]
fn a_service_without_a_database_url_names_it_with_an_example() {
    run(async {
        for name in SERVICES {
            refuses(
                &Program::named(name).env("SECRET_KEY", SECRET_KEY),
                &["DATABASE_URL", "postgres://"],
            )
            .await;
        }
    });
}

#[test]
fn a_service_refuses_an_address_that_is_no_database() {
    run(async {
        for name in SERVICES {
            refuses(&service(name, "mysql://localhost/usher"), &["DATABASE_URL", "mysql"]).await;
        }
    });
}

#[test]
fn a_service_says_that_its_database_cannot_be_reached_and_not_its_password() {
    run(async {
        let nobody = format!("postgres://usher:hidden-secret@127.0.0.1:{}/usher", free_port());
        for name in ["usher-api", "usher-admin"] {
            let text = refuses(&service(name, &nobody), &["DATABASE_URL", "127.0.0.1"]).await;
            assert!(!text.contains("hidden-secret"), "{text}");
        }
    });
}

#[test]
fn a_service_refuses_a_database_that_is_not_migrated() {
    run(async {
        let db = TestDb::empty_postgres().await;
        for name in ["usher-api", "usher-admin"] {
            refuses(&service(name, db.url()), &["usher migrate up"]).await;
        }
    });
}

#[test]
fn a_schema_that_the_role_may_not_build_says_what_to_do() {
    run(async {
        let db = TestDb::empty_postgres().await;
        let name = db.url().rsplit('/').next().expect("a database's name");
        let stranger = format!("ALTER DATABASE {name} SET role = 'pg_monitor'");
        db.connect().await.execute_unprepared(&stranger).await.expect("a role");
        let migrate = Program::named("usher").arg("migrate").env("DATABASE_URL", db.url());
        refuses(&migrate, &["ALTER DATABASE", "OWNER TO", "permission denied"]).await;
    });
}

#[test]
fn flags_override_the_environment_and_unknown_ones_are_named() {
    run(async {
        let limit = Duration::from_secs(20);
        for name in SERVICES {
            let flag = service(name, "mysql://localhost/usher").arg("--database-url=sqlite://");
            refuses(&flag, &["DATABASE_URL", "must name a file"]).await;
            let blank = service(name, "mysql://localhost/usher").arg("--database-url=");
            refuses(&blank, &["DATABASE_URL is not set"]).await;
            for wrong in ["--databse-url=x", "--api-addr", "up"] {
                let (code, text) = service(name, "sqlite://x.db")
                    .arg(wrong)
                    .finish(&Folder::new(), limit)
                    .await;
                assert!(
                    code == 2 && text.contains(wrong.split('=').next().unwrap()),
                    "{code}: {text}"
                );
            }
        }
        let before = Program::named("usher")
            .arg("--database-url=sqlite://")
            .arg("migrate")
            .arg("status");
        refuses(&before, &["DATABASE_URL", "must name a file"]).await;
    });
}

#[test]
fn a_service_tells_its_flags_and_its_version() {
    run(async {
        for name in SERVICES {
            let patience = Duration::from_secs(20);
            let (code, help) = Program::named(name)
                .arg("--help")
                .finish(&Folder::new(), patience)
                .await;
            assert_eq!(code, 0, "{help}");
            let all = settings();
            let flags = all.get_arguments().filter_map(|arg| arg.get_long());
            let missing: Vec<_> = flags.filter(|flag| !help.contains(&format!("--{flag} "))).collect();
            assert!(missing.is_empty(), "{missing:?} in {help}");
            assert_eq!(help.contains("--concurrency"), name == "usher-worker", "{help}");
            let (code, version) = Program::named(name)
                .arg("--version")
                .finish(&Folder::new(), patience)
                .await;
            assert_eq!(
                (code, version.trim()),
                (0, format!("{name} {}", env!("CARGO_PKG_VERSION")).as_str())
            );
        }
    });
}

#[test]
fn a_worker_waits_for_its_database_and_says_so() {
    run(async {
        let (db, folder, address) = (
            TestDb::empty_postgres().await,
            Folder::new(),
            format!("127.0.0.1:{}", free_port()),
        );
        let worker = service("usher-worker", db.url()).env("METRICS_ADDR", &address);
        let mut waiting = worker.start(&folder).await;
        eventually(Duration::from_secs(10), "it says what it waits for", async || {
            waiting.log().contains("usher migrate up").then_some(())
        })
        .await;
        let migrate = Program::named("usher")
            .arg("migrate")
            .arg("up")
            .env("DATABASE_URL", db.url());
        assert_eq!(migrate.finish(&folder, Duration::from_secs(60)).await.0, 0);
        waiting.ready(&address).await;
        assert_eq!(waiting.terminate().await, 0);
    });
}

#[test]
fn a_service_refuses_a_secret_key_that_is_too_short() {
    run(async {
        let db = TestDb::postgres().await;
        for name in SERVICES {
            let program = Program::named(name)
                .env("DATABASE_URL", db.url())
                .env("SECRET_KEY", "c2hvcnQ=");
            refuses(&program, &["SECRET_KEY"]).await;
        }
    });
}

#[test]
fn a_service_says_that_its_port_is_taken() {
    run(async {
        let db = TestDb::postgres().await;
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = taken.local_addr().expect("its address").to_string();
        for (name, variable) in [("usher-api", "API_ADDR"), ("usher-admin", "ADMIN_ADDR")] {
            let program = Program::named(name)
                .env("SECRET_KEY", SECRET_KEY)
                .env("DATABASE_URL", db.url());
            refuses(&program.env(variable, &address), &[variable, &address]).await;
        }
        let usher = Program::named("usher").env("API_ADDR", &address);
        refuses(
            &usher.env("ADMIN_ADDR", format!("127.0.0.1:{}", free_port())),
            &["API_ADDR", &address],
        )
        .await;
    });
}

/// Before it creates accounts and shows their secrets, which it does only once.
#[test]
fn everything_in_one_process_refuses_a_mail_server_that_it_cannot_use() {
    run(async {
        let up = service("usher", "sqlite://usher.db")
            .arg("up")
            .env("SMTP_URL", "smtp://mail.example.org?tls=perhaps");
        refuses(&up, &["SMTP_URL", "tls=perhaps", "for example"]).await;
    });
}
