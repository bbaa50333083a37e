//! The code in the documents for products is compiled and run: what the tutorial shows are the files of this product,
//! and the recipes and examples of `docs/building` are the modules below.

use std::{
    collections::BTreeSet,
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What the documents call the product's folder.
const PRODUCT: &str = "helpdesk/";
/// This file, where the recipes are.
const HERE: &str = include_str!("tutorial.rs");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The documents whose code is compiled.
fn documents() -> Vec<PathBuf> {
    let docs = root().join("docs");
    let building = fs::read_dir(docs.join("building")).expect("a folder");
    let mut documents: Vec<_> = building.map(|entry| entry.expect("an entry").path()).collect();
    documents.extend(["tutorial.md", "coming-from-python.md"].map(|name| docs.join(name)));
    documents
}

/// A block of Rust, and the files of the product that the paragraph before it names.
struct Block {
    files: Vec<String>,
    code: String,
}

impl Block {
    /// The file that has the block, if it is one of those.
    fn shown_file(&self) -> Option<&String> {
        self.files.iter().find(|file| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
            fs::read_to_string(path).is_ok_and(|text| text.contains(&self.code))
        })
    }
}

fn blocks(document: &str) -> Vec<Block> {
    let mut parts = document.split("\n```");
    let mut before = parts.next().unwrap_or_default();
    let mut blocks = vec![];
    while let (Some(block), Some(after)) = (parts.next(), parts.next()) {
        if let Some(code) = block.strip_prefix("rust\n") {
            let introduction = before.trim_end().rsplit("\n\n").next().unwrap_or_default();
            let quoted = introduction.split('`').skip(1).step_by(2);
            blocks.push(Block {
                files: quoted
                    .filter_map(|name| name.strip_prefix(PRODUCT))
                    .map(str::to_owned)
                    .collect(),
                code: format!("{code}\n"),
            });
        }
        before = after;
    }
    blocks
}

/// The lines of code, wherever it stands: a recipe is a file there and a module here.
fn lines(code: &str) -> Vec<&str> {
    let is_code = |line: &&str| !line.is_empty() && !line.starts_with("#[on_both]") && !line.starts_with("#[rustfmt");
    code.lines().map(str::trim).filter(is_code).collect()
}

/// Whether the recipes or examples have these lines, one after the other.
fn is_compiled_here(code: &str) -> bool {
    let code = code.replace("crate::", "helpdesk::");
    let (wanted, here) = (lines(&code), lines(HERE));
    here.windows(wanted.len().max(1)).any(|part| part == wanted)
}

#[test]
fn what_documents_show_is_compiled() {
    for document in documents() {
        let text = fs::read_to_string(&document).expect("a document");
        for block in blocks(&text) {
            let is_compiled = block.shown_file().is_some() || is_compiled_here(&block.code);
            assert!(is_compiled, "{}:\n{}", document.display(), block.code);
        }
    }
}

/// A product's `.ci/run` rejects what is formatted in another way.
#[test]
fn whole_files_in_documents_are_formatted() {
    for document in documents() {
        let text = fs::read_to_string(&document).expect("a document");
        for block in blocks(&text) {
            if block.code.starts_with("//!") {
                assert_eq!(formatted(&block.code), block.code, "{}", document.display());
            }
        }
    }
}

fn formatted(code: &str) -> String {
    let mut rustfmt = Command::new("rustfmt");
    rustfmt.args(["--edition", "2024", "--config", "max_width=120"]);
    let mut rustfmt = rustfmt
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("rustfmt");
    let mut input = rustfmt.stdin.take().expect("its input");
    input.write_all(code.as_bytes()).expect("rustfmt reads");
    drop(input);
    let output = rustfmt.wait_with_output().expect("rustfmt");
    assert!(output.status.success(), "{code}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_tutorial_shows_every_file() {
    let tutorial = fs::read_to_string(root().join("docs/tutorial.md")).expect("the tutorial");
    let blocks = blocks(&tutorial);
    let shown: BTreeSet<_> = blocks
        .iter()
        .filter_map(Block::shown_file)
        .map(String::as_str)
        .collect();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let file = path
                .strip_prefix(env!("CARGO_MANIFEST_DIR"))
                .expect("a file of the product");
            let file = file.to_str().expect("a name in Unicode");
            assert!(
                shown.contains(file) || tutorial.contains(&format!("`{PRODUCT}{file}`")),
                "{file}"
            );
        }
    }
}

/// What a program registers is the same everywhere in its process, so each recipe has a process of its own.
#[test]
fn the_recipes_work() {
    for recipe in ["comments", "profiles", "small", "lean", "imports", "events"] {
        let mut tests = Command::new(env::current_exe().expect("this program"));
        let output = tests.args(["--ignored", &format!("tutorial::{recipe}::")]).output();
        let output = output.expect("a process");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && !said.contains("running 0 tests"), "{said}");
    }
}

/// A test of a recipe, on both databases.
macro_rules! recipe {
    ($test:ident) => {
        mod $test {
            use super::TestDb;

            #[test]
            #[ignore = "the_recipes_work runs it"]
            fn sqlite() {
                TestDb::run(async { super::$test(TestDb::sqlite().await).await });
            }

            #[test]
            #[ignore = "the_recipes_work runs it"]
            fn postgres() {
                TestDb::run(async { super::$test(TestDb::postgres().await).await });
            }
        }
    };
}

mod comments {
    //! Comments on tickets.

    use axum::{Json, extract::State};
    use chrono::{DateTime, Utc};
    use sea_orm::{ActiveValue::Set, ColumnTrait, Condition};
    use serde::Serialize;
    use usher::{
        App, SqlMigration,
        accounts::user_data::UserData,
        admin::{AdminModel, Draft, Field, HookFuture, Meta, SaveContext, models::Users},
        api::{
            ApiError, AppState, Body, Context, Filter, FromFields, KeyOrUser, Lines, ListOut, ListQuery, Listed,
            OpenApiRouter, PathId, Query, access, create_row, operation, operations, rfc3339,
        },
    };
    use utoipa::ToSchema;

    use helpdesk::tickets::{READ, WRITE, ticket};

    const MIGRATIONS: &[SqlMigration] = &[SqlMigration::new(
        "m20261202_000001_comments",
        "
    CREATE TABLE comments (
        id         {id},
        ticket_id  bigint NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
        author_id  bigint REFERENCES users (id) ON DELETE SET NULL,
        body       text NOT NULL,
        created_at {time} NOT NULL
    );
    CREATE INDEX comments_ticket_idx ON comments (ticket_id, id);
    CREATE INDEX comments_author_idx ON comments (author_id, id);
    ",
        "DROP TABLE comments;",
    )];

    pub fn app() -> App {
        App::new("comments")
            .migrations(MIGRATIONS)
            .api(router)
            .admin::<comment::Entity>()
            .inline::<ticket::Entity, comment::Entity>(comment::Column::TicketId)
            .user_data(UserData::of("comments").anonymize(comment::Column::AuthorId))
    }

    pub mod comment {
        use sea_orm::entity::prelude::*;

        #[sea_orm::model]
        #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
        #[sea_orm(table_name = "comments")]
        pub struct Model {
            #[sea_orm(primary_key)]
            pub id: i64,
            pub ticket_id: i64,
            pub author_id: Option<i64>,
            pub body: String,
            pub created_at: DateTimeUtc,
        }

        impl ActiveModelBehavior for ActiveModel {}
    }

    access! {
        pub CommentsRead = [READ];
        pub CommentsWrite = [WRITE];
    }

    fn router() -> OpenApiRouter<AppState> {
        operations![list_comments, create_comment]
    }

    /// What clients see of a comment.
    #[derive(Serialize, ToSchema, Listed)]
    #[schema(as = Comment)]
    #[listed(entity = comment::Entity)]
    struct CommentOut {
        id: i64,
        /// The id of the user who wrote it; null if a service did, or if the account is gone.
        author_id: Option<i64>,
        body: String,
        #[serde(serialize_with = "rfc3339")]
        created_at: DateTime<Utc>,
    }

    /// A new comment.
    #[derive(FromFields)]
    #[schema(entity = comment::Entity)]
    struct NewCommentIn {
        body: Lines<1, 10_000>,
    }

    /// List the comments on a ticket
    #[operation(get, "/tickets/{id}/comments")]
    async fn list_comments(
        State(state): State<AppState>,
        caller: KeyOrUser<CommentsRead>,
        id: PathId,
        Query(query): Query<ListQuery<CommentOut>>,
    ) -> Result<ListOut<CommentOut>, ApiError> {
        let visible = caller.rows(ticket::Column::RequesterId);
        let ticket = id.row::<ticket::Entity>(&state.db, visible).await?;
        let of_ticket = Condition::all().add(comment::Column::TicketId.eq(ticket.id));
        query.list(&state, [Filter::indexed(of_ticket)]).await
    }

    /// Comment on a ticket
    #[operation(post, "/tickets/{id}/comments")]
    async fn create_comment(
        State(state): State<AppState>,
        Context(context): Context,
        caller: KeyOrUser<CommentsWrite>,
        id: PathId,
        Body(body): Body<NewCommentIn>,
    ) -> Result<Json<CommentOut>, ApiError> {
        let tx = state.begin().await?;
        caller.hold(&tx).await?;
        let visible = caller.rows(ticket::Column::RequesterId);
        let ticket = id.row_for_change::<ticket::Entity>(&tx, visible).await?;
        let row = comment::ActiveModel {
            ticket_id: Set(ticket.id),
            author_id: Set(caller.owner()),
            ..body.into()
        };
        let comment = create_row::<comment::Entity>(&tx, row, "comment", &caller.actor(&context)).await?;
        tx.commit().await?;
        Ok(Json(comment.into()))
    }

