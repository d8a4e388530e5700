//! Small blobs as rows, in front of a store of large ones.

use std::io::Write;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::clock::Clock;
use crate::id::BlobName;
use crate::store::conformance::blobs_conformance;
use crate::store::files::LocalBlobs;
use crate::store::{BlobIndex, Blobs, all_names};

const LIMIT: usize = 32 * 1024;

/// Everything that is behind the blobs.
struct Behind {
    runtime: Runtime,
    rows: Postgres,
    large: Arc<LocalBlobs>,
    database: TestDatabase,
    _folder: TempDir,
}

fn open() -> (SmallBlobs, Behind) {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (rows, database) = runtime.block_on(fresh());
    let folder = tempfile::tempdir().unwrap();
    let large = Arc::new(LocalBlobs::open(folder.path()).unwrap());
    let blobs = SmallBlobs::new(rows.clone(), large.clone(), Clock::system(), runtime.handle().clone());
    (blobs, Behind { runtime, rows, large, database, _folder: folder })
}

blobs_conformance!(open());

fn write(blobs: &SmallBlobs, length: usize) -> BlobName {
    let mut writer = blobs.create().unwrap();
    for piece in vec![7; length].chunks(1000) {
        writer.write_all(piece).unwrap();
    }
    writer.commit().unwrap()
}

#[test]
fn only_what_is_small_is_a_row() {
    let (blobs, behind) = open();
    let names = [write(&blobs, 0), write(&blobs, LIMIT), write(&blobs, LIMIT + 1)];
    assert_eq!(behind.database.sql("SELECT count(*) FROM small_blobs"), "2");
    assert_eq!(all_names(behind.large.as_ref()).unwrap(), names[2..]);
    let sizes = names.each_ref().map(|name| blobs.look(name).unwrap().unwrap().size);
    assert_eq!(sizes, [0, LIMIT as u64, LIMIT as u64 + 1]);
}

/// A gateway that dies between a blob and its row leaves nothing for ever.
#[test]
fn a_small_blob_has_an_intent_until_a_row_names_it() {
    let (blobs, behind) = open();
    let name = write(&blobs, 10);
    assert_eq!(behind.database.sql("SELECT blob FROM intents"), name.as_str());
    let mut writer = blobs.create().unwrap();
    writer.write_all(b"never settled").unwrap();
    let unsettled = writer.close().unwrap();
    blobs.remove(&unsettled).unwrap();
    assert_eq!(all_names(&blobs).unwrap(), std::slice::from_ref(&name));
    // As a retention that comes a day later does.
    let given_up = behind.runtime.block_on(behind.rows.write(|change| {
        async move {
            crate::store::postgresql::blobs::give_up_intents(&change.db, crate::clock::Timestamp::MAX, 10)
                .await
        }
        .boxed()
    }));
    assert_eq!(given_up.unwrap(), std::slice::from_ref(&name));
    let doomed = behind.runtime.block_on(behind.rows.pending_deletion(10)).unwrap();
    assert_eq!(doomed, std::slice::from_ref(&name));
    blobs.remove(&name).unwrap();
    assert!(all_names(&blobs).unwrap().is_empty());
}

/// A move that was cut off begins again with what is there.
#[test]
fn a_blob_that_comes_under_its_name_takes_the_place_of_an_earlier_one() {
    let (blobs, behind) = open();
    let name = BlobName::random();
    for content in [&b"half"[..], b"the whole"] {
        let mut writer = blobs.create_as(&name).unwrap();
        writer.write_all(content).unwrap();
        assert_eq!(writer.commit().unwrap(), name);
    }
    assert_eq!(blobs.look(&name).unwrap().unwrap().size, 9);
    assert_eq!(behind.database.sql("SELECT count(*) FROM intents"), "0");
}
