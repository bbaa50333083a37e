//! The document as other teams' tools read it: validators, a linter, and generated clients that must compile.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

#[test]
fn generated_clients_compile_against_the_document() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let checked = Command::new(script("check")).arg(document).arg(tools()).output();
    judge(&checked.expect("the script runs"));
}

/// One of the scripts beside the clients.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

/// Where the scripts keep the tools that they install.
pub fn tools() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients")
}

/// Passes if the script did. Without npm, pip or a network the tools cannot come; that is said, and in CI it fails.
#[track_caller]
pub fn judge(checked: &Output) {
    let said = String::from_utf8_lossy(&checked.stdout) + String::from_utf8_lossy(&checked.stderr);
    #[expect(
        clippy::disallowed_methods,
        reason = "a fact of the run, not a setting of the product"
    )]
    let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    match checked.status.code() {
        Some(0) => {}
        #[expect(clippy::print_stdout, reason = "for whoever runs the tests without a network")]
        Some(3) if !in_ci => println!("{said}"),
        _ => panic!("{said}"),
    }
}
