//! What an app adds to the admin: models; rows, panels and actions for other apps' objects; pages, and cards of the
//! dashboard.

use super::admin_model::{AdminModel, Column, erase};
use super::{action::Action, card::Card, inline::Inline, meta::Link, model::Model, page::Page, panel::Panels};
use crate::shell::assets::AppAsset;

/// What an app adds to the admin. Each app makes its own, and [`merge`](Self::merge) combines them.
///
/// ```
/// # mod ticket {
/// #     use sea_orm::entity::prelude::*;
/// #     #[sea_orm::model]
/// #     #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
/// #     #[sea_orm(table_name = "tickets")]
/// #     pub struct Model {
/// #         #[sea_orm(primary_key)]
/// #         pub id: i64,
/// #         pub subject: String,
/// #     }
/// #     impl ActiveModelBehavior for ActiveModel {}
/// # }
/// # use ticket::{COLUMN as C, Column, Entity};
/// # use usher_admin_engine::{AdminError, AdminContext, AdminModel, Field, Meta, Shell, Staff, Visit, page};
/// # impl AdminModel for Entity {
/// #     type Entity = Self;
/// #     const META: Meta = Meta::new("tickets", "ticket", "tickets").section("Support");
/// #     fn field(column: Column) -> Field<Self> {
/// #         match column {
/// #             Column::Id => Field::id(C.id),
/// #             Column::Subject => Field::text(C.subject).link(),
/// #         }
/// #     }
/// # }
/// use axum::{extract::State, response::{Html, Response}, routing::get};
/// use sea_orm::Condition;
/// use usher_admin_engine::{Card, Extension, Figure, Page, Site};
///
/// async fn board(State(context): State<AdminContext>, visit: Visit, staff: Staff) -> Result<Response, AdminError> {
///     let shell = Shell::new(&context, &visit, &staff, "Board").here("Board");
///     page::framed_html(shell, &Html("<h1>Board</h1>"))
/// }
///
/// let extension = Extension::new("support")
///     .model::<Entity>()
///     .page(Page::new("/admin/tickets/board", "Board", "tickets.board", get(board)).section("Support"))
///     .card(
///         Card::new("Tickets", "/admin/tickets", "tickets.view")
///             .figure(Figure::count::<Entity>(["ticket", "tickets"], Condition::all)),
///     );
/// let site = Site::new("/admin", &extension).expect("nothing is registered twice");
/// assert_eq!(site.model("tickets").expect("registered").href(), "/admin/tickets");
/// ```
#[derive(Clone, Debug)]
pub struct Extension {
    app: &'static str,
    /// This app, then those that were merged.
    pub(super) apps: Vec<&'static str>,
    pub(super) models: Vec<Registered<Declared>>,
    /// By the model beside whose objects they appear.
    pub(super) inlines: Vec<Registered<(&'static str, Inline)>>,
    pub(super) panels: Vec<Registered<(&'static str, Panels)>>,
    pub(super) actions: Vec<Registered<(&'static str, &'static Action)>>,
    pub(super) links: Vec<Registered<(&'static str, Link)>>,
    pub(super) pages: Vec<Registered<Page>>,
    pub(super) cards: Vec<Registered<Card>>,
    pub(super) reserved: Vec<Registered<&'static str>>,
    left_out: Vec<LeftOut>,
    pub(super) live_path: Option<&'static str>,
    pub(super) logos: Vec<Registered<AppAsset>>,
    pub(super) stylesheets: Vec<Registered<AppAsset>>,
    pub(super) scripts: Vec<Registered<AppAsset>>,
}

/// Makes a model of a declaration, for a site whose addresses begin with the base.
type Declared = fn(&'static str) -> Model;

/// An item, and the app that registered it.
#[derive(Clone, Debug)]
pub(super) struct Registered<T> {
    pub(super) app: &'static str,
    pub(super) item: T,
}

/// What other apps register and the site doesn't have.
#[derive(Clone, Copy, Debug)]
enum LeftOut {
    Page(&'static str),
    /// Of this model.
    Action(&'static str, &'static str),
}

impl Extension {
    /// Nothing yet. `app` is the app's name in messages about what is registered twice.
    #[must_use]
    pub fn new(app: &'static str) -> Self {
        Self {
            app,
            apps: vec![app],
            models: vec![],
            inlines: vec![],
            panels: vec![],
            actions: vec![],
            links: vec![],
            pages: vec![],
            cards: vec![],
            reserved: vec![],
            left_out: vec![],
            live_path: None,
            logos: vec![],
            stylesheets: vec![],
            scripts: vec![],
        }
    }

    const fn registered<T>(&self, item: T) -> Registered<T> {
        Registered { app: self.app, item }
    }

    /// Adds a model.
    #[must_use]
    pub fn model<M: AdminModel>(mut self) -> Self {
        self.models.push(self.registered(erase::<M>));
        self
    }

    /// Adds rows of `Child` beside the form of a `Parent`, such as the tickets of a user: those whose `column` is the
    /// object's id, with the first columns of the child's list. An index on the column and the primary key must serve
    /// it.
    #[must_use]
    pub fn inline<Parent: AdminModel, Child: AdminModel>(self, column: Column<Child>) -> Self {
        self.inline_of::<Parent>(Inline::of::<Child, 0>(column, []))
    }

    /// The same with columns, title and condition of its own.
    #[must_use]
    pub fn inline_of<Parent: AdminModel>(mut self, inline: Inline) -> Self {
        self.inlines.push(self.registered((Parent::META.name, inline)));
        self
    }

    /// Adds panels to the page of a `Parent`. They take at most one statement, and check what the person may see.
    #[must_use]
    pub fn panels<Parent: AdminModel>(mut self, panels: Panels) -> Self {
        self.panels.push(self.registered((Parent::META.name, panels)));
        self
    }

    /// Adds an action to the objects of a `Parent`, such as one for users; its permission is `users.` and its name.
    #[must_use]
    pub fn action<Parent: AdminModel>(mut self, action: &'static Action) -> Self {
        self.actions.push(self.registered((Parent::META.name, action)));
        self
    }

    /// Adds a link to the list of a `Parent`, such as one to a page for importing: for people with the permission
    /// `{model}.{word}`, which roles can be given. See [`Meta::link`](crate::Meta::link).
    #[must_use]
    pub fn link<Parent: AdminModel>(mut self, label: &'static str, href: &'static str, word: &'static str) -> Self {
        let link = Link { label, href, word };
        self.links.push(self.registered((Parent::META.name, link)));
        self
    }

    /// Adds a page.
    #[must_use]
    pub fn page(mut self, page: Page) -> Self {
        self.pages.push(self.registered(page));
        self
    }

    /// Adds a card to the dashboard.
    #[must_use]
    pub fn card(mut self, card: Card) -> Self {
        self.cards.push(self.registered(card));
        self
    }

    /// Words that no model's or page's address may begin with, because the application has pages there: `login` keeps
    /// `/admin/login` free.
    #[must_use]
    pub fn reserve(mut self, words: &[&'static str]) -> Self {
        let words = words.iter().map(|word| self.registered(*word));
        self.reserved.extend(words.collect::<Vec<_>>());
        self
    }

    /// Leaves out a page of any app, with the pages below it, the link to it in a model's list, and its permission.
    #[must_use]
    pub fn without_page(mut self, path: &'static str) -> Self {
        self.left_out.push(LeftOut::Page(path));
        self
    }

    /// Leaves out an action of any app on the objects of a `Parent`, with its permission.
    #[must_use]
    pub fn without_action<Parent: AdminModel>(mut self, name: &'static str) -> Self {
        self.left_out.push(LeftOut::Action(Parent::META.name, name));
        self
    }

    /// Where the application tells pages of changes, by server-sent events: a page asks for `{path}?of={model}`, or
    /// `?of={model}&id={id}` for one object, or `?of=*`, and looks again after each `changed`. Without it, pages look
    /// from time to time.
    #[doc(hidden)]
    #[must_use]
    pub fn tells_at(mut self, path: &'static str) -> Self {
        self.live_path = Some(path);
        self
    }

    /// Without the pages that are left out.
    pub(super) fn without_left_out_pages(mut self) -> Self {
        let pages = std::mem::take(&mut self.pages);
        self.pages = pages
            .into_iter()
            .filter(|page| !self.leaves_out_page(page.item.path))
            .collect();
        self
    }

    /// Takes from a model what is left out.
    pub(super) fn trim(&self, model: &mut Model) {
        model.links.retain(|link| !self.leaves_out_page(link.href));
        let name = model.meta.name;
        let is_kept = |action: &&Action| {
            let is_it =
                |left: &LeftOut| matches!(left, LeftOut::Action(of, word) if *of == name && *word == action.name);
            !self.left_out.iter().any(is_it)
        };
        model.actions.retain(is_kept);
    }

    fn leaves_out_page(&self, path: &str) -> bool {
        let is_below = |page: &str| {
            path.strip_prefix(page)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let is_it = |left: &LeftOut| matches!(left, LeftOut::Page(page) if is_below(page));
        self.left_out.iter().any(is_it)
    }

    /// The product's logo: a square picture in the header, on the sign-in page and as the browser's icon.
    /// `content_type` is such as `image/svg+xml`.
    #[must_use]
    pub fn logo(mut self, content_type: &'static str, bytes: &'static [u8]) -> Self {
        self.logos
            .push(self.registered(AppAsset::new("logo", content_type, bytes)));
        self
    }

    /// Adds a style sheet to every page, after the admin's own: for the app's pages, or for other colors, which are the
    /// custom properties at the top of `assets/admin.css`.
    #[must_use]
    pub fn stylesheet(mut self, css: &'static str) -> Self {
        self.stylesheets.push(self.registered(AppAsset::stylesheet(css)));
        self
    }

    /// Adds a script to every page, after the admin's own. Pages should work without it.
    #[must_use]
    pub fn script(mut self, js: &'static str) -> Self {
        self.scripts.push(self.registered(AppAsset::script(js)));
        self
    }

    /// Both together; this one's models and pages come first.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.apps.extend(other.apps);
        self.models.extend(other.models);
        self.inlines.extend(other.inlines);
        self.panels.extend(other.panels);
        self.actions.extend(other.actions);
        self.links.extend(other.links);
        self.pages.extend(other.pages);
        self.cards.extend(other.cards);
        self.reserved.extend(other.reserved);
        self.left_out.extend(other.left_out);
        self.live_path = self.live_path.or(other.live_path);
        self.logos.extend(other.logos);
        self.stylesheets.extend(other.stylesheets);
        self.scripts.extend(other.scripts);
        self
    }
}
