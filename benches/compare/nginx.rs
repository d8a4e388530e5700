//! nginx with a configuration, a folder of files and ports of its own, ended with the value that stands for it.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::measure::Group;
use crate::support::gateway::{free_port, wait_for};

/// The one cipher of all downloads: what zegel prefers.
pub const CIPHER: &str = "TLS_AES_256_GCM_SHA384";

/// A running nginx.
pub struct Nginx {
    process: Child,
    folder: tempfile::TempDir,
    /// CPU time of master and workers.
    pub group: Group,
    pub plain: SocketAddr,
    pub tls: SocketAddr,
}

impl Nginx {
    /// Serves files over HTTP, and with this certificate and key over TLS 1.3; takes them in under `/upload`.
    pub fn start(certificate: &Path, key: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().display();
        fs::create_dir(folder.path().join("www")).expect("a folder");
        let (plain, tls) = (free_port(), free_port());
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {path}/{name};\n"))
            .concat();
        let config = format!(
            "user root;\nworker_processes auto;\ndaemon off;\npid {path}/pid;\nerror_log {path}/error.log;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\n{temporary}access_log off;\nsendfile on;\nkeepalive_requests 1000000000;\n\
             types {{ text/html html; }}\n\
             server {{ listen 127.0.0.1:{plain}; root {path}/www; }}\n\
             server {{ listen 127.0.0.1:{tls} ssl; root {path}/www; ssl_protocols TLSv1.3;\n\
             ssl_conf_command Ciphersuites {CIPHER};\n\
             ssl_certificate {}; ssl_certificate_key {};\n\
             location /upload {{ dav_methods PUT; create_full_put_path on; client_max_body_size 0; }} }}\n}}\n",
            certificate.display(),
            key.display()
        );
        fs::write(folder.path().join("nginx.conf"), config).expect("a configuration");
        let process = Command::new("/usr/sbin/nginx")
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(folder.path().join("nginx.conf"))
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx (Debian: nginx)");
        let [plain, tls] = [plain, tls].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        wait_for("nginx", || TcpStream::connect(tls).ok());
        let group = Group::of(&[process.id()]);
        Self { group, plain, tls, folder, process }
    }

    /// Has this to give under `name`.
    pub fn put(&self, name: &str, octets: &[u8]) {
        fs::write(self.folder.path().join("www").join(name), octets).expect("a file");
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master ends its workers; killed, it could not.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}
