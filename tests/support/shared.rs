//! What several nodes share: a database, a bucket and a smarthost; and what one sees of the others.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use super::gateway::Site;
use super::postgresql::Server;
use super::s3;
use super::smarthost::{Script, Smarthost};

/// What nodes share.
pub struct Shared {
    pub database: Server,
    pub objects: s3::Double,
    pub smarthost: Smarthost,
}

impl Shared {
    pub fn new() -> Self {
        let database = Server::start(&["fsync=off"]);
        Self { database, objects: s3::Double::start(), smarthost: Smarthost::start(Script::usual()) }
    }

    /// A node without a key, whose blobs are below this prefix; its pages are at an address of its own.
    pub fn site_without_key(&self, prefix: &str) -> Site {
        let (url, endpoint) = (self.database.url("postgres"), self.objects.endpoint());
        let store = format!(
            "[store]\ndatabase = \"{url}\"\nblobs = \"s3://zegel/{prefix}\"\nendpoint = \"{endpoint}\"\n\
             credentials_file = \"credentials\"\n"
        );
        let site = Site::new(self.smarthost.address(), &store);
        let credentials = "[default]\naws_access_key_id = a\naws_secret_access_key = b\n";
        fs::write(site.config().with_file_name("credentials"), credentials).unwrap();
        site
    }
}

/// Puts a master key where nobody else reads it.
pub fn write_key(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// `zegel nodes --json`
pub fn nodes(site: &Site) -> Vec<Value> {
    let (status, list, error) = site.command(&["nodes", "--json"]);
    assert_eq!(status, 0, "{error}");
    serde_json::from_str(&list).unwrap()
}
