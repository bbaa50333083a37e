//! Properties of what reads requests, for the fuzz targets: each takes any bytes and panics when one does not hold.
//! They live here because the parsers are private to the API.

mod conditional;
mod json_body;

pub use crate::toolkit::list::fuzzing::list_query;
pub use conditional::conditional;
pub use json_body::json_body;

#[test]
fn every_seed_keeps_its_targets_properties() {
    type Target = fn(&[u8]);
    const TARGETS: [(&str, Target); 3] = [
        ("conditional", conditional),
        ("json_body", json_body),
        ("list_query", list_query),
    ];
    for (name, target) in TARGETS {
        let folder = format!("{}/../fuzz/seeds/{name}", env!("CARGO_MANIFEST_DIR"));
        for seed in std::fs::read_dir(folder).expect("seeds") {
            target(&std::fs::read(seed.expect("a seed").path()).expect("bytes"));
        }
    }
}
