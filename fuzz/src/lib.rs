//! Properties of what reads a stranger's text. Each takes any bytes and panics when one does not hold; `targets` hands
//! them what libFuzzer makes up, `tests` the seeds. Those of the services' private parsers are in the services, as
//! `fuzzing`.

mod codes;
mod csv;
mod email;
mod forwarded;
mod password;
mod requests;
mod token;

pub use codes::codes;
pub use csv::csv;
pub use email::email;
pub use forwarded::forwarded;
pub use password::password;
pub use requests::{admin_requests, api_requests};
pub use token::token;
