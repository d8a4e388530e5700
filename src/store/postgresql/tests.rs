//! What is particular to this implementation; each test has a database of its own.

mod queue;

use futures_util::FutureExt;

use super::*;
use crate::store::conformance::store_conformance;

#[path = "../../../tests/support/place.rs"]
pub(crate) mod place;
#[path = "../../../tests/support/postgresql.rs"]
pub(crate) mod server;

mod answers;

pub(crate) use self::server::TestDatabase;

mod journal;
mod kept;
mod keys;
mod links;
mod nodes;
pub(crate) mod objects;
mod plans;
mod sealed;
mod small_blobs;

mod conformance {
    use super::*;
    store_conformance!(fresh().await);
}

async fn fresh() -> (Postgres, TestDatabase) {
    let (store, database) = empty();
    store.migrate().await.unwrap();
    (store, database)
}

/// A node on a database that has no tables yet.
pub(crate) fn empty() -> (Postgres, TestDatabase) {
    let database = TestDatabase::new();
    (node(&database), database)
}

/// One more node on a database.
fn node(database: &TestDatabase) -> Postgres {
    let settings = Database { url: database.url(), password_file: None, connections: 4 };
    Postgres::new(&settings, FolderId::random()).unwrap()
}

#[tokio::test]
async fn nodes_that_start_at_once_make_the_tables_once() {
    let database = TestDatabase::new();
    let nodes: Vec<_> = (0..5).map(|_| node(&database)).collect();
    let steps = futures_util::future::join_all(nodes.iter().map(Postgres::migrate)).await;
    let mut steps: Vec<_> = steps.into_iter().map(Result::unwrap).collect();
    steps.sort_unstable();
    assert_eq!(steps, [0, 0, 0, 0, migrate::MIGRATIONS.len() as u32]);
}

/// C02: whatever the server's default is. `psql` has it as it is set for the database.
#[tokio::test]
async fn a_commit_is_durable_where_the_server_says_otherwise() {
    let (_, database) = empty();
    let name = database.sql("SELECT current_database()");
    for (default, found) in [("off", "on"), ("local", "on"), ("remote_apply", "remote_apply")] {
        database.sql(&format!("ALTER DATABASE {name} SET synchronous_commit = {default}"));
        let store = node(&database);
        let row = store
            .read(|db| async move { db.one("SHOW synchronous_commit", &[]).await }.boxed())
            .await
            .unwrap();
        assert_eq!(row.get::<_, String>(0), found, "{default}");
    }
}
