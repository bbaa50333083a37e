//! What the kit promises when a test process is killed: nothing of it stays behind.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use sea_orm::Database;
use usher_testkit::{Browser, Folder, Postgres, Redis, Smtp, eventually, free_port, run};

/// The ids of processes that work in `folder` or were started with a path in it.
fn processes_in(folder: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir("/proc")
        .expect("Linux")
        .flatten()
        .map(|entry| entry.path());
    all.filter(|process| {
        let words = fs::read(process.join("cmdline")).unwrap_or_default();
        let place = fs::read_link(process.join("cwd")).unwrap_or_default();
        place.starts_with(folder) || String::from_utf8_lossy(&words).contains(&*folder.to_string_lossy())
    })
    .collect()
}

async fn nothing_is_left_in(folder: &Path) {
    eventually(
        Duration::from_secs(10),
        "its processes and its files are gone",
        async || {
            let files = fs::read_dir(folder).into_iter().flatten().count();
            (files == 0 && processes_in(folder).is_empty()).then_some(())
        },
    )
    .await;
}

/// The example that serves PostgreSQL, as `./test` runs it, with its temporary files in `folder`.
fn postgres_example(folder: &Folder) -> Command {
    let test = std::env::current_exe().expect("a test knows its own file");
    let profile = test.ancestors().nth(2).expect("it lies in target/<profile>/deps");
    let mut example = Command::new(profile.join("examples/postgres"));
    example
        .env("TMPDIR", folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    example
}

#[test]
fn a_killed_process_leaves_no_server_and_no_folder() {
    run(async {
        let folder = world_readable(Folder::new());
        let mut example = postgres_example(&folder)
            .spawn()
            .expect("cargo builds the example with the tests");
        let mut url = String::new();
        BufReader::new(example.stdout.take().unwrap())
            .read_line(&mut url)
            .unwrap();
        Database::connect(url.trim()).await.expect("the server answers");
        assert!(!processes_in(folder.path()).is_empty());

        example.kill().unwrap(); // SIGKILL: nothing in it can run any more
        example.wait().unwrap();

        nothing_is_left_in(folder.path()).await;
    });
}

#[test]
fn a_process_whose_input_ends_leaves_no_server_and_no_folder() {
    run(async {
        let folder = world_readable(Folder::new());
        let mut example = postgres_example(&folder)
            .spawn()
            .expect("cargo builds the example with the tests");
        let mut url = String::new();
        BufReader::new(example.stdout.take().unwrap())
            .read_line(&mut url)
            .unwrap();
        drop(example.stdin.take());
        assert!(example.wait().unwrap().success());
        nothing_is_left_in(folder.path()).await;
    });
}

#[test]
fn dropped_servers_are_gone_at_once() {
    run(async {
        let ports = {
            let (postgres, redis, smtp) = (Postgres::start().await, Redis::start().await, Smtp::start().await);
            [postgres.url(""), redis.url(), smtp.url()].map(|url| {
                let port = url
                    .rsplit(':')
                    .next()
                    .expect("a port")
                    .split('/')
                    .next()
                    .expect("a number");
                port.parse::<u16>().expect("a number")
            })
        };
        for port in ports {
            std::net::TcpListener::bind(("127.0.0.1", port)).expect("the port is free again");
        }
    });
}

#[test]
fn a_closed_browser_leaves_no_process() {
    run(async {
        let browser = Browser::open().await;
        let folder = browser.folder().to_owned();
        assert!(processes_in(&folder).len() > 2, "chromedriver and Chromium run");
        drop(browser);
        nothing_is_left_in(&folder).await;
    });
}

#[test]
fn a_port_is_given_once() {
    let mut ports: Vec<u16> = (0..200).map(|_| free_port()).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 200);
}

/// PostgreSQL, which leaves root's rights, must be able to enter it.
fn world_readable(folder: Folder) -> Folder {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    folder
}
