//! A member of staff at the admin, in a real browser.

use usher_testkit::Browser;

pub struct Staff {
    pub browser: Browser,
    /// The address of the admin, without a slash at its end.
    pub admin: String,
}

impl Staff {
    /// Signs in at the admin on this address (`127.0.0.1:8001`).
    pub async fn sign_in(admin: &str, email: &str, password: &str) -> Self {
        let (browser, admin) = (Browser::open().await, format!("http://{admin}/admin"));
        browser.goto(&format!("{admin}/")).await;
        browser.fill("input[name=email]", email).await;
        browser.fill("input[name=password]", password).await;
        browser.click("form button.primary").await;
        assert_eq!(
            browser.url().await,
            format!("{admin}/"),
            "{}",
            browser.page_text().await
        );
        Self { browser, admin }
    }

    /// The rows that a list shows for these search words.
    pub async fn find(&self, models: &str, words: &str) -> Vec<String> {
        self.browser
            .goto(&format!("{}/{models}?q={}", self.admin, words.replace('@', "%40")))
            .await;
        self.browser.texts("table.list tbody tr").await
    }

    /// Opens the first row's page and gives what can be read on it.
    pub async fn open_first(&self) -> String {
        self.browser.click("table.list tbody a.object").await;
        self.browser.page_text().await
    }

    /// No page asked another host for anything, or had a script, style or request refused.
    pub async fn expect_clean_pages(&self) {
        assert_eq!(self.browser.foreign_requests().await, Vec::<String>::new());
        assert_eq!(self.browser.console_errors().await, Vec::<String>::new());
    }
}
