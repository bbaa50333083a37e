//! Scripts of the tests that install tools of other languages.

use std::process::Output;

/// Passes if the script did. Without npm, pip or a network the tools cannot come; that is said, and in CI it fails.
///
/// # Panics
///
/// With what the script said, if it did not pass.
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