    impl AdminModel for comment::Entity {
        type Entity = Self;

        const META: Meta = Meta::new("comments", "comment", "comments")
            .section("Support")
            .addable()
            .deletable();

        fn field(column: comment::Column) -> Field<Self> {
            use comment::{COLUMN as C, Column};
            match column {
                Column::Id => Field::id(C.id),
                Column::TicketId => Field::foreign_key::<ticket::Entity>(C.ticket_id).list().filter().form(),
                Column::AuthorId => Field::foreign_key::<Users>(C.author_id)
                    .list()
                    .filter()
                    .readonly()
                    .not_new(),
                Column::Body => Field::long_text(C.body).link().form(),
                Column::CreatedAt => Field::created(C.created_at),
            }
        }

        /// Staff write under their own name.
        fn create<'a>(saving: &'a SaveContext<'a>, draft: &'a mut Draft) -> HookFuture<'a, Option<String>> {
            draft.set(comment::Column::AuthorId, saving.staff.id());
            Box::pin(saving.insert(draft))
        }
    }

    mod tests {
        use helpdesk::tickets::READ;
        use serde_json::json;
        use usher::Project;
        use usher_test::{TestDb, TestProject};

        use super::super::{examples, links};

        /// What the test needs in a product's file. Here `project` has more apps.
        #[expect(unused_imports, reason = "the test has the same imports")]
        mod imports {
            use helpdesk::{project, tickets::READ};
            use serde_json::json;
            use usher_test::{TestDb, TestProject, on_both};
        }

        fn project() -> Project {
            helpdesk::project()
                .app(super::app())
                .app(examples::app())
                .app(links::app())
        }

        recipe!(people_comment_on_their_own_tickets);
        async fn people_comment_on_their_own_tickets(db: TestDb) {
            let helpdesk = TestProject::open(project(), db).await;
            let ada = helpdesk.person("Ada Lovelace", "ada@example.org").await;
            let grace = helpdesk.person("Grace Hopper", "grace@example.org").await;
            let ticket = json!({"subject": "My engine is stuck", "body": "It does not move."});
            ada.post("/tickets", &ticket).await.expect(201);

            let comment = json!({"body": "It moves again.\nThank you!"});
            let written = ada.post("/tickets/1/comments", &comment).await.expect(200);
            assert_eq!(written["author_id"], ada.user.id);
            grace.post("/tickets/1/comments", &comment).await.expect(404);
            grace.get("/tickets/1/comments").await.expect(404);
            let desk = helpdesk.key(&[READ]).await;
            let comments = desk.get("/tickets/1/comments").await.expect(200);
            assert_eq!(comments["data"], json!([written]));

            let staff = helpdesk.superuser().await;
            let page = staff.get("/admin/tickets/1").await.expect(200);
            assert!(page.contains("It moves again."), "{}", page.html);
            let form = [("ticket_id", "1"), ("body", "Glad to hear it.")];
            staff
                .submit("/admin/comments/new", "/admin/comments/new", &form)
                .await
                .expect(303);
            let comments = ada.get("/tickets/1/comments").await.expect(200);
            assert_eq!(comments["data"][0]["author_id"], staff.user.id);
        }

        recipe!(the_examples_work);
        async fn the_examples_work(db: TestDb) {
            let helpdesk = TestProject::open(project(), db).await;
            assert_eq!(helpdesk.schema_differences().await, [""; 0]);
            examples::work(&helpdesk).await;
            links::work(&helpdesk).await;
        }
    }
}

mod profiles {
    //! What people tell the helpdesk about themselves: one row for each user.

    use axum::extract::State;
    use sea_orm::{
        ActiveValue::{NotSet, Set},
        DatabaseConnection, DbErr, EntityTrait,
        sea_query::OnConflict,
    };
    use serde::Serialize;
    use serde_json::{Value, json};
    #[rustfmt::skip] // as it is formatted in the document, where it is less deep
    use usher::{
        App, SqlMigration,
        accounts::{
            hooks::{HookContext, HookError, UserCreated, UserHooks},
            user_data::UserData,
            users::export_rows,
        },
        admin::{AdminModel, Draft, Field, Meta, Row, models::Users},
        api::{
            ApiError, AppState, Body, Code, Context, CurrentUser, FromFields, IfMatch, IfNoneMatch, OpenApiRouter, Patch,
            Text, Versioned, operation, operations, update_row,
        },
        config::Config,
    };
    use utoipa::ToSchema;

    const MIGRATIONS: &[SqlMigration] = &[SqlMigration::new(
        "m20261203_000001_profiles",
        "
    CREATE TABLE profiles (
        user_id bigint PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
        company text NOT NULL DEFAULT '',
        phone   text,
        version integer NOT NULL DEFAULT 1
    );
    INSERT INTO profiles (user_id) SELECT id FROM users;
    ",
        "DROP TABLE profiles;",
    )];

    pub fn app() -> App {
        App::new("profiles")
            .migrations(MIGRATIONS)
            .hooks(UserHooks::new().on_user_created(create_profile))
            .user_data(UserData::of("profiles").delete(profile::Column::UserId).export(export))
            .api(router)
            .admin::<profile::Entity>()
            .inline::<Users, profile::Entity>(profile::Column::UserId)
    }

    pub mod profile {
        use sea_orm::entity::prelude::*;

        #[sea_orm::model]
        #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
        #[sea_orm(table_name = "profiles")]
        pub struct Model {
            #[sea_orm(primary_key, auto_increment = false)]
            pub user_id: i64,
            pub company: String,
            pub phone: Option<String>,
            pub version: i32,
        }

        impl ActiveModelBehavior for ActiveModel {}
    }

    /// In the transaction that creates the account. People who signed up before the migration have a row already.
    async fn create_profile(context: &HookContext<'_>, event: &UserCreated<'_>) -> Result<(), HookError> {
        let row = profile::ActiveModel {
            user_id: Set(event.user.id),
            company: Set(String::new()),
            phone: NotSet,
            version: Set(1),
        };
        profile::Entity::insert(row)
            .on_conflict(OnConflict::column(profile::Column::UserId).do_nothing().to_owned())
            .exec_without_returning(context.tx)
            .await?;
        Ok(())
    }

    async fn export(db: &DatabaseConnection, user_id: i64) -> Result<Value, DbErr> {
        let own = profile::Entity::find_by_id(user_id);
        export_rows(
            db,
            own,
            |profile| json!({"company": profile.company, "phone": profile.phone}),
        )
        .await
    }

    /// The rules of the fields, for the API and for the admin.
    type Company = Text<0, 200>;
    type Phone = Text<1, 50>;

    fn router() -> OpenApiRouter<AppState> {
        operations![get_profile, update_profile]
    }

    /// What people tell about themselves.
    #[derive(Serialize, ToSchema)]
    #[schema(as = Profile)]
    struct ProfileOut {
        #[schema(example = "Analytical Engines Ltd.")]
        company: String,
        phone: Option<String>,
    }

    impl From<profile::Model> for ProfileOut {
        fn from(profile: profile::Model) -> Self {
            Self {
                company: profile.company,
                phone: profile.phone,
            }
        }
    }

    /// What can be changed of a profile.
    #[derive(FromFields)]
    #[schema(entity = profile::Entity)]
    struct ProfilePatchIn {
        company: Patch<Company>,
        /// Null removes it.
        phone: Patch<Option<Phone>>,
    }

    /// Your profile
    #[operation(get, "/me/profile")]
    async fn get_profile(
        State(state): State<AppState>,
        current: CurrentUser,
        known: IfNoneMatch,
    ) -> Result<Versioned<ProfileOut>, ApiError> {
        let profile = profile::Entity::find_by_id(current.id()).one(&state.db).await?;
        let profile = profile.ok_or(Code::NOT_FOUND)?;
        Ok(known.answer(profile.version, profile))
    }

    /// Change your profile
    #[operation(patch, "/me/profile")]
    async fn update_profile(
        State(state): State<AppState>,
        Context(context): Context,
        current: CurrentUser,
        expected: IfMatch,
        Body(body): Body<ProfilePatchIn>,
    ) -> Result<Versioned<ProfileOut>, ApiError> {
        let tx = state.begin().await?;
        let user = current.hold(&tx).await?;
        let before = profile::Entity::find_by_id(user.id).one(&*tx).await?;
        let before = before.ok_or(Code::NOT_FOUND)?;
        expected.allows(before.version)?;
        let actor = current.actor(&context);
        let profile = update_row::<profile::Entity>(&tx, before, body.into(), "profile", &actor).await?;
        tx.commit().await?;
        Ok(Versioned::new(profile.version, profile))
    }

    impl AdminModel for profile::Entity {
        type Entity = Self;

        const META: Meta = Meta::new("profiles", "profile", "profiles")
            .section("People")
            .changeable();

        fn field(column: profile::Column) -> Field<Self> {
            use profile::{COLUMN as C, Column};
            match column {
                Column::UserId => Field::id(C.user_id).label("User"),
                Column::Company => Field::text(C.company).link().form().optional(),
                Column::Phone => Field::text(C.phone).list().form(),
                Column::Version => Field::row_version(C.version),
            }
        }

        fn clean(draft: &mut Draft, _: Option<&Row>, _: &Config) {
            if let Some(company) = draft.rule(profile::Column::Company, Company::parse) {
                draft.set(profile::Column::Company, company.as_str());
            }
            if draft.typed(profile::Column::Phone).trim().is_empty() {
                draft.set(profile::Column::Phone, None::<String>);
            } else if let Some(phone) = draft.rule(profile::Column::Phone, Phone::parse) {
                draft.set(profile::Column::Phone, phone.as_str());
            }
        }
    }

