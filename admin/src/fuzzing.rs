//! Properties of what reads addresses, for the fuzz targets: each takes any bytes and panics when one does not hold.
//! Here rather than there, because the parsers are nobody's but the admin's.

pub use crate::engine::fuzzing::admin_list;

#[test]
fn every_seed_keeps_its_targets_properties() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/seeds/admin_list");
    for seed in std::fs::read_dir(folder).expect("seeds") {
        admin_list(&std::fs::read(seed.expect("a seed").path()).expect("bytes"));
    }
}
