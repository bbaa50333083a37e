//! The document as other teams' tools read it: validators, a linter, and generated clients that must compile.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use usher_testkit::judge;

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