    mod tests {
        use serde_json::json;
        use usher::Project;
        use usher_test::{TestDb, TestProject};

        /// What the test needs in a product's file. Here `project` has more apps.
        #[expect(unused_imports, reason = "the test has the same imports")]
        mod imports {
            use helpdesk::project;
            use serde_json::json;
            use usher_test::{TestDb, TestProject, on_both};
        }

        fn project() -> Project {
            helpdesk::project().app(super::app())
        }

        recipe!(every_account_has_a_profile);
        async fn every_account_has_a_profile(db: TestDb) {
            let helpdesk = TestProject::open(project(), db).await;
            assert_eq!(helpdesk.schema_differences().await, [""; 0]);
            let ada = helpdesk.person("Ada Lovelace", "ada@example.org").await;
            let empty = json!({"company": "", "phone": null});
            assert_eq!(ada.get("/me/profile").await.expect(200), empty);

            let change = json!({"company": "Analytical Engines", "phone": "+44 20 7946 0000"});
            let answer = ada.patch("/me/profile", &change).await;
            assert_eq!(answer.header("etag"), "\"2\"");
            assert_eq!(answer.expect(200), change);
            let stale = (*ada).clone().with("if-match", "\"1\"");
            stale.patch("/me/profile", &change).await.expect(412);

            let staff = helpdesk.superuser().await;
            let page = staff.get(&format!("/admin/users/{}", ada.user.id)).await.expect(200);
            assert!(page.contains("Analytical Engines"), "{}", page.html);
            let form = format!("/admin/profiles/{}", ada.user.id);
            let too_long = "x".repeat(201);
            let page = staff.submit(&form, &form, &[("company", &too_long)]).await.expect(422);
            assert!(page.contains("Enter a text of at most 200 characters"), "{}", page.html);
        }
    }
}

mod small {
    //! Tickets: the table, the API, the admin and the mail.

    use axum::extract::State;
    use chrono::{DateTime, Utc};
    use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, EntityTrait};
    use serde::{Deserialize, Serialize};
    use usher::{
        App, SqlMigration,
        accounts::user_data::UserData,
        admin::{AdminModel, Field, Meta, Tone, models::Users},
        api::{
            ApiEnum, ApiError, AppState, Body, Context, Created, CurrentUser, Filter, FromFields, Lines, ListOut,
            ListQuery, Listed, Query, Text, create_row, operation, operations, rfc3339,
        },
        jobs::{Job, MAIL_QUEUE, enqueue},
        worker::{JobContext, JobError, MailMessage, Policy},
    };
    use utoipa::ToSchema;

    use ticket::{ActiveModel, COLUMN as C, Column, Entity, Model, TicketState};

    const TICKETS: SqlMigration = SqlMigration::new(
        "m20261201_000001_tickets",
        "
    CREATE TABLE tickets (
        id           {id},
        requester_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        subject      text NOT NULL,
        body         text NOT NULL,
        state        text NOT NULL,
        version      integer NOT NULL DEFAULT 1,
        created_at   {time} NOT NULL
    );
    CREATE INDEX tickets_requester_idx ON tickets (requester_id, id);
    ",
        "DROP TABLE tickets;",
    );

    pub fn app() -> App {
        App::new("tickets")
            .migrations(&[TICKETS])
            .api(|| operations![list_tickets, create_ticket])
            .admin::<Entity>()
            .user_data(UserData::of("tickets").delete(Column::RequesterId))
            .job::<TicketOpened>(Policy::DEFAULT, ticket_opened)
    }

    pub mod ticket {
        use sea_orm::entity::prelude::*;

        #[sea_orm::model]
        #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
        #[sea_orm(table_name = "tickets")]
        pub struct Model {
            #[sea_orm(primary_key)]
            pub id: i64,
            pub requester_id: i64,
            pub subject: String,
            pub body: String,
            pub state: TicketState,
            pub version: i32,
            pub created_at: DateTimeUtc,
        }

        impl ActiveModelBehavior for ActiveModel {}

        #[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, super::ApiEnum)]
        #[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
        pub enum TicketState {
            Open,
            Closed,
        }
    }

    /// What clients see of a ticket.
    #[derive(Serialize, ToSchema, Listed)]
    #[schema(as = Ticket)]
    #[listed(entity = Entity, filters(state))]
    struct TicketOut {
        id: i64,
        subject: String,
        body: String,
        state: TicketState,
        #[serde(serialize_with = "rfc3339")]
        created_at: DateTime<Utc>,
    }

    /// A new ticket.
    #[derive(FromFields)]
    #[schema(entity = Entity)]
    struct NewTicketIn {
        subject: Text<1, 200>,
        body: Lines<1, 20_000>,
    }

    /// List your tickets
    #[operation(get, "/tickets")]
    async fn list_tickets(
        State(state): State<AppState>,
        current: CurrentUser,
        Query(query): Query<ListQuery<TicketOut>>,
    ) -> Result<ListOut<TicketOut>, ApiError> {
        let own = Condition::all().add(Column::RequesterId.eq(current.id()));
        query.list(&state, [Filter::indexed(own)]).await
    }

    /// Open a ticket
    #[operation(post, "/tickets")]
    async fn create_ticket(
        State(state): State<AppState>,
        Context(context): Context,
        current: CurrentUser,
        Body(body): Body<NewTicketIn>,
    ) -> Result<Created<TicketOut>, ApiError> {
        let tx = state.begin().await?;
        let row = ActiveModel {
            requester_id: Set(current.id()),
            state: Set(TicketState::Open),
            ..body.into()
        };
        let ticket = create_row::<Entity>(&tx, row, "ticket", &current.actor(&context)).await?;
        enqueue(&tx, TicketOpened { ticket_id: ticket.id }).await?;
        tx.commit().await?;
        Ok(Created::new(&state, "/tickets", ticket.id, ticket))
    }

    impl AdminModel for Entity {
        type Entity = Self;

        const META: Meta = Meta::new("tickets", "ticket", "tickets")
            .section("Support")
            .changeable()
            .deletable();

        fn field(column: Column) -> Field<Self> {
            match column {
                Column::Id => Field::id(C.id),
                Column::RequesterId => Field::foreign_key::<Users>(C.requester_id).list().filter().readonly(),
                Column::Subject => Field::text(C.subject).link().form(),
                Column::Body => Field::long_text(C.body).form(),
                Column::State => Field::choice(C.state, |_: &TicketState| Tone::Quiet)
                    .list()
                    .filter()
                    .form(),
                Column::Version => Field::row_version(C.version),
                Column::CreatedAt => Field::created(C.created_at),
            }
        }
    }

    /// Tells the requester that the ticket arrived.
    #[derive(Serialize, Deserialize)]
    struct TicketOpened {
        ticket_id: i64,
    }

    impl Job for TicketOpened {
        const KIND: &'static str = "ticket_opened";
        const QUEUE: &'static str = MAIL_QUEUE;
    }

    async fn ticket_opened(job: TicketOpened, context: JobContext) -> Result<(), JobError> {
        let Some(ticket) = Entity::find_by_id(job.ticket_id).one(&context.db).await? else {
            return Ok(());
        };
        let Some(requester) = context.account(ticket.requester_id).await? else {
            return Ok(());
        };
        let message = MailMessage::new(format!("We received your ticket #{}", ticket.id))
            .line("We'll answer as soon as we can.")
            .why("You're receiving this email because you opened a ticket.");
        context.post(&requester, message).await
    }

    mod tests {
        use serde_json::json;
        use usher::Project;
        use usher_test::{TestDb, TestProject};

        recipe!(a_ticket_is_answered_with_a_mail);
        async fn a_ticket_is_answered_with_a_mail(db: TestDb) {
            let desk = TestProject::open(Project::new("desk").app(super::app()), db).await;
            assert_eq!(desk.schema_differences().await, [""; 0]);
            let ada = desk.person("Ada Lovelace", "ada@example.org").await;
            let ticket = json!({"subject": "My engine is stuck", "body": "It does not move."});
            let opened = ada.post("/tickets", &ticket).await.expect(201);
            assert_eq!(
                ada.get("/tickets?state=open").await.expect(200)["data"],
                json!([opened])
            );
            desk.run_jobs().await;
            let mails = desk.mails("ada@example.org").await;
            assert!(mails.iter().any(|mail| mail.subject == "We received your ticket #1"));
            let page = desk.superuser().await.get("/admin/tickets").await.expect(200);
            assert!(page.contains("My engine is stuck"), "{}", page.html);
        }
    }
}

mod events {
    //! A product's types of events, and what their data is.

    use serde::Serialize;
    use usher::{App, api::Scope, events::EventType};
    use utoipa::ToSchema;

    const READ: Scope = Scope::new("loans:read", &["users.view"]);
    const RETURNED: EventType = EventType::new("loan.returned", "loans:read", "Someone returned a book").for_owner();
    const LOST: EventType = EventType::new("loan.lost", "loans:read", "Someone lost a book");

    /// A book that someone has borrowed.
    #[derive(Serialize, ToSchema)]
    #[schema(as = Loan)]
    struct LoanOut {
        #[schema(example = 7)]
        id: i64,
        #[schema(example = "Sketch of the Analytical Engine")]
        book: String,
    }

    fn app() -> App {
        App::new("loans")
            .scopes([READ])
            .events_of::<LoanOut>([RETURNED])
            .events([LOST])
    }

    mod tests {
        use serde_json::json;
        use usher::Project;
        use usher_test::{TestDb, TestProject};

