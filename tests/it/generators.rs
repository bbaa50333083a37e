//! `usher new` and `usher generate`, as a person calls them: what they write compiles without a warning, is formatted,
//! and its tests pass on both databases.

use std::{
    env,
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use usher_testkit::Folder;

/// A product in a folder that is removed with the value.
struct Product {
    folder: Folder,
}

impl Product {
    fn new() -> Self {
        let folder = Folder::new();
        let path = env!("CARGO_MANIFEST_DIR");
        accepted(usher(folder.path(), &["new", "acme", "--path", path]));
        Self { folder }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("acme")
    }

    /// Generates something and returns what is printed.
    fn generate(&self, arguments: &str) -> String {
        accepted(self.usher(arguments))
    }

    /// The one line that says why it isn't generated.
    fn refused(&self, arguments: &str) -> String {
        refused(self.usher(arguments))
    }

    fn usher(&self, arguments: &str) -> Output {
        let arguments: Vec<_> = ["generate"].into_iter().chain(arguments.split(' ')).collect();
        usher(&self.root(), &arguments)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).expect(path)
    }

    /// What a person writes into a generated migration, which is refused as long as it only has comments.
    fn write_sql(&self, path: &str) {
        let sql = self.read(path).replace(
            "-- ALTER TABLE … ADD COLUMN … text;",
            "CREATE TABLE invoices (id {id});",
        );
        let sql = sql.replace("-- ALTER TABLE … DROP COLUMN …;", "DROP TABLE invoices;");
        fs::write(self.root().join(path), sql).expect(path);
    }

    /// Runs Cargo without the network. What it builds stays for later runs, beside what is built here.
    fn cargo(&self, arguments: &str) -> String {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(arguments.split(' ')).current_dir(self.root());
        cargo.env(
            "CARGO_TARGET_DIR",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("product"),
        );
        accepted(cargo.output().expect("cargo"))
    }
}

