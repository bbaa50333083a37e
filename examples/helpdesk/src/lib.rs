//! A support desk that is built on Usher.

use usher::Project;

pub mod attachments;
pub mod tickets;

/// The product: its name, its look and its apps.
pub fn project() -> Project {
    Project::new("helpdesk")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A support desk")
        .product_name("Helpdesk")
        .logo("image/svg+xml", include_bytes!("logo.svg"))
        .app(tickets::app())
        .app(attachments::app())
}