        recipe!(the_documents_know_the_types_and_their_data);
        async fn the_documents_know_the_types_and_their_data(db: TestDb) {
            let library = TestProject::open(Project::new("library").app(super::app()), db).await;
            let client = library.anonymous();
            let openapi = client.get("/openapi.json").await.expect(200);
            let asyncapi = client.get("/asyncapi.json").await.expect(200);
            let body = |kind: &str| &openapi["webhooks"][kind]["post"]["requestBody"]["content"]["application/json"];
            let message = |kind: &str| &asyncapi["components"]["messages"][kind];
            let data = json!({"id": 7, "book": "Sketch of the Analytical Engine"});
            assert_eq!(body("loan.returned")["example"]["data"], data);
            assert_eq!(message("loan.returned")["examples"][0]["payload"]["data"], data);
            for document in [&openapi, &asyncapi] {
                let loan = &document["components"]["schemas"]["Loan"];
                assert_eq!(loan["required"], json!(["id", "book"]), "{loan}");
            }
            assert_eq!(message("loan.lost")["summary"], "Someone lost a book");
            assert!(body("loan.lost")["schema"]["allOf"][1]["properties"]["data"].is_null());
        }
    }
}

mod lean {
    //! A product without parts of Usher.

    use usher::{BuiltIn, Project};

    /// Accounts are made by the desk alone, and nobody acts in another person's name.
    fn project() -> Project {
        helpdesk::project().without([
            BuiltIn::SelfSignUp,
            BuiltIn::OAuthToken,
            BuiltIn::ApiKeyOperations,
            BuiltIn::UserImport,
            BuiltIn::Impersonation,
        ])
    }

    mod tests {
        use std::collections::BTreeSet;

        use serde_json::{Value, json};
        use usher_test::{TestDb, TestProject};

        use super::project;

        /// What the document refers to.
        fn references(value: &Value, found: &mut BTreeSet<String>) {
            match value {
                Value::Object(members) => {
                    let target = members.get("$ref").and_then(Value::as_str);
                    found.extend(target.map(str::to_owned));
                    members.values().for_each(|value| references(value, found));
                }
                Value::Array(values) => values.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }

        recipe!(what_is_left_out_is_unknown_and_nothing_leads_to_it);
        async fn what_is_left_out_is_unknown_and_nothing_leads_to_it(db: TestDb) {
            let desk = TestProject::open(project(), db).await;
            let client = desk.anonymous();
            for path in ["/auth/sign-up", "/oauth/token", "/api-keys"] {
                client.post(path, &json!({})).await.expect(404);
            }
            let resend = json!({"email": "ada@example.org"});
            client.post("/auth/verify-email/resend", &resend).await.expect(202);

            let document = client.get("/openapi.json").await.expect(200);
            let text = document.to_string();
            for word in [
                "/auth/sign-up",
                "/oauth/",
                "oauth2",
                "/api-keys",
                "\"API keys\"",
                "SignUp\"",
                "OAuth",
            ] {
                assert!(!text.contains(word), "{word}");
            }
            let token = &document["components"]["securitySchemes"]["accessToken"];
            assert_eq!([&token["type"], &token["scheme"]], ["http", "bearer"]);
            assert!(text.contains("paste an access token"));
            let mut found = BTreeSet::new();
            references(&document, &mut found);
            let dangling: Vec<_> = found.iter().filter(|at| document.pointer(&at[1..]).is_none()).collect();
            assert!(found.len() > 20 && dangling.is_empty(), "{dangling:?}");

            for path in ["/", "/problems", "/problems/not_found"] {
                let page = desk.anonymous().with("accept", "text/html").get(path).await.text();
                assert!(page.contains("Helpdesk") && !page.contains("Usher"), "{page}");
            }

            let ada = desk.person("Ada Lovelace", "ada@example.org").await;
            ada.get("/me").await.expect(200);
            let staff = desk.superuser().await;
            staff.get("/admin/users/import").await.expect(404);
            let row = format!("/admin/users/{}", ada.user.id);
            for (page, there) in [
                ("/admin/users", "Ada Lovelace"),
                (row.as_str(), "Ada Lovelace"),
                ("/admin/roles/new", "users.delete"),
                ("/admin/", "Users"),
            ] {
                let page = staff.get(page).await.expect(200);
                assert!(page.contains(there), "{}", page.html);
                for word in ["/admin/users/import", "users.import", "mpersonat"] {
                    assert!(!page.contains(word), "{word}: {}", page.html);
                }
            }
            let id = ada.user.id.to_string();
            for action in ["impersonate", "an unknown word"] {
                let act = [("action", action), ("id", &id), ("_confirmed", "yes"), ("reason", "x")];
                staff.submit(&row, "/admin/users/actions", &act).await.expect(400);
            }
            staff.submit(&row, "/admin/impersonation/end", &[]).await.expect(404);
        }
    }
}

mod links {
    //! A link in a mail that works once.

    use axum::extract::State;
    use chrono::TimeDelta;
    use futures::future::join_all;
    use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
    use serde::{Deserialize, Serialize};
    use serde_json::json;
    use usher::{
        App,
        accounts::{
            mail_tokens::{self, LinkPurpose, LinkRequest},
            users,
        },
        api::{ApiError, AppState, Body, Code, Context, FromFields, NoContent, OpenApiRouter, operation, operations},
        db::update_row,
        entity::{audit_log, job, mail},
        jobs::{EnqueueError, EnqueueOptions, Job, MAIL_QUEUE, Tx},
        worker::{JobContext, JobError, MailMessage, Policy},
    };
    use usher_test::TestProject;

    use helpdesk::tickets::{
        READ,
        ticket::{self, TicketState},
    };

    /// Lets the requester close a ticket from a mail.
    pub const CLOSE_TICKET: LinkPurpose = LinkPurpose::new("close_ticket", TimeDelta::days(3));

    pub fn app() -> App {
        App::new("links")
            .link_purposes([CLOSE_TICKET])
            .api(router)
            .job::<AskToClose>(Policy::DEFAULT, send_ask_to_close)
    }

    /// Asks the requester whether the ticket can be closed.
    #[derive(Serialize, Deserialize)]
    struct AskToClose {
        ticket_id: i64,
    }

    impl Job for AskToClose {
        const KIND: &'static str = "ask_to_close";
        const QUEUE: &'static str = MAIL_QUEUE;
    }

    /// Asks the requester whether the ticket can be closed. The link of an earlier mail about this ticket ends.
    pub async fn ask_to_close(tx: &Tx, ticket: &ticket::Model) -> Result<(), EnqueueError> {
        let subject = ticket.id.to_string();
        let link = LinkRequest::new(ticket.requester_id, CLOSE_TICKET).about(&subject);
        let mail = AskToClose { ticket_id: ticket.id };
        mail_tokens::request(tx, link, mail, EnqueueOptions::default()).await?;
        Ok(())
    }

    async fn send_ask_to_close(job: AskToClose, context: JobContext) -> Result<(), JobError> {
        let Some(ticket) = ticket::Entity::find_by_id(job.ticket_id).one(&context.db).await? else {
            return Ok(());
        };
        let Some(requester) = context.account(ticket.requester_id).await? else {
            return Ok(());
        };
        let link = context.link_about("tickets/close", &requester, CLOSE_TICKET, &ticket.id.to_string());
        let message = MailMessage::new(format!("Can we close your ticket #{}?", ticket.id))
            .line("We haven't heard from you for a while.")
            .button("Close the ticket", link)
            .why("You're receiving this email because you opened a ticket.");
        context.post(&requester, message).await
    }

    fn router() -> OpenApiRouter<AppState> {
        operations![close_by_link]
    }

    /// The token of a mailed link.
    #[derive(FromFields)]
    struct LinkIn {
        token: String,
    }

