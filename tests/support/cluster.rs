//! Several gateways on one PostgreSQL and one S3 store, HAProxy in front of them.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;

use super::gateway::{Gateway, Site, free_port, wait_for};
use super::haproxy::{Backend, HaProxy};
use super::postgresql::Server;
use super::radosgw::{BUCKET, KEY_ID, Radosgw, SECRET};
use super::s3::Line;

/// The name of the database.
pub const DATABASE: &str = "zegel";

/// What all nodes share, and where each of them listens.
pub struct Cluster {
    /// Rows.
    pub database: Server,
    /// The way to the blobs.
    pub objects: Line,
    _service: Service,
    /// In front of all nodes.
    pub balancer: HaProxy,
    sites: Vec<Site>,
}

/// An S3 service, and the file with the key to it.
pub struct Service {
    pub radosgw: Radosgw,
    credentials: tempfile::NamedTempFile,
}

impl Service {
    pub fn start() -> Self {
        let mut credentials = tempfile::NamedTempFile::new().unwrap();
        let text = format!("[default]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n");
        credentials.write_all(text.as_bytes()).unwrap();
        Self { radosgw: Radosgw::start(), credentials }
    }

    /// Keys of `[store]` and their values: this service at this address, and a database.
    pub fn settings(&self, database: &str, endpoint: &str) -> [(&'static str, String); 4] {
        [
            ("database", database.to_owned()),
            ("blobs", format!("s3://{BUCKET}")),
            ("endpoint", endpoint.to_owned()),
            ("credentials_file", self.credentials.path().display().to_string()),
        ]
    }
}

impl Cluster {
    /// For so many nodes, none of which runs yet; `extra` is added to the configuration of each.
    pub fn new(nodes: usize, smarthost: SocketAddr, extra: &str) -> Self {
        let database = Server::start(&["max_connections=200", "shared_buffers=128MB"]);
        database.sql("postgres", &format!("CREATE DATABASE {DATABASE}"));
        let service = Service::start();
        let objects = Line::to(service.radosgw.port);
        let published = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let key: [u8; 32] = std::array::from_fn(|place| place as u8);
        let store = service.settings(&database.url(DATABASE), &format!("http://127.0.0.1:{}", objects.port));
        let store: String = store.iter().map(|(key, value)| format!("{key} = {value:?}\n")).collect();
        let store = format!("{extra}\n[store]\n{store}");
        let mut backends = Vec::new();
        let sites: Vec<_> = (0..nodes)
            .map(|_| {
                let site = Site::new(smarthost, &store);
                let [smtp, web, admin] = site.listen_at_fixed_ports();
                backends.push(Backend { smtp, web, admin });
                site.publish_at(&format!("http://{published}"));
                fs::create_dir_all(site.data()).unwrap();
                let path = site.data().join("master.key");
                fs::write(&path, key).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
                site
            })
            .collect();
        let balancer = HaProxy::start(published, &backends);
        Self { database, objects, _service: service, balancer, sites }
    }

    /// Configuration and folder of a node.
    pub fn site(&self, node: usize) -> &Site {
        &self.sites[node]
    }

    /// Starts one node.
    pub fn start(&self, node: usize) -> Gateway {
        self.sites[node].start()
    }

    /// Starts all of them.
    pub fn start_all(&self) -> Vec<Gateway> {
        (0..self.sites.len()).map(|node| self.start(node)).collect()
    }

    /// Lets every node find the primary among the two.
    pub fn use_either(&self, standby: &Server) {
        for site in &self.sites {
            let config = fs::read_to_string(site.config()).unwrap();
            let one = format!("127.0.0.1:{}/", self.database.port);
            let both = format!("127.0.0.1:{},127.0.0.1:{}/", self.database.port, standby.port);
            fs::write(site.config(), config.replace(&one, &both)).unwrap();
        }
    }

    /// Has a node reach the database over a line of its own.
    pub fn line_to_database(&self, node: usize) -> Line {
        let line = Line::to(self.database.port);
        let site = &self.sites[node];
        let config = fs::read_to_string(site.config()).unwrap();
        let direct = format!("127.0.0.1:{}/", self.database.port);
        assert!(config.contains(&direct), "{config}");
        fs::write(site.config(), config.replace(&direct, &format!("127.0.0.1:{}/", line.port))).unwrap();
        line
    }

    /// Whether mail may come to this node.
    pub fn is_ready(gateway: &Gateway) -> bool {
        ureq::get(format!("http://{}/readyz", gateway.admin)).call().is_ok()
    }

    /// Runs a query, and gives its one value.
    pub fn count(&self, query: &str) -> u64 {
        self.database.sql(DATABASE, query).trim().parse().unwrap()
    }

    /// Waits until the queue is empty, as an administrator sees it from this node's configuration.
    pub fn drain(&self, node: usize) {
        wait_for("an empty queue", || {
            let is_empty = |site: &Site| {
                let (status, list, _) = site.command(&["queue", "list", "--json"]);
                status == 0 && list.trim() == "[]"
            };
            // What a node keeps itself is seen from its own configuration alone.
            let mut with_journals =
                self.sites.iter().filter(|site| site.data().join("node/journal").exists());
            if is_empty(&self.sites[node]) && with_journals.all(is_empty) {
                return Some(());
            }
            self.sites[node].command(&["queue", "retry", "--all"]);
            None
        });
    }
}
