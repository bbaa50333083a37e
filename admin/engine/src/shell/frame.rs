//! The frame around every page: title, navigation, breadcrumbs, the person, messages.

use usher_shared::events::EventType;

use super::{assets, flash::Message, theme::Theme};
use crate::context::AdminContext;
use crate::declare::model::Model;
use crate::declare::site::{Entry, Site};
use crate::request::staff::Staff;
use crate::request::{csrf, visit::Visit};
use crate::text::path_segment;

const DASHBOARD: &str = "Dashboard";
/// Seconds between a list's looks for what no event tells of.
const OFTEN: u16 = 5;
/// The same where events tell of nearly everything.
const RARELY: u16 = 30;

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
    /// How the page keeps up with changes where scripts run, if it does.
    pub live: Option<Live>,
}

/// How a page keeps up with changes.
#[derive(Clone, Debug)]
pub struct Live {
    /// Seconds between two looks of its own while something changes; more and more while nothing does.
    pub every: u16,
    /// Server-sent events that make it look at once.
    pub stream: Option<String>,
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
            live: None,
        }
    }

    /// Puts the search text into the header's search box.
    pub fn searched(self, typed: &str) -> Self {
        Self {
            searched: typed.to_owned(),
            ..self
        }
    }

    /// Keeps the page up to date where scripts run. It looks for changes after so many seconds, and less often while
    /// nothing changes, nobody sees it, or answers take long; a page that is the same but for its forms' tokens stays as
    /// it is.
    #[must_use]
    pub fn live(self, every: u16) -> Self {
        let live = Live { every, stream: None };
        Self {
            live: Some(live),
            ..self
        }
    }

    /// The same for a list, which looks at once after an event about one of these objects. What has no events, such as
    /// jobs, is only looked at from time to time.
    pub(crate) fn live_list(self, context: &AdminContext, model: &Model) -> Self {
        let object_type = model.meta.object_type();
        if context.site.live_path.is_some() && EventType::all().any(|kind| kind.object_type() == object_type) {
            self.live(RARELY).told_of(context, model.meta.name, None)
        } else {
            self.live(OFTEN)
        }
    }

    /// A [live](Self::live) page that also looks at once when it is told that something has changed: an object of this
    /// model, or any that the person may view (`*`).
    #[must_use]
    pub fn told_of(mut self, context: &AdminContext, model: &str, id: Option<&str>) -> Self {
        if let (Some(live), Some(path)) = (&mut self.live, context.site.live_path) {
            let id = id.map(|id| format!("&id={}", path_segment(id))).unwrap_or_default();
            live.stream = Some(format!("{path}?of={model}{id}"));
        }
        self
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
