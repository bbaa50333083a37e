//! The engine over a database that isn't Usher's: a shop with a sign-in of its own.
//!
//! `cargo run -p usher-admin-engine --example shop` serves <http://localhost:8790/admin/>; the password is `shop`.

mod catalog;
mod sign_in;

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::State,
    middleware,
    response::{Html, Response},
    routing::{get, post},
};
use sea_orm::ConnectionTrait;
use usher_admin_engine::{
    AdminContext, AdminError, DrawnCard, Shell, Site, Staff, Visit, cards, page, routes, serve_asset,
};
use usher_shared::{
    AppContext,
    foundation::{
        config::{Config, Mode, Source},
        crypto::SecretKey,
        db::{PoolOptions, connect},
    },
};

use sign_in::Sessions;

const ADDRESS: &str = "127.0.0.1:8790";

/// What the layer around the pages needs.
#[derive(Clone)]
struct Shop {
    context: AdminContext,
    sessions: Sessions,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = std::env::temp_dir().join("usher-engine-shop.sqlite");
    drop(std::fs::remove_file(&folder));
    let context = open(&format!("sqlite://{}", folder.display())).await?;
    let listener = tokio::net::TcpListener::bind(ADDRESS).await?;
    axum::serve(listener, router(context)).await?;
    Ok(())
}

/// Opens a database and creates its tables.
async fn open(url: &str) -> anyhow::Result<AdminContext> {
    let secret = SecretKey::generate_base64();
    let settings = Source::of([
        ("DATABASE_URL", url),
        ("SECRET_KEY", &secret),
        ("ADMIN_URL", "http://localhost:8790"),
        ("PRODUCT_NAME", "Shop"),
    ]);
    let options = PoolOptions {
        create: true,
        ..PoolOptions::default()
    };
    let db = connect(url, &options).await?;
    db.execute_unprepared(include_str!("shop.sql")).await?;
    let site = Site::new("/admin", &catalog::extension()).map_err(anyhow::Error::msg)?;
    Ok(AdminContext {
        app: AppContext::with(Config::read(Mode::Service, &settings)?, db, true),
        site: Arc::new(site),
    })
}

fn router(context: AdminContext) -> Router {
    let shop = Shop {
        context: context.clone(),
        sessions: Sessions::default(),
    };
    let mut pages = Router::new()
        .route("/admin/", get(dashboard))
        .route("/admin/account", get(account))
        .route("/admin/login", get(sign_in::form).post(sign_in::sign_in))
        .route("/admin/logout", post(sign_in::sign_out))
        .route("/admin/theme", post(sign_in::theme))
        .route("/admin/assets/{file}", get(serve_asset).with_state(context.clone()));
    for (path, methods) in routes(&context) {
        pages = pages.route(&path, methods);
    }
    pages
        .fallback(async || AdminError::NotFound)
        .layer(middleware::from_fn_with_state(shop.clone(), sign_in::receive))
        .with_state(shop)
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<div class="head"><h1>Hello, {{ name }}</h1></div>
<div class="groups">{% for card in cards %}
<section class="card group"><h2><a href="{{ card.href }}">{{ card.title }}</a></h2>
<ul>{% for figure in card.figures %}
<li class="{{ figure.tone }}"><div><strong>{{ figure.number }}</strong> {{ figure.label }}</div></li>
{% endfor %}</ul>
</section>{% endfor %}</div>"#
)]
struct Dashboard {
    name: String,
    cards: Vec<DrawnCard>,
}

async fn dashboard(State(shop): State<Shop>, visit: Visit, staff: Staff) -> Result<Response, AdminError> {
    let shell = Shell::new(&shop.context, &visit, &staff, "Dashboard").here("Dashboard");
    let dashboard = Dashboard {
        name: staff.name().to_owned(),
        cards: cards(&shop.context, &staff).await?,
    };
    page::framed(shell, &dashboard)
}

async fn account(State(shop): State<Shop>, visit: Visit, staff: Staff) -> Result<Response, AdminError> {
    let shell = Shell::new(&shop.context, &visit, &staff, "Your account").here("Your account");
    page::framed_html(shell, &Html("<h1>Your account</h1><p>Everyone here shares one.</p>"))
}
