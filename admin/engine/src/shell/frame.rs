//! The frame around every page: title, navigation, breadcrumbs, the person, messages.

use super::{assets, flash::Message, theme::Theme};
use crate::context::AdminContext;
use crate::request::staff::Staff;
use crate::request::{csrf, visit::Visit};

/// What `base.html` needs to draw the frame.
pub struct Shell {
    pub title: String,
    /// What the addresses of this site begin with.
    pub base: &'static str,
    /// The product's name.
    pub product: String,
    pub nav: Vec<NavItem>,
    pub crumbs: Vec<Crumb>,
    pub person: Option<Staff>,
    pub message: Option<Message>,
    /// Displays as a new token for each form.
    pub csrf: csrf::Tokens,
    pub theme: Theme,
    /// The text in the header's search box.
    pub searched: String,
    /// Where the theme switch returns to.
    pub path: String,
    pub css: String,
    pub script: String,
    pub icon: String,
}

pub struct NavItem {
    pub label: String,
    pub href: String,
    pub icon: &'static str,
    pub current: bool,
    /// The section's heading, for its first item.
    pub section: &'static str,
}

/// A breadcrumb; the last one has no address.
pub struct Crumb {
    pub label: String,
    pub href: Option<String>,
}

impl Shell {
    /// For signed-in staff; the navigation has what they may see.
    pub fn new(context: &AdminContext, visit: &Visit, staff: &Staff, title: impl Into<String>) -> Self {
        let path = visit.path.split('?').next().unwrap_or_default();
        let dashboard = NavItem {
            label: "Dashboard".to_owned(),
            current: path == context.site.home(),
            href: context.site.home(),
            icon: "dashboard",
            section: "",
        };
        let models = context.site.models.iter();
        let models = models.filter_map(|model| Some((model, model.entrance(staff)?)));
        let mut section = "";
        let models = models.map(|(model, href)| NavItem {
            section: if model.meta.section == section {
                ""
            } else {
                section = model.meta.section;
                section
            },
            label: model.meta.title(),
            current: path == model.href() || path.starts_with(&format!("{}/", model.href())),
            href,
            icon: model.meta.icon,
        });
        Self {
            crumbs: if dashboard.current {
                vec![]
            } else {
                vec![Crumb {
                    label: dashboard.label.clone(),
                    href: Some(dashboard.href.clone()),
                }]
            },
            nav: std::iter::once(dashboard).chain(models).collect(),
            person: Some(staff.clone()),
            ..Self::outside(context, visit, title)
        }
    }

    /// Without navigation: for signing in, and errors before that.
    pub fn outside(context: &AdminContext, visit: &Visit, title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            base: context.site.base(),
            product: context.config.product_name.clone(),
            nav: vec![],
            crumbs: vec![],
            person: None,
            message: visit.message.clone(),
            csrf: csrf::Tokens::new(&context.config.secret_key, &visit.csrf_binding),
            theme: visit.theme,
            searched: String::new(),
            path: visit.path.clone(),
            css: assets::href(context.site.base(), "admin.css"),
            script: assets::href(context.site.base(), "admin.js"),
            icon: assets::href(context.site.base(), "icon.svg"),
        }
    }

    /// Puts the search text into the header's search box.
    pub fn searched(self, typed: &str) -> Self {
        Self {
            searched: typed.to_owned(),
            ..self
        }
    }

    pub fn crumb(mut self, label: impl Into<String>, href: impl Into<String>) -> Self {
        self.crumbs.push(Crumb {
            label: label.into(),
            href: Some(href.into()),
        });
        self
    }

    /// The page itself, as the last crumb.
    pub fn here(mut self, label: impl Into<String>) -> Self {
        self.crumbs.push(Crumb {
            label: label.into(),
            href: None,
        });
        self
    }
}