    /// Close a ticket from a mail
    ///
    /// With the token of the mailed link.
    #[operation(
        post,
        "/tickets/close",
        object = "ticket",
        errors(Code::TOKEN_INVALID, Code::TOKEN_EXPIRED)
    )]
    async fn close_by_link(
        State(state): State<AppState>,
        Context(context): Context,
        Body(body): Body<LinkIn>,
    ) -> Result<NoContent, ApiError> {
        let tx = state.begin().await?;
        let link = users::redeem_link(&tx, &body.token, CLOSE_TICKET, &context.anonymous()).await?;
        let id: i64 = link.subject.and_then(|id| id.parse().ok()).unwrap_or_default();
        if let Some(ticket) = ticket::Entity::find_by_id(id).lock_exclusive().one(&*tx).await? {
            let closed = ticket::ActiveModel {
                state: Set(TicketState::Closed),
                ..Default::default()
            };
            update_row::<ticket::Entity>(&tx, ticket, closed, "ticket", &link.actor).await?;
        }
        tx.commit().await?;
        Ok(NoContent)
    }

    async fn ask(helpdesk: &TestProject, id: i64) {
        let tx = helpdesk.app.job_store.begin().await.expect("a transaction");
        let ticket = ticket::Entity::find_by_id(id).one(&*tx).await.expect("a query");
        ask_to_close(&tx, &ticket.expect("a ticket")).await.expect("a job");
        tx.commit().await.expect("a commit");
    }

    /// The tokens mailed to this address, oldest first, and the mails as they are kept.
    async fn mailed(helpdesk: &TestProject, email: &str) -> Vec<(String, mail::Model)> {
        helpdesk.run_jobs().await;
        let mails = helpdesk.mails(email).await.into_iter();
        let with_link = mails.filter_map(|mail| {
            let text = mail.text_body.clone()?;
            let (_, token) = text.split_once("/tickets/close?token=")?;
            Some((token.split_whitespace().next()?.to_owned(), mail))
        });
        with_link.collect()
    }

    pub async fn work(helpdesk: &TestProject) {
        let ada = helpdesk.person("Ada Lovelace", "ada.links@example.org").await;
        let mut ids = vec![];
        for subject in ["Stuck", "Slow"] {
            let ticket = json!({"subject": subject, "body": "It does not move."});
            let opened = ada.post("/tickets", &ticket).await.expect(201);
            ids.push(opened["id"].as_i64().expect("an id"));
        }
        for id in [ids[0], ids[0], ids[1]] {
            ask(helpdesk, id).await;
        }
        let links = mailed(helpdesk, "ada.links@example.org").await;
        assert_eq!(
            links.len(),
            2,
            "the newer request about the same ticket replaces the older one"
        );
        let close = async |token: &str| {
            let anybody = helpdesk.anonymous();
            anybody.post("/tickets/close", &json!({"token": token})).await
        };
        let of_the_first = &links
            .iter()
            .find(|(_, mail)| mail.subject.contains(&format!("#{}?", ids[0])));
        let token = &of_the_first.expect("a mail").0;
        let elsewhere = users::holder(&helpdesk.app.db, token, LinkPurpose::VERIFY_EMAIL).await;
        assert!(elsewhere.is_err(), "a token is for its own purpose only");

        let answers = join_all((0..6).map(|_| close(token))).await;
        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(
            statuses,
            [204, 400, 400, 400, 400, 400],
            "of concurrent callers one wins"
        );
        let desk = helpdesk.key(&[READ]).await;
        for (id, state) in [(ids[0], "closed"), (ids[1], "open")] {
            assert_eq!(desk.get(&format!("/tickets/{id}")).await.expect(200)["state"], state);
        }
        let closed = audit_log::Entity::find()
            .filter(audit_log::Column::ObjectType.eq("ticket"))
            .filter(audit_log::Column::ObjectId.eq(ids[0].to_string()))
            .filter(audit_log::Column::Action.eq("update"))
            .one(&helpdesk.app.db)
            .await;
        let closed = closed.expect("a query").expect("an entry");
        assert_eq!(closed.actor_id, Some(ada.user.id), "the owner of the mailbox did it");

        let open = &links
            .iter()
            .find(|(other, _)| other != token)
            .expect("the other link")
            .0;
        nobody_sees(helpdesk, open, &links).await;
        end_with_the_password(helpdesk, open, &ada).await;
        assert_eq!(close(open).await.expect(400)["code"], "token_invalid");
        assert_eq!(close("umt_nonsense").await.expect(400)["code"], "token_invalid");
        expire(helpdesk, ids[1]).await;
        let links = mailed(helpdesk, "ada.links@example.org").await;
        let (late, _) = links.last().expect("a mail");
        assert_eq!(close(late).await.expect(410)["code"], "token_expired");
    }

    /// The token that still works is in the mail alone.
    async fn nobody_sees(helpdesk: &TestProject, token: &str, links: &[(String, mail::Model)]) {
        let staff = helpdesk.superuser().await;
        let (_, mail) = links.iter().find(|(other, _)| other == token).expect("the mail");
        let job = mail.job_id.expect("a job");
        for page in [
            "/admin/mails".to_owned(),
            format!("/admin/mails/{}", mail.id),
            "/admin/jobs".to_owned(),
            format!("/admin/jobs/{job}"),
            format!("/admin/users/{}", mail.user_id.expect("a user")),
            "/admin/audit".to_owned(),
        ] {
            let page = staff.get(&page).await;
            assert!(!page.contains(&token[4..20]), "{}", page.html);
        }
        let exported = users::export(&helpdesk.app.db, mail.user_id.expect("a user")).await;
        let exported = exported.expect("an export").expect("a user").to_string();
        let job = job::Entity::find_by_id(job)
            .one(&helpdesk.app.db)
            .await
            .expect("a query");
        for text in [exported, format!("{job:?}")] {
            assert!(!text.contains(&token[4..20]), "{text}");
        }
    }

    async fn end_with_the_password(helpdesk: &TestProject, token: &str, ada: &usher_test::Person) {
        assert!(mail_tokens::peek(&helpdesk.app.db, token, CLOSE_TICKET).await.is_ok());
        let tx = helpdesk.app.job_store.begin().await.expect("a transaction");
        let user = users::find_for_change(&tx, ada.user.id)
            .await
            .expect("a query")
            .expect("a user");
        let actor = usher::audit::Actor::system();
        users::replace_password(&tx, &user, "a hash".to_owned(), None, &actor)
            .await
            .expect("a change");
        tx.commit().await.expect("a commit");
    }

    /// Mails another link, whose time is over.
    async fn expire(helpdesk: &TestProject, id: i64) {
        ask(helpdesk, id).await;
        helpdesk.run_jobs().await;
        let past = "UPDATE mail_tokens SET expires_at = created_at WHERE used_at IS NULL";
        sea_orm::ConnectionTrait::execute_unprepared(&helpdesk.app.db, past)
            .await
            .expect("an update");
    }
}

mod examples {
    //! The examples in `docs/building` that aren't files of the product.

    use std::{collections::HashMap, sync::LazyLock, time::Duration};

    use axum::{Json, extract::State};
    use chrono::{DateTime, TimeDelta, Utc};
    use sea_orm::{
        ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter,
        sea_query::{Expr, ExprTrait},
    };
    use serde::{Deserialize, Serialize};
    use serde_json::json;
    use usher::{
        App, AppContext, Finding, SqlMigration,
        accounts::hooks::{HookContext, HookError, UserChanged, UserCreated, UserHooks},
        admin::{
            Action, ActionContext, AdminModel, Cell, Deletion, Field, Meta, Outcome, Panel, Param, Row, SoftDelete,
            Staff, headings, models::Users,
        },
        api::{
            ApiError, ApiKey, AppState, Body, Code, Context, Created, FromFields, ListOut, ListQuery, Listed,
            OnConstraint, OpenApiRouter, Query, Text, access, create_row, operation, operations, related,
        },
        jobs::{EnqueueOptions, Job, Tx, enqueue_with},
        metrics::{Counters, Gauge},
        rules::Violation,
        time::now,
        worker::{JobContext, JobError, Policy},
    };
    use usher_test::TestProject;
    use utoipa::ToSchema;

    use helpdesk::tickets::{
        READ, WRITE, tag,
        ticket::{self, TicketState},
    };

    use super::comments::comment;

    pub fn app() -> App {
        App::new("examples")
            .migrations(&[NOTES])
            .api(router)
            .error_codes(&[TAG_EXISTS])
            .admin::<note::Entity>()
            .extend_admin(|admin| {
                admin
                    .action::<ticket::Entity>(&REOPEN)
                    .panels::<Users>(|app, row, staff| Box::pin(panels(app, row, staff)))
            })
            .hooks(UserHooks::new().on_user_created(welcome).on_user_changed(only_ours))
            .job::<OpenFirstTicket>(Policy::DEFAULT, open_first_ticket)
            .job::<RemindRequester>(REMIND, remind_requester)
            .check("tickets", waiting_tickets)
            .metric("tickets_reminders", "Reminders by outcome", REMINDERS.clone())
            .metric("tickets_open", "Tickets that are open", OPEN.clone())
    }

    pub async fn work(helpdesk: &TestProject) {
        let desk = helpdesk.key(&[READ, WRITE]).await;
        let urgent = desk.post("/tags", &json!({"name": "urgent"})).await.expect(201);
        let again = desk.post("/tags", &json!({"name": "urgent"})).await.expect(409);
        assert_eq!(again["code"], "tag_exists");
        assert_eq!(desk.get("/tags").await.expect(200)["data"], json!([urgent]));

        let ada = helpdesk.person("Ada Lovelace", "ada@example.org").await;
        let ticket = json!({"subject": "My engine is stuck", "body": "It does not move."});
        ada.post("/tickets", &ticket).await.expect(201);
        ada.post("/tickets/1/comments", &json!({"body": "Still stuck."}))
            .await
            .expect(200);
        for _ in 0..2 {
            assert_eq!(desk.get("/open-tickets").await.expect(200), json!({"open": 1}));
        }
        let found = helpdesk.app.cache.get::<OpenTickets>("open tickets").await;
        assert_eq!(found.map(|found| found.open), Some(1));
        let counts = comment_counts(&helpdesk.app.db, [1, 2]).await.expect("a count");
        assert_eq!(counts, HashMap::from([(1, 1)]));

        let staff = helpdesk.superuser().await;
        let page = staff.get(&format!("/admin/users/{}", ada.user.id)).await.expect(200);
        assert!(page.contains("Support plan"), "{}", page.html);
        desk.patch("/tickets/1", &json!({"state": "closed"})).await.expect(200);
        let reopen = [
            ("action", "reopen"),
            ("id", "1"),
            ("_confirmed", "yes"),
            ("reason", "Not solved"),
        ];
        staff
            .submit("/admin/tickets/1", "/admin/tickets/actions", &reopen)
            .await
            .expect(303);
        assert_eq!(ada.get("/tickets/1").await.expect(200)["state"], "open");

        let note = [("text", "Call back")];
        staff
            .submit("/admin/notes/new", "/admin/notes/new", &note)
            .await
            .expect(303);
        staff
            .submit("/admin/notes/1/delete", "/admin/notes/1/delete", &[])
            .await
            .expect(303);
        assert!(!staff.get("/admin/notes").await.expect(200).contains("Call back"));

        let tx = helpdesk.app.job_store.begin().await.expect("a transaction");
        remind_later(&tx, 1, now() - TimeDelta::days(4)).await.expect("a job");
        tx.commit().await.expect("a commit");
        helpdesk.run_jobs().await;

        let none = Finding::Ok("none has waited for a week".to_owned());
        assert_eq!(waiting_tickets(helpdesk.app.clone()).await.expect("a finding"), none);
        helpdesk.travel(TimeDelta::days(8));
        let late = waiting_tickets(helpdesk.app.clone()).await.expect("a finding");
        assert!(
            matches!(&late, Finding::Warning(text) if text.starts_with("1 ")),
            "{late:?}"
        );

        let before = REMINDERS.get_or_create(&[("outcome", "sent".into())]).get();
        note_reminder("sent");
        count_open(&helpdesk.app).await.expect("a count");
        let metrics = helpdesk.app.render_metrics();
        for line in [
            &format!("tickets_reminders_total{{outcome=\"sent\"}} {}\n", before + 1),
            "# HELP tickets_open Tickets that are open.\n",
        ] {
            assert!(metrics.contains(line), "{line} is not in {metrics}");
        }
    }

