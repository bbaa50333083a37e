//! Settings in `config/<environment>.toml`, which count where neither a flag nor the environment sets them.

use std::{fs, path::Path, time::Duration};

use usher_testkit::{Folder, Program, TestDb, free_port, run};

const SECRET_KEY: &str = "b25seSBmb3IgdGVzdHMsIG5ldmVyIGluIHByb2R1Y3Rpb24=";
const LIMIT: Duration = Duration::from_secs(20);

fn folder_with(environment: &str, settings: &str) -> Folder {
    let folder = Folder::new();
    write(folder.path(), environment, settings);
    folder
}

fn write(folder: &Path, environment: &str, settings: &str) {
    let config = folder.join("config");
    fs::create_dir_all(&config).expect("a folder");
    fs::write(config.join(format!("{environment}.toml")), settings).expect("a file");
}

/// A separate service, with nothing set.
fn api() -> Program {
    Program::named("usher").arg("api")
}

/// It ends with one line that has all of `words`.
async fn refuses(program: Program, folder: &Folder, words: &[&str]) -> String {
    let (code, text) = program.finish(folder, LIMIT).await;
    let is_whole = words.iter().all(|word| text.contains(word));
    assert!(
        code == 1 && text.lines().count() == 1 && is_whole,
        "{code}: {words:?} in\n{text}"
    );
    text
}

fn address() -> String {
    format!("127.0.0.1:{}", free_port())
}

#[test]
fn a_service_starts_with_the_settings_of_a_file() {
    run(async {
        let (db, address) = (TestDb::postgres().await, address());
        let settings = format!(
            "database_url = '{}'\nsecret_key = '{SECRET_KEY}'\napi_addr = '{address}'\n\
             cors_origins = ['https://a.example', 'https://b.example']\notel_traces_sampler_arg = 0.5\n",
            db.url()
        );
        let folder = folder_with("production", &settings);
        let api = api().env("USHER_ENV", "production").ready_at(&address);
        assert_eq!(api.start(&folder).await.terminate().await, 0);
    });
}

#[test]
fn up_takes_flags_before_the_environment_before_the_file_before_defaults() {
    run(async {
        let [file, variable, flag, admin] = [address(), address(), address(), address()];
        let folder = folder_with(
            "development",
            &format!("api_addr = '{file}'\nadmin_addr = '{admin}'\nproduct_name = 'Acme'\n"),
        );
        let up = Program::named("usher").arg("up").ready_at(&admin);
        let of_file = up.clone().ready_at(&file).start(&folder).await;
        assert_eq!(of_file.terminate().await, 0);
        let blank = up.clone().env("API_ADDR", " ").ready_at(&file).start(&folder).await;
        assert_eq!(blank.terminate().await, 0);
        let up = up.env("API_ADDR", &variable);
        let of_variable = up.clone().ready_at(&variable).start(&folder).await;
        assert_eq!(of_variable.terminate().await, 0);
        let up = up.arg(format!("--api-addr={flag}")).ready_at(&flag);
        assert_eq!(up.start(&folder).await.terminate().await, 0);
    });
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_what_to_write() {
    run(async {
        for (settings, words) in [
            ("api_adr = 'x'", ["api_adr in config/development.toml", "use api_addr"]),
            (
                "api_addr = 'many'",
                [
                    "api_addr in config/development.toml is \"many\"",
                    "api_addr = \"127.0.0.1:8000\"",
                ],
            ),
            (
                "sign_up = 'perhaps'",
                ["sign_up in config/development.toml", "sign_up = \"closed\""],
            ),
            (
                "database_url = 'mysql://u:hidden@h/x'",
                ["database_url in config/development.toml", "mysql"],
            ),
            (
                "secret_key = 'aGlkZGVu'",
                ["secret_key in config/development.toml", "openssl"],
            ),
            ("secret_key = hidden", ["config/development.toml is not TOML", "line 1"]),
        ] {
            let folder = folder_with("development", settings);
            for command in ["up", "api"] {
                let line = refuses(Program::named("usher").arg(command), &folder, &words).await;
                assert!(!line.contains("hidden") && !line.contains("aGlkZGVu"), "{line}");
            }
        }
    });
}

#[test]
fn a_products_own_settings_are_in_the_same_file() {
    run(async {
        let folder = folder_with("development", "ticket_due_hours = 'soon'");
        let words = [
            "ticket_due_hours in config/development.toml",
            "for example ticket_due_hours = ",
        ];
        refuses(Program::named("helpdesk"), &folder, &words).await;
        refuses(api(), &folder, &["ticket_due_hours", "not a setting"]).await;
        write(
            folder.path(),
            "development",
            "ticket_due_hours = 4\nsign_up = 'perhaps'",
        );
        refuses(
            Program::named("helpdesk"),
            &folder,
            &["sign_up in config/development.toml"],
        )
        .await;
    });
}

#[test]
fn the_environment_chooses_the_file_and_is_a_word() {
    run(async {
        let folder = folder_with("development", "api_addr = 'many'");
        write(folder.path(), "test", "admin_addr = 'few'");
        refuses(api(), &folder, &["config/development.toml", "many"]).await;
        refuses(api().env("USHER_ENV", "test"), &folder, &["config/test.toml", "few"]).await;
        refuses(api().arg("--usher-env=test"), &folder, &["config/test.toml", "few"]).await;
        // There is no such file: nothing changes.
        refuses(
            api().env("USHER_ENV", "production"),
            &folder,
            &["SECRET_KEY is not set"],
        )
        .await;
        refuses(api().env("USHER_ENV", "../test"), &folder, &["USHER_ENV", "a word"]).await;
        // The value that counts is another one.
        let set = api().env("API_ADDR", "none");
        refuses(set, &folder, &["API_ADDR is \"none\"", "API_ADDR=127.0.0.1:8000"]).await;
    });
}

#[test]
fn doctor_names_the_file() {
    run(async {
        let db = TestDb::sqlite().await;
        let folder = folder_with("development", "product_name = 'Acme'");
        let doctor = Program::named("usher").arg("doctor").env("DATABASE_URL", db.url());
        let (_, text) = doctor.finish(&folder, LIMIT).await;
        assert!(text.contains("readable, also from config/development.toml"), "{text}");
        let (_, text) = doctor.env("USHER_ENV", "test").finish(&folder, LIMIT).await;
        assert!(text.contains("there is no config/test.toml"), "{text}");
    });
}
