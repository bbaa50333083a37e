//! `docs/quick-start.md`, line by line, in a shell.

use std::{path::Path, process::Command, time::Duration};

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use usher_shared::foundation::{
    db::{PoolOptions, connect},
    entity::mail,
};
use usher_testkit::{Folder, Program, eventually, free_port, run};

/// Where the reader copies something out of the mail.
const FROM_THE_MAIL: &str = "TOKEN=umt_…";

#[test]
fn every_line_of_the_quick_start_works() {
    run(async {
        let folder = Folder::new();
        let (api, admin) = (
            format!("127.0.0.1:{}", free_port()),
            format!("127.0.0.1:{}", free_port()),
        );
        let usher = Program::named("usher").env("API_ADDR", &api).env("ADMIN_ADDR", &admin);
        let running = usher.ready_at(&api).start(&folder).await;

        let lines = lines().replace("127.0.0.1:8000", &api);
        let (before, after) = lines.split_once(FROM_THE_MAIL).expect("a token is copied");
        let signed_up = shell(before);
        assert!(signed_up.contains("HTTP/1.1 202"), "{signed_up}");

        let token = eventually(Duration::from_secs(10), "the mail is there", async || {
            mailed_token(&folder).await
        })
        .await;
        let output = shell(&format!("API=http://{api}\nTOKEN={token}{after}"));
        let statuses: Vec<&str> = output.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
        assert_eq!(statuses, ["204", "200", "204", "401"], "{output}");
        assert!(
            output.contains(r#""email":"ada@example.com""#) && output.contains(r#""current":true"#),
            "{output}"
        );
        assert_eq!(running.terminate().await, 0);
    });
}

/// The commands of the document, in order.
fn lines() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/quick-start.md");
    let text = std::fs::read_to_string(path).expect("the document");
    let blocks = text.split("```sh\n").skip(1);
    let commands = blocks.map(|block| block.split("```").next().unwrap_or_default());
    commands.collect::<Vec<_>>().join("\n")
}

fn shell(script: &str) -> String {
    let output = Command::new("bash").args(["-euc", script]).output().expect("bash");
    let (text, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{script}\n{text}\n{errors}");
    text.into_owned()
}

/// What stands behind `token=` in the mail that confirms the address.
async fn mailed_token(folder: &Folder) -> Option<String> {
    let url = format!("sqlite://{}", folder.join("data/usher.db"));
    let db = connect(&url, &PoolOptions::default()).await.ok()?;
    let mails = mail::Entity::find().filter(mail::Column::Kind.eq("verify_email"));
    let mail = mails.one(&db).await.ok()??.text_body?;
    let (_, rest) = mail.split_once("token=")?;
    Some(
        rest.chars()
            .take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_')
            .collect(),
    )
}
