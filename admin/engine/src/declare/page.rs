//! Pages of an application's own, beside those of its models.

use axum::routing::MethodRouter;

use crate::context::AdminContext;

/// A page of an app. Its handlers run for signed-in staff with the permission, and get the
/// [`AdminContext`](crate::AdminContext) as their state, or one that `MethodRouter::with_state` gave them before;
/// [`framed`](crate::page::framed) draws what they show.
#[derive(Clone, Debug)]
pub struct Page {
    pub(crate) path: &'static str,
    pub(crate) label: &'static str,
    pub(crate) permission: &'static str,
    pub(crate) methods: MethodRouter<AdminContext>,
    /// Its heading in the navigation; without one it isn't there.
    pub(crate) section: Option<&'static str>,
    pub(crate) icon: &'static str,
}

impl Page {
    /// `path` is the whole address, such as `/admin/tickets/board`. `permission` is such as `tickets.board`: every
    /// role can be given it.
    #[must_use]
    pub fn new(
        path: &'static str,
        label: &'static str,
        permission: &'static str,
        methods: MethodRouter<AdminContext>,
    ) -> Self {
        Self {
            path,
            label,
            permission,
            methods,
            section: None,
            icon: "page",
        }
    }

    /// Puts the page into the navigation, under this heading.
    #[must_use]
    pub fn section(mut self, section: &'static str) -> Self {
        self.section = Some(section);
        self
    }

    /// See [`Meta::icon`](crate::Meta::icon).
    #[must_use]
    pub fn icon(mut self, icon: &'static str) -> Self {
        self.icon = icon;
        self
    }

    /// The address without the names of its parameters: two pages with the same one exclude each other.
    pub(super) fn pattern(&self) -> String {
        let segments = self.path.split('/');
        let plain = segments.map(|segment| if segment.starts_with('{') { "{}" } else { segment });
        plain.collect::<Vec<_>>().join("/")
    }
}
