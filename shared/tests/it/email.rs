//! The email rules against a public corpus: what can be mailed passes, the rest does not.

use serde::Deserialize;
use usher_shared::foundation::rules::{Email, EmailPolicy};

/// The test set with Usher's decisions; its source and licence are in the file.
const CORPUS: &str = include_str!("../data/isemail.json");

#[derive(Deserialize)]
struct Corpus {
    groups: Vec<Group>,
}

/// All addresses with one diagnosis.
#[derive(Deserialize)]
struct Group {
    diagnosis: String,
    accepted: bool,
    why: String,
    addresses: Vec<String>,
    /// Those that Usher decides the other way.
    #[serde(default)]
    otherwise: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    address: String,
    why: String,
}

#[test]
fn a_public_corpus_is_decided_as_it_says() {
    let corpus: Corpus = serde_json::from_str(CORPUS).unwrap();
    let (mut decided, mut wrong) = (0, vec![]);
    for group in &corpus.groups {
        let usual = group
            .addresses
            .iter()
            .map(|address| (address, group.accepted, &group.why));
        let other = group
            .otherwise
            .iter()
            .map(|one| (&one.address, !group.accepted, &one.why));
        for (address, accepted, why) in usual.chain(other) {
            decided += 1;
            let parsed = Email::parse(address, EmailPolicy::default());
            if parsed.is_ok() != accepted {
                wrong.push(format!(
                    "{address:?} ({}, accepted: {accepted}, {why}): {parsed:?}",
                    group.diagnosis
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(decided, 187, "a case of the corpus is missing");
}
