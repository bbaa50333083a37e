//! Entry points into the parsers of list queries, for the fuzz targets and a test.

use std::sync::LazyLock;

use usher_admin_engine::{Extension, Site, fuzzing::list_address};

use crate::apps;

/// A model's number, then the query of its list's address.
pub fn admin_list(data: &[u8]) {
    static SITE: LazyLock<Site> = LazyLock::new(|| apps::site(&Extension::new("product")).expect("Usher's own models"));
    list_address(&SITE, data);
}

#[test]
fn every_seed_keeps_its_targets_properties() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/seeds/admin_list");
    for seed in std::fs::read_dir(folder).expect("seeds") {
        admin_list(&std::fs::read(seed.expect("a seed").path()).expect("bytes"));
    }
}
