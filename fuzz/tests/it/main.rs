//! The seeds, without a fuzzer: each keeps its target's properties.

use std::{collections::BTreeSet, fs, path::Path};

type Target = fn(&[u8]);

/// Those of the rooms' own parsers are replayed where those are.
const TARGETS: [(&str, Target); 8] = [
    ("admin_requests", usher_fuzz::admin_requests),
    ("api_requests", usher_fuzz::api_requests),
    ("codes", usher_fuzz::codes),
    ("csv", usher_fuzz::csv),
    ("email", usher_fuzz::email),
    ("forwarded", usher_fuzz::forwarded),
    ("password", usher_fuzz::password),
    ("token", usher_fuzz::token),
];

fn names(folder: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = fs::read_dir(&folder)
        .expect("a folder")
        .map(|file| file.expect("a file").path());
    files
        .filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned()))
        .collect()
}

#[test]
fn every_seed_keeps_its_targets_properties() {
    for (name, target) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
        for seed in fs::read_dir(folder).expect("seeds") {
            target(&fs::read(seed.expect("a seed").path()).expect("bytes"));
        }
    }
}

#[test]
fn every_target_has_seeds() {
    assert_eq!(names("targets"), names("seeds"));
}