fn usher(folder: &Path, arguments: &[&str]) -> Output {
    let mut usher = Command::new(env!("CARGO_BIN_EXE_usher"));
    usher.args(arguments).current_dir(folder);
    usher.output().expect("usher")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn accepted(output: Output) -> String {
    assert!(output.status.success(), "{}", text(&output));
    text(&output)
}

fn refused(output: Output) -> String {
    let text = text(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

#[test]
fn what_is_generated_compiles_and_its_tests_pass() {
    let product = Product::new();
    product.generate(
        "model ticket subject:string body:text due_at:datetime? requester:user assignee:user? \
         state:enum(open,in_progress,closed) urgent:bool seats:integer? note:string?",
    );
    product.generate("model comment ticket:ticket author:user? body:text --app tickets");
    let app = product.read("src/tickets.rs");
    assert!(app.contains(".inline::<ticket::Entity, comment::Entity>("), "{app}");
    product.generate("model support_category title:string parent:support_category?");
    product.generate("model sheep sheared_at:datetime --plural flock");
    product.generate("job tickets remind_requester ticket:ticket requester:user note:string?");
    product.generate("job tickets clean_up");
    product.generate("app billing");
    product.generate("migration billing invoices");
    product.write_sql("src/billing/migrations.rs");
    product.cargo("fmt --check");
    let text = product.cargo("test --offline");
    assert!(!text.contains("warning:"), "{text}");
    for name in [
        "tickets::a_ticket_is_created_read_changed_and_deleted",
        "clean_up::clean_up_runs",
    ] {
        for database in ["sqlite", "postgres"] {
            assert!(text.contains(&format!("test {name}::{database} ... ok")), "{text}");
        }
    }
}

#[test]
fn the_test_script_asks_for_a_browser_only_if_a_test_opens_one() {
    let product = Product::new();
    let programs = product.folder.path().join("programs");
    fs::create_dir(&programs).expect("a folder");
    // A machine with Rust and PostgreSQL, on which the script may install nothing.
    for (name, body) in [("cargo", "echo tested $*"), ("initdb", ""), ("id", "echo 1000")] {
        let program = programs.join(name);
        fs::write(&program, format!("#!/bin/sh\n{body}\n")).expect("a program");
        fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("executable");
    }
    for name in ["bash", "dirname", "grep", "tr"] {
        let program = env::split_paths(&env::var_os("PATH").expect("PATH"))
            .map(|folder| folder.join(name))
            .find(|program| program.is_file());
        symlink(program.expect(name), programs.join(name)).expect("a link");
    }
    let test = || {
        let mut test = Command::new(product.root().join("test"));
        test.arg("tickets").env("PATH", &programs).output().expect("test")
    };

    assert_eq!(accepted(test()), "tested test tickets\n");
    let tests = product.read("tests/it/main.rs") + "// project.browser(&staff).await\n";
    fs::write(product.root().join("tests/it/main.rs"), tests).expect("the tests");
    let missing = refused(test());
    assert!(
        missing.contains("apt-get install --no-install-recommends chromium chromium-driver"),
        "{missing}"
    );
}

#[test]
fn a_product_is_never_made_over_something() {
    let folder = Folder::new();
    let new = |name: &str, more: &[&str]| {
        let arguments: Vec<_> = ["new", name].into_iter().chain(more.iter().copied()).collect();
        usher(folder.path(), &arguments)
    };
    for name in [
        "Acme",
        "1st",
        "a b",
        "fn",
        "usher",
        "ac.me",
        "deps",
        "build",
        "con",
        "com1",
        "usher-api",
    ] {
        assert!(
            refused(new(name, &[])).contains("can't be the name of a product"),
            "{name}"
        );
    }
    accepted(new("acme", &["--git", "https://example.org/usher", "--tag", "v1"]));
    let manifest = fs::read_to_string(folder.path().join("acme/Cargo.toml")).expect("a manifest");
    assert!(
        manifest.contains(r#"usher = { git = "https://example.org/usher", tag = "v1" }"#),
        "{manifest}"
    );
    assert!(refused(new("acme", &[])).contains("acme already exists and isn't empty"));
    fs::write(folder.path().join("shop"), "").expect("a file");
    assert!(refused(new("shop", &[])).contains("shop is a file, not a folder"));
    let both = new("other", &["--path", env!("CARGO_MANIFEST_DIR"), "--tag", "v1"]);
    assert!(
        !both.status.success() && text(&both).contains("--tag"),
        "{}",
        text(&both)
    );
    accepted(new("my-shop", &["--version", "3.1"]));
    let manifest = fs::read_to_string(folder.path().join("my-shop/Cargo.toml")).expect("a manifest");
    assert!(
        manifest.contains("usher = \"3.1\"\n") && manifest.contains("usher-test = \"3.1\"\n"),
        "{manifest}"
    );
    let main = fs::read_to_string(folder.path().join("my-shop/src/main.rs")).expect("a program");
    assert!(main.contains("my_shop::project().run()"), "{main}");
    assert!(refused(new("other", &["--path", "acme"])).contains("isn't a copy of Usher's repository"));
    assert!(refused(usher(folder.path(), &["generate", "app", "a"])).contains("isn't inside a product"));
}

#[test]
fn nothing_is_overwritten_or_left_half_done() {
    let product = Product::new();
    product.generate("app tickets");
    let before = product.read("src/lib.rs");
    for (arguments, reason) in [
        ("app tickets", "src/tickets.rs already exists"),
        ("app fn", "it's a keyword of Rust"),
        ("job billing pay", "there is no app billing: this product has tickets"),
        (
            "job tickets pay amount:money",
            "there is neither a type nor a model money",
        ),
        ("model invoice subject", "a field is name:type"),
        (
            "model invoice subject:words",
            "there is neither a type nor a model words",
        ),
        ("model invoice version:integer", "every model has the field version"),
        ("model invoice order:integer", "it's a keyword of SQL"),
        ("model invoice subject:string subject:text", "is given twice"),
        ("model ticket subject:string", "add the model to it with --app tickets"),
        ("model invoice number:string --app billing", "there is no app billing"),
    ] {
        let text = product.refused(arguments);
        assert!(text.contains(reason), "{arguments}: {text}");
    }
    assert_eq!(product.read("src/lib.rs"), before);
    product.generate("migration tickets first");
    assert!(
        product
            .refused("migration tickets first")
            .contains("already has a migration first")
    );
}

#[test]
fn names_that_usher_or_the_code_has_are_refused() {
    let product = Product::new();
    product.generate("app tickets");
    for (arguments, reason) in [
        ("model session subject:string", "Usher has something of this name"),
        ("model ready subject:string", "Usher's API has a schema Ready"),
        ("model doc subject:string", "`docs` can't be the plural of a model"),
        ("model admin subject:string", "`admin` can't be the name of a model"),
        ("model usher subject:string", "the code around it has this name"),
        ("model invoice subject:string --plural order", "it's a keyword of SQL"),
        ("model invoice nothing:string", "it's a keyword of SQL"),
        ("model invoice xmin:integer", "it's a keyword of SQL"),
        ("model invoice state:enum(a,b,A)", "the word a is given twice"),
        ("model invoice state:enum(a_b,c)", "write a_b without the underscore"),
        ("model invoice sort:enum(a,b)", "lists have a parameter of this name"),
        ("model invoice out:enum(a,b)", "its type would be InvoiceOut"),
        ("model invoice a_1:string a1:string", "the same name in code"),
        ("job tickets prune", "Usher has a job of this kind"),
        ("job tickets job_context", "the code around it has this name"),
        ("app main", "`main` can't be the name of an app"),
    ] {
        let text = product.refused(arguments);
        assert!(text.contains(reason), "{arguments}: {text}");
    }
    product.generate("model entry state:enum(open,closed) --app tickets");
    product.generate("model state subject:string owner:user");
}

#[test]
fn a_place_that_is_not_found_is_left_to_the_person() {
    let product = Product::new();
    let lib =
        "pub fn project() -> usher::Project {\n    let project = usher::Project::new(\"acme\");\n    project\n}\n";
    fs::write(product.root().join("src/lib.rs"), lib).expect("a file");
    let text = product.generate("app tickets");
    assert!(text.contains("src/lib.rs: .app(tickets::app())"), "{text}");
    assert!(
        product
            .read("src/lib.rs")
            .starts_with("pub mod tickets;\n\npub fn project()")
    );
}
