//! The `usher` program: all services in one process, each service alone, and the commands for operators.

use std::process::ExitCode;

use usher::Project;

fn main() -> ExitCode {
    Project::new("usher").run()
}
