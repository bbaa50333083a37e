//! A real browser at the product's admin.

use std::{net::SocketAddr, ops::Deref};

use axum::Router;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::staff::{SESSION_COOKIE, Staff};

/// A Chromium window with an empty profile, in which a member of staff is signed in. The admin is served to it on a
/// free port of 127.0.0.1; server, window and chromedriver end with this value, and with the test process at the
/// latest.
///
/// Everything that [`usher_testkit::Browser`] does can be done with it: `click`, `fill`, `text`, `follow`, `script`,
/// `screenshot`, `console_errors`. Elements are named by CSS selectors, and waited for up to ten seconds.
pub struct Browser {
    window: usher_testkit::Browser,
    admin: String,
    server: JoinHandle<()>,
}

impl Browser {
    pub(crate) async fn of(staff: &Staff, admin: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let service = admin.into_make_service_with_connect_info::<SocketAddr>();
        let server = tokio::spawn(async move { axum::serve(listener, service).await.expect("a server") });
        let (window, admin) = (usher_testkit::Browser::open().await, format!("http://{address}"));
        window.set_cookie(&admin, SESSION_COOKIE, staff.token()).await;
        Self { window, admin, server }
    }

    /// Opens a page of the admin, such as `/admin/tickets`, and waits until it is loaded.
    ///
    /// # Panics
    /// If the browser can't open it.
    pub async fn visit(&self, path: &str) {
        self.window.goto(&format!("{}{path}", self.admin)).await;
    }

    /// The path of the page that is open, without the server's address.
    ///
    /// # Panics
    /// If the page isn't one of the admin.
    pub async fn path(&self) -> String {
        let url = self.window.url().await;
        let path = url.strip_prefix(&self.admin);
        path.unwrap_or_else(|| panic!("{url} isn't in the admin")).to_owned()
    }
}

impl Deref for Browser {
    type Target = usher_testkit::Browser;

    fn deref(&self) -> &Self::Target {
        &self.window
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.server.abort();
    }
}
