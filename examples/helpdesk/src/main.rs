//! The `helpdesk` program: every service and command of Usher, and those of the helpdesk.

use std::process::ExitCode;

fn main() -> ExitCode {
    helpdesk::project().run()
}
