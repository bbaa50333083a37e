//! What surrounds every page: title, navigation, breadcrumbs, the person, messages.

use crate::{engine::{request::{csrf, staff::Staff, visit::Visit}, shell::{assets, flash::Message, theme::Theme}}, state::AppState};

pub(crate) struct Shell {
    pub(crate) title: String,
    /// Whose accounts these are.
    pub(crate) product: String,
    pub(crate) nav: Vec<NavItem>,
    pub(crate) crumbs: Vec<Crumb>,
    pub(crate) person: Option<Person>,
    pub(crate) message: Option<Message>,
    /// For whom the person acts, on every page for as long as it lasts.
    pub(crate) acting_for: Option<ActingFor>,
    /// Another one for each form that it is drawn into.
    pub(crate) csrf: csrf::Tokens,
    pub(crate) theme: Theme,
    /// What stands in the search box of the header.
    pub(crate) searched: String,
    /// Where the theme switch comes back to.
    pub(crate) path: String,
    pub(crate) css: &'static str,
    pub(crate) script: &'static str,
    pub(crate) icon: &'static str,
}

pub(crate) struct NavItem {
    pub(crate) label: String,
    pub(crate) href: String,
    pub(crate) icon: &'static str,
    pub(crate) current: bool,
    /// The heading that begins above it, where it is the first under one.
    pub(crate) section: &'static str,
}

/// A step of the way here; the last one has no address.
pub(crate) struct Crumb {
    pub(crate) label: String,
    pub(crate) href: Option<String>,
}

impl Crumb {
    fn to(item: &NavItem) -> Self {
        Self {
            label: item.label.clone(),
            href: Some(item.href.clone()),
        }
    }
}

pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) email: String,
}

/// An impersonation that is open.
pub(crate) struct ActingFor {
    pub(crate) email: String,
    pub(crate) href: String,
    /// Of today, in UTC.
    pub(crate) until: String,
}

impl Shell {
    /// For a page of signed-in staff; the navigation holds what they may see.
    pub(crate) fn new(state: &AppState, visit: &Visit, staff: &Staff, title: impl Into<String>) -> Self {
        let path = visit.path.split('?').next().unwrap_or_default();
        let dashboard = NavItem {
            label: "Dashboard".to_owned(),
            href: "/admin/".to_owned(),
            icon: "dashboard",
            current: path == "/admin/",
            section: "",
        };
        let models = state.site.models.iter();
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
        let user = staff.user();
        Self {
            crumbs: if dashboard.current {
                vec![]
            } else {
                vec![Crumb::to(&dashboard)]
            },
            nav: std::iter::once(dashboard).chain(models).collect(),
            person: Some(Person {
                name: user.name.clone(),
                email: user.email.clone(),
            }),
            acting_for: staff.impersonated().map(|impersonated| ActingFor {
                email: impersonated.email.clone(),
                href: format!("/admin/users/{}", impersonated.user_id),
                until: impersonated.until.format("%H:%M").to_string(),
            }),
            ..Self::outside(state, visit, title)
        }
    }

    /// For a page without navigation: signing in, and errors of people who have not.
    pub(crate) fn outside(state: &AppState, visit: &Visit, title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            product: state.config.product_name.clone(),
            nav: vec![],
            crumbs: vec![],
            person: None,
            message: visit.message.clone(),
            acting_for: None,
            csrf: csrf::Tokens::new(&state.config.secret_key, &visit.csrf_binding),
            theme: visit.theme,
            searched: String::new(),
            path: visit.path.clone(),
            css: assets::href("admin.css"),
            script: assets::href("admin.js"),
            icon: assets::href("icon.svg"),
        }
    }

    /// Shows what was searched in the header's box.
    pub(crate) fn searched(self, typed: &str) -> Self {
        Self {
            searched: typed.to_owned(),
            ..self
        }
    }

    pub(crate) fn crumb(mut self, label: impl Into<String>, href: impl Into<String>) -> Self {
        self.crumbs.push(Crumb {
            label: label.into(),
            href: Some(href.into()),
        });
        self
    }

    /// The page itself, as the last crumb.
    pub(crate) fn here(mut self, label: impl Into<String>) -> Self {
        self.crumbs.push(Crumb {
            label: label.into(),
            href: None,
        });
        self
    }
}
