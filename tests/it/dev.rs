//! `usher dev` on a small package of its own, which is built and run for real.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use usher_testkit::{Folder, Program, Running, eventually, run};

const LIMIT: Duration = Duration::from_secs(60);

const MANIFEST: &str = "[package]\nname = \"tiny\"\nedition = \"2024\"\n[workspace]\n";

/// A program that says a word, its arguments, a setting and its process id, and then runs until it is stopped.
fn main_that_says(word: &str) -> String {
    let said = format!("{word} {{arguments:?}} {{}} in process {{}}.");
    let values = r#"std::env::var("PRODUCT_NAME").unwrap(), std::process::id()"#;
    format!(
        "fn main() {{
            let arguments: Vec<_> = std::env::args().skip(1).collect();
            println!({said:?}, {values});
            loop {{ std::thread::park() }}
        }}"
    )
}

/// `usher` in the place of the package's own program, as a product's program has `dev` too.
fn tiny(folder: &Path) -> Program {
    fs::create_dir_all(folder.join("src")).expect("a folder");
    fs::write(folder.join("Cargo.toml"), MANIFEST).expect("a manifest");
    fs::write(folder.join("src/main.rs"), main_that_says("first")).expect("a source");
    let target = folder.join("target/debug");
    fs::create_dir_all(&target).expect("a folder");
    // Not copied by this process: while another test starts a program, that one would hold the file open for writing.
    let copy = Command::new("cp")
        .arg(env!("CARGO_BIN_EXE_usher"))
        .arg(target.join("tiny"))
        .status();
    assert!(copy.expect("cp").success());
    let of_cargo = ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME"];
    let inherited = std::env::vars().filter(|(name, _)| of_cargo.contains(&&**name));
    inherited.fold(Program::at(target.join("tiny")), |tiny, (name, value)| {
        tiny.env(&name, value)
    })
}

/// Waits until it says `words`.
async fn says(running: &Running, words: &str) {
    let what = format!("it says {words:?}");
    eventually(LIMIT, &what, async || running.log().contains(words).then_some(())).await;
}

/// The process of the program that said `words`.
async fn process_of(running: &Running, words: &str) -> PathBuf {
    says(running, words).await;
    let log = running.log();
    let (_, id) = log.split_once(&format!("{words} in process ")).expect("a process");
    Path::new("/proc").join(id.split('.').next().unwrap_or_default())
}

#[test]
fn a_change_is_built_and_restarted_and_a_mistake_leaves_the_program_running() {
    run(async {
        let folder = Folder::new();
        let source = folder.path().join("src/main.rs");
        let dev = ["dev", "--product-name=Acme", "--", "api", "--fast"];
        let dev = dev.into_iter().fold(tiny(folder.path()), Program::arg);
        let running = dev.start(&folder).await;
        let first = process_of(&running, r#"first ["api", "--fast"] Acme"#).await;

        fs::write(&source, "fn main() { mistake }").expect("a source");
        says(&running, "cannot find value `mistake`").await;
        says(&running, "The build failed").await;
        assert!(first.exists());

        fs::write(&source, main_that_says("second")).expect("a source");
        let second = process_of(&running, r#"second ["api", "--fast"] Acme"#).await;
        says(&running, "Restarted in").await;
        assert!(!first.exists() && second.exists());

        assert_eq!(running.terminate().await, 0);
        assert!(!second.exists());
    });
}

#[test]
fn a_program_that_ends_by_itself_is_started_again_after_a_change() {
    run(async {
        let folder = Folder::new();
        let source = folder.path().join("src/main.rs");
        let dev = tiny(folder.path()).arg("dev").arg("--product-name=Acme");
        fs::write(&source, "fn main() { std::process::exit(7) }").expect("a source");
        let running = dev.start(&folder).await;
        says(&running, "The program ended (exit status: 7)").await;
        fs::write(&source, main_that_says("again")).expect("a source");
        process_of(&running, "again [] Acme").await;
        assert_eq!(running.terminate().await, 0);
    });
}

#[test]
fn a_folder_without_a_package_is_refused() {
    run(async {
        let dev = Program::named("usher").arg("dev");
        let (code, text) = dev.finish(&Folder::new(), LIMIT).await;
        let says_what_to_do = text.contains("has no Cargo.toml") && text.contains("cargo run -- dev");
        assert!(code == 1 && says_what_to_do, "{text}");
    });
}
