//! What is particular to this implementation; each test has a database of its own.

use super::*;
use crate::store::conformance::store_conformance;

#[path = "../../../tests/support/postgresql.rs"]
mod server;

use self::server::TestDatabase;

mod conformance {
    use super::*;
    store_conformance!(fresh().await);
}

async fn fresh() -> (Postgres, TestDatabase) {
    let database = TestDatabase::new();
    let settings = Database { url: database.url(), password_file: None, connections: 4 };
    let store = Postgres::new(&settings, FolderId::random()).unwrap();
    store.migrate().await.unwrap();
    (store, database)
}

#[tokio::test]
async fn nodes_that_start_at_once_make_the_tables_once() {
    let database = TestDatabase::new();
    let settings = Database { url: database.url(), password_file: None, connections: 4 };
    let nodes: Vec<_> = (0..5).map(|_| Postgres::new(&settings, FolderId::random()).unwrap()).collect();
    let steps = futures_util::future::join_all(nodes.iter().map(Postgres::migrate)).await;
    let mut steps: Vec<_> = steps.into_iter().map(Result::unwrap).collect();
    steps.sort_unstable();
    assert_eq!(steps, [0, 0, 0, 0, 1]);
}
