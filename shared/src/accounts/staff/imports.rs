//! Importing from a CSV file: a dry-run job that checks the file, and a job that writes what was checked. Users are
//! imported by Usher; models of a product by a function that it registers.

mod lines;
mod order;
mod own;
mod users;

pub use lines::{ImportCounts, ImportJob, ImportLine, check_own, counts, run_own};
pub use order::{ImportError, MAX_BYTES, MAX_ROWS};
pub(in crate::accounts) use own::IMPORTS;
pub use own::{ImportExtension, ImportFault, ImportRow, Imported, ImportedFuture, OwnImport};
pub use users::{Blank, CHANGE_COLUMNS, ImportUsers, PERMISSION, check, run};
