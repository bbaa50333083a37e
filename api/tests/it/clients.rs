//! The document as other teams' tools read it: validators, a linter, and generated clients that must compile.

use std::{path::Path, process::Command};

/// Without npm, pip or a network the tools cannot come; that is said, and in CI it fails.
#[test]
fn generated_clients_compile_against_the_document() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let checked = Command::new(root.join("tests/clients/check"))
        .arg(root.join("../docs/openapi.json"))
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients"))
        .output()
        .expect("the script runs");
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
