//! The document that is served is the one that is kept in the repository.

use super::Managed;
use std::{env, fs, path::Path};

/// Set, it is written anew.
const WRITE: &str = "SANDERLING_WRITE_OPENAPI";

#[test]
fn m30_the_document_is_the_one_in_the_repository() {
    let managed = Managed::start::<sanderling_mio::Broker>();
    let answer = managed.api().get("/api/v1/openapi.json");
    assert_eq!(answer.json(200)["openapi"], "3.1.0");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/management/openapi.json");
    if env::var_os(WRITE).is_some() {
        fs::write(&file, &answer.body).unwrap();
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == answer.body,
        "plugins/management/openapi.json is not what is served: set {WRITE}=1 and run this test again"
    );
}
