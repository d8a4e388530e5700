//! A real Firefox, driven over Marionette: the protocol that geckodriver speaks to it, and its commands are those of
//! WebDriver.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::gateway::{PATIENCE, free_port, wait_for};

/// A connection to a Firefox.
pub struct Marionette {
    stream: BufReader<TcpStream>,
    count: u64,
}

impl Marionette {
    /// Starts a headless Firefox with a new profile in this folder, and a session.
    pub fn start(folder: &Path, width: u32, height: u32) -> (Child, Self) {
        let (profile, port) = (folder.join("profile"), free_port());
        std::fs::create_dir_all(&profile).unwrap();
        std::fs::write(profile.join("user.js"), preferences(&folder.join("downloads"), port)).unwrap();
        let process = Command::new("firefox-esr")
            .args(["--headless", "--no-remote", "--marionette", "--width", &width.to_string()])
            .args(["--height", &height.to_string(), "--profile"])
            .arg(&profile)
            .env("HOME", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("firefox-esr (Debian)");
        let stream = wait_for("Firefox", || TcpStream::connect(("127.0.0.1", port)).ok());
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut marionette = Self { stream: BufReader::new(stream), count: 0 };
        let greeting = marionette.receive();
        assert_eq!(greeting["applicationType"], "gecko", "{greeting}");
        marionette.command("WebDriver:NewSession", json!({}));
        (process, marionette)
    }

    /// What WebDriver asks with this path.
    pub fn ask(&mut self, method: &str, path: &str, mut body: Value) -> Value {
        let steps: Vec<&str> = path.split('/').collect();
        let name = match (method, steps.as_slice()) {
            ("POST", ["url"]) => "Navigate",
            ("GET", ["url"]) => "GetCurrentURL",
            ("POST", ["elements"]) => "FindElements",
            ("POST", ["frame"]) => "SwitchToFrame",
            ("POST", ["print"]) => "Print",
            ("POST", ["cookie"]) => "AddCookie",
            ("POST", ["execute", "sync"]) => "ExecuteScript",
            ("POST", ["element", _, "click"]) => "ElementClick",
            ("POST", ["element", _, "value"]) => "ElementSendKeys",
            ("GET", ["element", _, "text"]) => "GetElementText",
            ("GET", ["element", _, "property", name]) => {
                body["name"] = json!(name);
                "GetElementProperty"
            }
            _ => panic!("{method} {path} is not spoken here"),
        };
        if let ["element", id, ..] = steps.as_slice() {
            body["id"] = json!(id);
        }
        let answer = self.command(&format!("WebDriver:{name}"), body);
        answer.get("value").cloned().unwrap_or(answer)
    }

    fn command(&mut self, name: &str, parameters: Value) -> Value {
        self.count += 1;
        let text = json!([0, self.count, name, parameters]).to_string();
        write!(self.stream.get_mut(), "{}:{text}", text.len()).unwrap();
        let answer = self.receive();
        assert_eq!((&answer[0], &answer[1]), (&json!(1), &json!(self.count)), "{answer}");
        assert!(answer[2].is_null(), "{name}: {}", answer[2]);
        answer[3].clone()
    }

    /// A message is its length, a colon, and JSON.
    fn receive(&mut self) -> Value {
        let mut length = Vec::new();
        self.stream.read_until(b':', &mut length).unwrap();
        let length = std::str::from_utf8(&length).unwrap().trim_end_matches(':').parse().unwrap();
        let mut message = vec![0; length];
        self.stream.read_exact(&mut message).unwrap();
        serde_json::from_slice(&message).unwrap()
    }
}

/// Nothing is asked of anybody, and downloads are saved without a question.
fn preferences(downloads: &Path, port: u16) -> String {
    let downloads = downloads.display().to_string();
    let preferences = [
        ("marionette.port", json!(port)),
        ("browser.download.dir", json!(downloads)),
        ("browser.download.folderList", json!(2)),
        ("browser.download.useDownloadDir", json!(true)),
        ("browser.shell.checkDefaultBrowser", json!(false)),
        ("browser.startup.page", json!(0)),
        ("browser.aboutwelcome.enabled", json!(false)),
        ("datareporting.policy.dataSubmissionEnabled", json!(false)),
        ("toolkit.telemetry.reportingpolicy.firstRun", json!(false)),
        ("app.update.enabled", json!(false)),
        ("network.captive-portal-service.enabled", json!(false)),
        ("network.connectivity-service.enabled", json!(false)),
        ("services.settings.server", json!("data:,#remote-settings-dummy/v1")),
    ];
    preferences.iter().map(|(name, value)| format!("user_pref(\"{name}\", {value});\n")).collect()
}
