//! The sea-orm-migration command line over Usher's migrations; reads `DATABASE_URL`.

#[tokio::main]
async fn main() {
    usher_migrations::cli::run_cli(usher_migrations::Migrator).await;
}