    /// Warns when people wait for long.
    async fn waiting_tickets(app: AppContext) -> Result<Finding, DbErr> {
        let old = ticket::Entity::find()
            .filter(ticket::Column::State.eq(ticket::TicketState::Open))
            .filter(ticket::Column::CreatedAt.lt(now() - TimeDelta::days(7)));
        Ok(match old.count(&app.db).await? {
            0 => Finding::Ok("none has waited for a week".to_owned()),
            old => Finding::Warning(format!("{old} open for more than a week: see Tickets in the admin")),
        })
    }

    static REMINDERS: LazyLock<Counters<1>> = LazyLock::new(Counters::default);
    static OPEN: LazyLock<Gauge> = LazyLock::new(Gauge::default);

    /// Counts a reminder that was sent, or held back.
    fn note_reminder(outcome: &'static str) {
        REMINDERS.get_or_create(&[("outcome", outcome.into())]).inc();
    }

    /// For a schedule: a gauge has the value that was set last.
    async fn count_open(app: &AppContext) -> Result<(), DbErr> {
        let open = ticket::Entity::find().filter(ticket::Column::State.ne(ticket::TicketState::Closed));
        OPEN.set(open.count(&app.db).await?.cast_signed());
        Ok(())
    }

    pub const TAG_EXISTS: Code = Code::new(
        "tag_exists",
        409,
        "Tag exists",
        "There is a tag with this name already",
        "Use that tag, or choose another name.",
    );

    access! {
        pub TagsRead = [READ, WRITE];
        pub TagsWrite = [WRITE];
    }

    fn router() -> OpenApiRouter<AppState> {
        operations![list_tags, create_tag, count_open_tickets]
    }

    /// A tag.
    #[derive(Serialize, ToSchema, Listed)]
    #[schema(as = Tag)]
    #[listed(entity = tag::Entity, filters(name))]
    struct TagOut {
        id: i64,
        name: String,
    }

    /// A new tag.
    #[derive(FromFields)]
    #[schema(entity = tag::Entity)]
    struct NewTagIn {
        name: Text<1, 50>,
    }

    /// List tags
    #[operation(get, "/tags")]
    async fn list_tags(
        State(state): State<AppState>,
        _key: ApiKey<TagsRead>,
        Query(query): Query<ListQuery<TagOut>>,
    ) -> Result<ListOut<TagOut>, ApiError> {
        query.list(&state, []).await
    }

    /// Create a tag
    #[operation(post, "/tags", errors(TAG_EXISTS))]
    async fn create_tag(
        State(state): State<AppState>,
        Context(context): Context,
        key: ApiKey<TagsWrite>,
        Body(body): Body<NewTagIn>,
    ) -> Result<Created<TagOut>, ApiError> {
        let tx = state.begin().await?;
        let actor = key.actor(&context);
        let tag = create_row::<tag::Entity>(&tx, body.into(), "tag", &actor).await;
        let tag = tag.on_taken(TAG_EXISTS)?;
        tx.commit().await?;
        Ok(Created::new(&state, "/tags", tag.id, tag))
    }

    #[derive(Serialize, Deserialize, ToSchema)]
    struct OpenTickets {
        open: u64,
    }

    /// How many tickets are open
    ///
    /// At most a minute old.
    #[operation(get, "/open-tickets", tag = "Tickets")]
    async fn count_open_tickets(
        State(state): State<AppState>,
        _key: ApiKey<TagsRead>,
    ) -> Result<Json<OpenTickets>, ApiError> {
        let count = async || {
            let open = ticket::Entity::find().filter(ticket::Column::State.eq(TicketState::Open));
            open.count(&state.db).await.map(|open| OpenTickets { open })
        };
        let minute = Duration::from_secs(60);
        Ok(Json(state.cache.get_or_load("open tickets", minute, count).await?))
    }

    /// How many comments each of these tickets has, in one statement.
    async fn comment_counts(
        db: &impl ConnectionTrait,
        tickets: impl IntoIterator<Item = i64>,
    ) -> Result<HashMap<i64, usize>, DbErr> {
        let comments = related::<comment::Entity>(db, comment::Column::TicketId, tickets).await?;
        let counts = comments.into_iter().map(|(ticket, comments)| (ticket, comments.len()));
        Ok(counts.collect())
    }

    pub const REOPEN: Action = Action::new("reopen", "Reopen", |acting, row| Box::pin(reopen(acting, row)))
        .done("reopened")
        .about("Its requester can change it again.")
        .params(&[Param::Reason { required: true }])
        .fits(|row| row.text("state").as_deref() == Some("closed"), "it isn't closed");

    async fn reopen(acting: &ActionContext<'_>, row: &Row) -> Result<Outcome, DbErr> {
        let id: i64 = row.parse("id").unwrap_or_default();
        ticket::Entity::update_many()
            .col_expr(ticket::Column::State, Expr::value(ticket::TicketState::Open))
            .col_expr(ticket::Column::Version, Expr::col(ticket::Column::Version).add(1))
            .filter(ticket::Column::Id.eq(id))
            .exec(&**acting.saving.tx)
            .await?;
        Ok(Outcome::Done)
    }

    async fn panels(app: &AppContext, row: &Row, staff: &Staff) -> Result<Vec<Panel>, DbErr> {
        if !staff.may("tickets.view") {
            return Ok(vec![]);
        }
        let id: i64 = row.parse("id").unwrap_or_default();
        let own = ticket::Entity::find().filter(ticket::Column::RequesterId.eq(id));
        Ok(vec![Panel {
            title: "Support plan".to_owned(),
            columns: headings(["Tickets so far"]),
            rows: vec![vec![Cell::text(own.count(&app.db).await?.to_string())]],
            ..Panel::default()
        }])
    }

    const NOTES: SqlMigration = SqlMigration::new(
        "m20261204_000001_notes",
        "CREATE TABLE notes (id {id}, text text NOT NULL, deleted_at {time});",
        "DROP TABLE notes;",
    );

    pub mod note {
        use sea_orm::entity::prelude::*;

        #[sea_orm::model]
        #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
        #[sea_orm(table_name = "notes")]
        pub struct Model {
            #[sea_orm(primary_key)]
            pub id: i64,
            pub text: String,
            pub deleted_at: Option<DateTimeUtc>,
        }

        impl ActiveModelBehavior for ActiveModel {}
    }

    impl AdminModel for note::Entity {
        type Entity = Self;

        const META: Meta = Meta::new("notes", "note", "notes")
            .section("Support")
            .addable()
            .deletable();

        const DELETION: Option<&'static Deletion> = Some(&Deletion {
            about: "Deleted notes can be restored.",
            related: &[],
            run: |acting, row| Box::pin(mark(acting, row, Some(now()))),
            soft: Some(SoftDelete {
                column: "deleted_at",
                restore: |acting, row| Box::pin(mark(acting, row, None)),
            }),
            bulk: None,
        });

        fn field(column: note::Column) -> Field<Self> {
            use note::{COLUMN as C, Column};
            match column {
                Column::Id => Field::id(C.id),
                Column::Text => Field::text(C.text).link().form(),
                Column::DeletedAt => Field::time(C.deleted_at).list().filter(),
            }
        }
    }

    async fn mark(acting: &ActionContext<'_>, row: &Row, at: Option<DateTime<Utc>>) -> Result<Outcome, DbErr> {
        let id: i64 = row.parse("id").unwrap_or_default();
        note::Entity::update_many()
            .col_expr(note::Column::DeletedAt, Expr::value(at))
            .filter(note::Column::Id.eq(id))
            .exec(&**acting.saving.tx)
            .await?;
        Ok(Outcome::Done)
    }

    async fn welcome(context: &HookContext<'_>, event: &UserCreated<'_>) -> Result<(), HookError> {
        context.enqueue(OpenFirstTicket { user_id: event.user.id }).await?;
        Ok(())
    }

    async fn only_ours(_: &HookContext<'_>, event: &UserChanged<'_>) -> Result<(), HookError> {
        if event.user.email_key.ends_with("@example.net") {
            return Err(HookError::refuse(
                "email",
                Violation::value("Use your company's address"),
            ));
        }
        Ok(())
    }

    /// Opens a ticket that says how the desk works.
    #[derive(Serialize, Deserialize)]
    struct OpenFirstTicket {
        user_id: i64,
    }

    impl Job for OpenFirstTicket {
        const KIND: &'static str = "open_first_ticket";

        fn user_id(&self) -> Option<i64> {
            Some(self.user_id)
        }
    }

    async fn open_first_ticket(_: OpenFirstTicket, _: JobContext) -> Result<(), JobError> {
        Ok(())
    }

    /// Reminds the requester of a ticket that waits for them.
    #[derive(Serialize, Deserialize)]
    struct RemindRequester {
        ticket_id: i64,
    }

    impl Job for RemindRequester {
        const KIND: &'static str = "remind_requester";
    }

    const REMIND: Policy = Policy {
        attempts: 3,
        timeout: Duration::from_secs(10),
        ..Policy::DEFAULT
    };

    /// In three days, and once however often it's asked for.
    async fn remind_later(tx: &Tx, ticket_id: i64, at: DateTime<Utc>) -> Result<(), ApiError> {
        let options = EnqueueOptions::at(at + TimeDelta::days(3)).unique(ticket_id.to_string());
        enqueue_with(tx, RemindRequester { ticket_id }, options).await?;
        Ok(())
    }

    async fn remind_requester(job: RemindRequester, context: JobContext) -> Result<(), JobError> {
        let tx = context.begin().await?;
        let ticket = ticket::Entity::find_by_id(job.ticket_id).one(&*tx).await?;
        if ticket.is_none() {
            return Err(JobError::cancel("the ticket is gone"));
        }
        context.complete(tx).await
    }
}

