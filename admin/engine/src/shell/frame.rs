//! The frame around every page: title, navigation, breadcrumbs, the person, messages.

use super::{assets, flash::Message, theme::Theme};
use crate::context::AdminContext;
use crate::declare::site::{Entry, Site};
use crate::request::staff::Staff;
use crate::request::{csrf, visit::Visit};

const DASHBOARD: &str = "Dashboard";

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
    /// Style sheets and scripts: the admin's own, then those of apps.
    pub css: Vec<String>,
    pub scripts: Vec<String>,
    pub icon: String,
    /// The product's logo, if it has one of its own.
    pub logo: Option<String>,
}

/// An entry of the navigation.
#[derive(Clone, Debug)]
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
        let home = Crumb {
            label: DASHBOARD.to_owned(),
            href: Some(context.site.home()),
        };
        Self {
            crumbs: if path == context.site.home() {
                vec![]
            } else {
                vec![home]
            },
            nav: navigation(&context.site, staff, path),
            person: Some(staff.clone()),
            ..Self::outside(context, visit, title)
        }
    }

    /// Without navigation: for signing in, and errors before that.
    pub fn outside(context: &AdminContext, visit: &Visit, title: impl Into<String>) -> Self {
        let base = context.site.base();
        let logo = context.site.logo.as_ref().map(|logo| logo.href(base));
        Self {
            title: title.into(),
            base,
            product: context.config.product_name.clone(),
            nav: vec![],
            crumbs: vec![],
            person: None,
            message: visit.message.clone(),
            csrf: csrf::Tokens::new(&context.config.secret_key, &visit.csrf_binding),
            theme: visit.theme,
            searched: String::new(),
            path: visit.path.clone(),
            css: assets::all(base, "admin.css", &context.site.stylesheets),
            scripts: assets::all(base, "admin.js", &context.site.scripts),
            icon: logo.clone().unwrap_or_else(|| assets::href(base, "icon.svg")),
            logo,
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

/// The dashboard, then by section the models and pages that this person may see. A section stands where its first entry
/// was registered.
fn navigation(site: &Site, staff: &Staff, path: &str) -> Vec<NavItem> {
    let item = |section, label: String, href: String, icon| NavItem {
        label,
        href,
        icon,
        current: false,
        section,
    };
    let dashboard = item("", DASHBOARD.to_owned(), site.home(), "dashboard");
    let entries = site.entries.iter().filter_map(|entry| match *entry {
        Entry::Model(place) => {
            let model = &site.models[place];
            let (meta, href) = (&model.meta, model.entrance(staff)?);
            Some((model.href(), item(meta.section, meta.title(), href, meta.icon)))
        }
        Entry::Page(place) => {
            let page = Some(&site.pages[place]).filter(|page| staff.may(page.permission))?;
            let (at, label) = (page.path.to_owned(), page.label.to_owned());
            Some((at.clone(), item(page.section?, label, at, page.icon)))
        }
    });
    let mut items: Vec<_> = entries.collect();
    let is_around = |at: &str| path == at || path.strip_prefix(at).is_some_and(|rest| rest.starts_with('/'));
    let around = items.iter_mut().filter(|(at, _)| is_around(at));
    if let Some((_, current)) = around.max_by_key(|(at, _)| at.len()) {
        current.current = true;
    }
    let mut sections: Vec<Vec<NavItem>> = vec![];
    for (_, item) in items {
        match sections.iter_mut().find(|section| section[0].section == item.section) {
            Some(section) => section.push(item),
            None => sections.push(vec![item]),
        }
    }
    // Only the first entry of a section shows its heading.
    for item in sections.iter_mut().flat_map(|section| section.iter_mut().skip(1)) {
        item.section = "";
    }
    let dashboard = NavItem {
        current: path == dashboard.href,
        ..dashboard
    };
    std::iter::once(dashboard)
        .chain(sections.into_iter().flatten())
        .collect()
}
