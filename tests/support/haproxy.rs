//! A real HAProxy in front of several gateways: SMTP and the pages by TCP, as docs/scaling.md sets it up. It notices within a
//! second that a node is gone.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use super::gateway::{free_port, wait_for};

/// A running HAProxy; ended when dropped.
pub struct HaProxy {
    child: Child,
    _folder: tempfile::TempDir,
    /// Where clients send mail.
    pub smtp: SocketAddr,
    /// Where residents find the pages.
    pub web: SocketAddr,
}

/// Where a node listens.
#[derive(Clone, Copy, Debug)]
pub struct Backend {
    pub smtp: SocketAddr,
    pub web: SocketAddr,
    /// `/readyz`
    pub admin: SocketAddr,
}

impl HaProxy {
    /// In front of these, on this port for the pages. Nobody needs to listen yet.
    pub fn start(web: SocketAddr, nodes: &[Backend]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let smtp = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let servers = |of: fn(&Backend) -> SocketAddr| -> String {
            let server = |(number, node): (usize, &Backend)| {
                let (address, admin) = (of(node), node.admin);
                format!("  server node{number} {address} check port {}\n", admin.port())
            };
            nodes.iter().enumerate().map(server).collect()
        };
        let config = format!(
            "defaults\n  mode tcp\n  timeout connect 2s\n  timeout client 60s\n  timeout server 60s\n  retries 3\n  \
             option redispatch\n  option httpchk GET /readyz\n  default-server inter 300ms fall 2 rise 1 \
             on-marked-down shutdown-sessions\n\
             listen smtp\n  bind {smtp}\n{}listen web\n  bind {web}\n{}",
            servers(|node| node.smtp),
            servers(|node| node.web),
        );
        let file = folder.path().join("haproxy.cfg");
        fs::write(&file, config).unwrap();
        let mut haproxy = Command::new("haproxy");
        let child = haproxy.arg("-db").arg("-f").arg(&file).stdout(Stdio::null()).spawn();
        let haproxy = Self { child: child.expect("haproxy (Debian: haproxy)"), _folder: folder, smtp, web };
        wait_for("haproxy", || TcpStream::connect(haproxy.smtp).ok());
        haproxy
    }
}

impl Drop for HaProxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