mod imports {
    //! Imports from CSV files: of tags, and of entries that try what can go wrong.

    use chrono::{DateTime, TimeDelta, Utc};
    use sea_orm::{
        ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnAcquireErr, ConnectionTrait, DbErr, EntityTrait,
        QueryFilter,
    };
    use usher::{
        App, Import, ImportFault, ImportRow, Imported, Project, SqlMigration,
        admin::{AdminModel, Field, Meta},
        api::Text,
        db::create_row,
        time::now,
    };

    use helpdesk::tickets::tag;

    pub struct TagImport;

    impl Import for TagImport {
        type Model = tag::Entity;
        const COLUMNS: &'static [&'static str] = &["name"];
        const KEY: Option<&'static str> = Some("name");
        const ABOUT: &'static str = "Tags that exist stay as they are.";

        async fn apply(row: ImportRow<'_>) -> Result<Imported, ImportFault> {
            let name = row.rule("name", Text::<1, 50>::parse)?;
            let known = tag::Entity::find().filter(tag::Column::Name.eq(name.as_str()));
            if known.one(&**row.tx).await?.is_some() {
                return Ok(Imported::Unchanged);
            }
            let tag = tag::ActiveModel {
                name: Set(name.into()),
                ..Default::default()
            };
            create_row::<tag::Entity>(row.tx, tag, "tag", row.actor).await?;
            Ok(Imported::Created)
        }
    }

    const ENTRIES: SqlMigration = SqlMigration::new(
        "m20261205_000001_entries",
        "CREATE TABLE entries (id {id}, text text NOT NULL, code text UNIQUE);",
        "DROP TABLE entries;",
    );

    pub mod entry {
        use sea_orm::entity::prelude::*;

        #[sea_orm::model]
        #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
        #[sea_orm(table_name = "entries")]
        pub struct Model {
            #[sea_orm(primary_key)]
            pub id: i64,
            pub text: String,
            pub code: Option<String>,
        }

        impl ActiveModelBehavior for ActiveModel {}
    }

    impl AdminModel for entry::Entity {
        type Entity = Self;

        const META: Meta = Meta::new("entries", "entry", "entries").few();

        fn field(column: entry::Column) -> Field<Self> {
            match column {
                entry::Column::Id => Field::id(entry::COLUMN.id),
                entry::Column::Text => Field::text(entry::COLUMN.text).link(),
                entry::Column::Code => Field::text(entry::COLUMN.code),
            }
        }
    }

    /// Writes the text of each line, whatever was written before.
    struct EntryImport;

    /// Whether this is a time within the last hour.
    fn was_just_now(text: &str) -> bool {
        let from = text.parse::<DateTime<Utc>>();
        from.is_ok_and(|from| (from..from + TimeDelta::hours(1)).contains(&now()))
    }

    impl Import for EntryImport {
        type Model = entry::Entity;
        const COLUMNS: &'static [&'static str] = &["text"];
        const OPTIONAL: &'static [&'static str] = &["code"];

        async fn apply(row: ImportRow<'_>) -> Result<Imported, ImportFault> {
            let text = row.get("text").to_owned();
            let code = Some(row.get("code").to_owned()).filter(|code| !code.is_empty());
            let entry = entry::ActiveModel {
                text: Set(text.clone()),
                code: Set(code),
                ..Default::default()
            };
            entry.insert(&**row.tx).await?;
            if was_just_now(&text) {
                return Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout).into());
            }
            if text == "demote" {
                let demote = "UPDATE users SET is_superuser = false";
                row.tx.execute_unprepared(demote).await?;
            }
            Ok(Imported::Created)
        }
    }

    fn app() -> App {
        App::new("imports")
            .migrations(&[ENTRIES])
            .admin::<entry::Entity>()
            .import::<TagImport>()
            .import::<EntryImport>()
    }

    fn project() -> Project {
        helpdesk::project().app(app())
    }

    mod tests {
        use chrono::TimeDelta;
        use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
        use usher::{
            entity::{
                audit_log,
                job::{self, JobState},
                role, role_permission, user, user_role,
            },
            time::{now, rfc3339},
        };
        use usher_test::{Staff, TestDb, TestProject};

        use super::{entry, project, tag};

        const TAGS: &str = "/admin/tags/import";
        const ENTRIES: &str = "/admin/entries/import";

        /// Uploads a file; returns the address of its preview, which is finished.
        async fn check(desk: &TestProject, staff: &Staff, form: &str, file: impl AsRef<[u8]>) -> String {
            let sent = staff.upload(form, form, &[], "file.csv", file).await.expect(303);
            desk.run_jobs().await;
            sent.location
        }

        /// Starts the import of a file that was checked; returns the address of its result.
        async fn order(staff: &Staff, preview: &str) -> String {
            staff.submit(preview, preview, &[]).await.expect(303).location
        }

        async fn tags(desk: &TestProject) -> Vec<String> {
            let tags = tag::Entity::find().all(&desk.app.db).await.expect("tags");
            tags.into_iter().map(|tag| tag.name).collect()
        }

        async fn entries(desk: &TestProject) -> Vec<String> {
            let entries = entry::Entity::find().all(&desk.app.db).await.expect("entries");
            entries.into_iter().map(|entry| entry.text).collect()
        }

        /// Whether a page counts these lines: new, changed, unchanged, faulty.
        #[track_caller]
        fn assert_counts(html: &str, counts: [u32; 4]) {
            for (label, count) in ["New", "Changed", "Unchanged", "Errors"].iter().zip(counts) {
                let words = format!("<strong>{count}</strong>{label}<");
                assert!(html.contains(&words), "{words}: {html}");
            }
        }

        async fn job_at(desk: &TestProject, address: &str) -> job::Model {
            let id = address.rsplit('/').next().and_then(|id| id.parse().ok());
            let id: sea_orm::prelude::Uuid = id.expect("the address of a job");
            let job = job::Entity::find_by_id(id).one(&desk.app.db).await.expect("a query");
            job.expect("a job")
        }

        recipe!(a_file_is_previewed_and_then_imported);
        async fn a_file_is_previewed_and_then_imported(db: TestDb) {
            let desk = TestProject::open(project(), db).await;
            let staff = desk.superuser().await;
            let list = staff.get("/admin/tags").await.expect(200);
            assert!(list.contains("href=\"/admin/tags/import\">Import</a>"), "{}", list.html);
            let form = staff.get(TAGS).await.expect(200);
            assert!(form.contains("Required: <code>name</code>."), "{}", form.html);
            assert!(form.contains("Tags that exist stay as they are."), "{}", form.html);

            let file = "ID;Name\r\n1;urgent\r\n2;billing\r\n";
            let sent = staff.upload(TAGS, TAGS, &[], "tags.csv", file).await.expect(303);
            let waiting = staff.get(&sent.location).await.expect(200);
            assert!(waiting.contains("This doesn't change anything yet"), "{}", waiting.html);
            staff.submit(&sent.location, &sent.location, &[]).await.expect(400);
            desk.run_jobs().await;
            let preview = staff.get(&sent.location).await.expect(200);
            assert_counts(&preview.html, [2, 0, 0, 0]);
            assert!(preview.contains("Import 2 tags</button>"), "{}", preview.html);
            assert!(preview.contains("Ignored columns: ID."), "{}", preview.html);
            assert!(!preview.contains("welcome email"), "{}", preview.html);
            assert_eq!(tags(&desk).await, [""; 0], "a preview changes nothing");

            let result = order(&staff, &sent.location).await;
            assert_eq!(
                order(&staff, &sent.location).await,
                result,
                "a second click meets the first"
            );
            desk.run_jobs().await;
            let page = staff.get(&result).await.expect(200);
            assert!(page.contains("Import complete"), "{}", page.html);
            assert_counts(&page.html, [2, 0, 0, 0]);
            assert_eq!(tags(&desk).await, ["urgent", "billing"]);
            let of_staff = audit_log::Entity::find().filter(audit_log::Column::ActorId.eq(staff.user.id));
            let entries = of_staff.all(&desk.app.db).await.expect("entries");
            let done = |action: &str, label: &str| {
                let is_it = |row: &&audit_log::Model| {
                    row.action == action && row.object_label.as_deref().is_some_and(|text| text.contains(label))
                };
                entries.iter().filter(is_it).count()
            };
            assert_eq!(done("import", "tags"), 1, "{entries:?}");
            let created = entries.iter().filter(|row| row.object_type == "tag").count();
            assert_eq!(created, 2, "{entries:?}");

            let again = check(&desk, &staff, TAGS, "name\nurgent\n").await;
            let again = staff.get(&again).await.expect(200);
            assert_counts(&again.html, [0, 0, 1, 0]);
            assert!(again.contains("nothing to import"), "{}", again.html);
        }

        recipe!(a_faulty_line_is_reported_and_the_others_go_on);
        async fn a_faulty_line_is_reported_and_the_others_go_on(db: TestDb) {
            let desk = TestProject::open(project(), db).await;
            let staff = desk.superuser().await;
            let long = "x".repeat(51);
            let file = format!("name,\nurgent,\n{long},\n\nurgent,\nbilling\nsales,x\nbugs,\n");
            let preview = check(&desk, &staff, TAGS, &file).await;
            let page = staff.get(&preview).await.expect(200);
            let faults = [
                ("3", "name: Enter a text of at most 50 characters"),
                ("5", "name: line 2 has the same; leave one of the two"),
                ("7", "it has 2 fields, but the first line names 1 column<"),
            ];
            assert_counts(&page.html, [3, 0, 0, 3]);
            for (line, words) in faults {
                let row = format!("<td class=\"number\">{line}</td><td>{words}");
                assert!(page.contains(&row), "{row}: {}", page.html);
            }
            let result = order(&staff, &preview).await;
            desk.run_jobs().await;
            for address in [preview, result] {
                let csv = staff.get(&format!("{address}/faults.csv")).await.expect(200);
                assert_eq!(csv.html.lines().count(), 4, "{}", csv.html);
                assert!(csv.contains("\n5,\"name: line 2 has the same; leave"), "{}", csv.html);
            }
            assert_eq!(tags(&desk).await, ["urgent", "billing", "bugs"]);

            let preview = check(&desk, &staff, ENTRIES, "text,code\nfirst,a\nsecond,b\n").await;
            order(&staff, &preview).await;
            desk.run_jobs().await;
            let preview = check(&desk, &staff, ENTRIES, "code,text\na,third\nc,fourth\n").await;
            let page = staff.get(&preview).await.expect(200);
            assert_counts(&page.html, [1, 0, 0, 1]);
            assert!(
                page.contains("another object has one of these values already"),
                "{}",
                page.html
            );
            order(&staff, &preview).await;
            desk.run_jobs().await;
            assert_eq!(entries(&desk).await, ["first", "second", "fourth"]);
        }

        recipe!(a_file_that_is_no_list_of_tags_is_refused_with_what_to_do);
        async fn a_file_that_is_no_list_of_tags_is_refused_with_what_to_do(db: TestDb) {
            let desk = TestProject::open(project(), db).await;
            let staff = desk.superuser().await;
            let many = format!("name\n{}", "x\n".repeat(100_001));
            for (file, words) in [
                (&b"id\n1\n"[..], "the first line must name the column name"),
                (b"name,shoe\n", "unknown column &#34;shoe&#34;; use name"),
                (b"name,Name\n", "appears twice"),
                (
                    b"name\n\"urgent\n",
                    "the quotation mark that opens in line 2 is never closed",
                ),
                (b"name\n\xff\n", "the file is not UTF-8: save it as"),
                (b"\n", "the file is empty: the first line must name the column name"),
                (many.as_bytes(), "the file has more than 100000 lines: split it"),
            ] {
                let preview = check(&desk, &staff, TAGS, file).await;
                let page = staff.get(&preview).await.expect(200);
                assert!(page.contains(words), "{words}: {}", page.html);
                staff.submit(&preview, &preview, &[]).await.expect(303);
                desk.run_jobs().await;
            }
            let empty = staff.upload(TAGS, TAGS, &[], "tags.csv", "").await.expect(422);
            assert!(empty.contains("Choose a file that isn&#39;t empty"), "{}", empty.html);
            let large = vec![b'x'; 16 * 1024 * 1024 + 1];
            staff.upload(TAGS, TAGS, &[], "tags.csv", large).await.expect(400);
            assert_eq!(tags(&desk).await, [""; 0]);
        }

        recipe!(an_import_that_is_interrupted_goes_on_without_repeating_a_line);
        async fn an_import_that_is_interrupted_goes_on_without_repeating_a_line(db: TestDb) {
            let desk = TestProject::open(project(), db).await;
            let staff = desk.superuser().await;
            let outage = rfc3339(now() + TimeDelta::minutes(30));
            let file = format!("text\none\ntwo\n{outage}\nthree\n");
            let preview = check(&desk, &staff, ENTRIES, file).await;
            let result = order(&staff, &preview).await;
            for _ in 0..2 {
                desk.travel(TimeDelta::minutes(31));
                desk.run_jobs().await;
                let job = job_at(&desk, &result).await;
                assert_eq!(job.state, JobState::Ready, "it is tried again later");
                assert_eq!(entries(&desk).await, ["one", "two"]);
            }
            desk.travel(TimeDelta::hours(1));
            desk.run_jobs().await;
            assert_eq!(entries(&desk).await, ["one", "two", &outage, "three"]);
            let page = desk.superuser().await.get(&result).await.expect(200);
            assert_counts(&page.html, [4, 0, 0, 0]);
        }

        recipe!(an_import_stops_when_its_permission_is_taken_away);
        async fn an_import_stops_when_its_permission_is_taken_away(db: TestDb) {
            let desk = TestProject::open(project(), db).await;
            let staff = desk.superuser().await;
            let file = format!("text\ndemote\n{}", "more\n".repeat(149));
            let preview = check(&desk, &staff, ENTRIES, &file).await;
            let page = staff.get(&preview).await.expect(200);
            assert_counts(&page.html, [150, 0, 0, 0]);
            let result = order(&staff, &preview).await;
            desk.run_jobs().await;
            let job = job_at(&desk, &result).await;
            let why = job.last_error.unwrap_or_default();
            assert_eq!(job.state, JobState::Cancelled);
            assert!(why.contains("no longer has the permission entries.import"), "{why}");
            assert_eq!(
                entries(&desk).await.len(),
                100,
                "it is looked up again after a hundred lines"
            );
            let page = desk.superuser().await.get(&result).await.expect(200);
            assert!(page.contains("Lines already imported are kept"), "{}", page.html);
        }

        /// Takes all rights from a superuser but those of a new role.
        async fn restrict(desk: &TestProject, staff: &Staff, permissions: &[&str]) {
            let db = &desk.app.db;
            let role = role::ActiveModel {
                name: Set(permissions.concat()),
                description: Set(String::new()),
                version: Set(1),
                created_at: Set(now()),
                updated_at: Set(now()),
                ..Default::default()
            };
            let role_id = role.insert(db).await.expect("a role").id;
            for permission in permissions {
                let permission = Set((*permission).to_owned());
                let role_id = Set(role_id);
                let row = role_permission::ActiveModel { role_id, permission };
                row.insert(db).await.expect("a permission");
            }
            let (user_id, role_id) = (Set(staff.user.id), Set(role_id));
            let held = user_role::ActiveModel { user_id, role_id };
            held.insert(db).await.expect("a role");
            let user = user::ActiveModel {
                is_superuser: Set(false),
                ..staff.user.clone().into_active_model()
            };
            user.update(db).await.expect("an update");
        }

        recipe!(an_import_takes_its_own_permission);
        async fn an_import_takes_its_own_permission(db: TestDb) {
            let desk = TestProject::open(project(), db).await;
            let staff = desk.superuser().await;
            let roles = staff.get("/admin/roles/new").await.expect(200);
            for permission in ["tags.import", "entries.import"] {
                assert!(roles.contains(&format!("value=\"{permission}\"")), "{}", roles.html);
            }
            let of_entries = check(&desk, &staff, ENTRIES, "text\none\n").await;

            let (plain, allowed) = (desk.superuser().await, desk.superuser().await);
            restrict(&desk, &plain, &["tags.view", "tags.add", "tags.change"]).await;
            restrict(&desk, &allowed, &["tags.view", "tags.import"]).await;
            assert!(!plain.get("/admin/tags").await.expect(200).contains(TAGS));
            plain.get(TAGS).await.expect(403);
            plain
                .upload("/admin/tags", TAGS, &[], "tags.csv", "name\nx\n")
                .await
                .expect(403);

            assert!(allowed.get("/admin/tags").await.expect(200).contains(TAGS));
            let preview = check(&desk, &allowed, TAGS, "name\nurgent\n").await;
            let result = order(&allowed, &preview).await;
            desk.run_jobs().await;
            assert_eq!(tags(&desk).await, ["urgent"]);
            let retrier = desk.superuser().await;
            restrict(&desk, &retrier, &["jobs.view", "jobs.retry"]).await;
            let id = job_at(&desk, &result).await.id.to_string();
            let retry = [("action", "retry"), ("id", &id), ("_confirmed", "yes")];
            for (staff, state) in [(&retrier, JobState::Done), (&staff, JobState::Ready)] {
                staff
                    .submit("/admin/jobs", "/admin/jobs/actions", &retry)
                    .await
                    .expect(303);
                assert_eq!(
                    job_at(&desk, &result).await.state,
                    state,
                    "a retry takes the same permission"
                );
            }
            plain.get(&preview).await.expect(403);
            allowed.get(&of_entries).await.expect(403);
            let disguised = of_entries.replace("entries", "tags");
            allowed.get(&disguised).await.expect(404);
            allowed.get(&format!("{disguised}/faults.csv")).await.expect(404);
            allowed.submit(TAGS, &disguised, &[]).await.expect(400);
            desk.run_jobs().await;
            assert_eq!(entries(&desk).await, [""; 0]);

            desk.travel(TimeDelta::minutes(30));
            let stale = staff.get(TAGS).await;
            assert!(stale.status != 200, "the password again");
        }
    }
}
