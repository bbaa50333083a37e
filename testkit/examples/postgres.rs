//! One PostgreSQL server for a whole run of the tests: prints its URL for `USHER_TEST_POSTGRES`, and
//! ends when its stdin closes.

use std::io::{Read, Write};

use usher_testkit::Postgres;

fn main() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let postgres = runtime.block_on(Postgres::start());
    writeln!(std::io::stdout(), "{}", postgres.url("postgres"))?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
