//! A real Chromium, driven over WebDriver (W3C) by Debian's chromedriver; and a real Firefox, by the same commands.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use serde_json::{Value, json};

use super::firefox::Marionette;
use super::gateway::{free_port, wait_for};

/// One browser window with a profile and a download folder of its own; closed when dropped.
pub struct Browser {
    driver: Child,
    remote: Remote,
    folder: tempfile::TempDir,
}

/// How it is told what to do.
enum Remote {
    /// The address of the session.
    WebDriver(String),
    Marionette(Mutex<Marionette>),
}

/// Chromium's windows are never narrower.
const NARROWEST: u32 = 500;

/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

impl Browser {
    /// Starts chromedriver and a headless window of this size.
    pub fn open(width: u32, height: u32, scripts: bool) -> Self {
        Self::open_chromium(width, height, scripts, true)
    }

    /// The same for a browser that keeps no cookies.
    pub fn open_without_cookies(width: u32, height: u32) -> Self {
        Self::open_chromium(width, height, true, false)
    }

    fn open_chromium(width: u32, height: u32, scripts: bool, cookies: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver (Debian: chromium-driver)");
        let base = format!("http://127.0.0.1:{port}");
        wait_for("chromedriver", || ureq::get(format!("{base}/status")).call().ok());
        let mut browser = Self { driver, remote: Remote::WebDriver(String::new()), folder };
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": {"performance": "ALL"},
            "goog:chromeOptions": {
                "args": [
                    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                    "--disable-background-networking", "--disable-component-update", "--disable-sync",
                    format!("--window-size={width},{height}"),
                    format!("--user-data-dir={}", browser.folder.path().join("profile").display()),
                ],
                "perfLoggingPrefs": {"enableNetwork": true, "enablePage": true},
                "prefs": {
                    "download.default_directory": browser.downloads(),
                    "profile.managed_default_content_settings.javascript": if scripts { 1 } else { 2 },
                    "profile.managed_default_content_settings.cookies": if cookies { 1 } else { 2 },
                },
            },
        }}});
        let answer = call("POST", &format!("{base}/session"), Some(capabilities));
        browser.remote =
            Remote::WebDriver(format!("{base}/session/{}", answer["sessionId"].as_str().unwrap()));
        if width < NARROWEST {
            browser.be_a_telephone(width, height);
        }
        browser
    }

    /// Starts a headless Firefox of this size.
    pub fn open_firefox(width: u32, height: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (driver, marionette) = Marionette::start(folder.path(), width, height);
        Self { driver, remote: Remote::Marionette(Mutex::new(marionette)), folder }
    }

    /// No window gets as narrow as a telephone; the page in it does.
    fn be_a_telephone(&self, width: u32, height: u32) {
        let screen = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": true});
        let touch = json!({"enabled": true});
        for (command, parameters) in
            [("Emulation.setDeviceMetricsOverride", screen), ("Emulation.setTouchEmulationEnabled", touch)]
        {
            self.devtools(command, parameters);
        }
    }

    /// Where downloads land.
    fn downloads(&self) -> PathBuf {
        self.folder.path().join("downloads")
    }

    /// Waits for a finished download whose name ends so, and reads it. While it comes in, an empty file holds its name.
    pub fn downloaded(&self, end: &str) -> Vec<u8> {
        wait_for(&format!("download of {end}"), || {
            let entries = std::fs::read_dir(self.downloads()).ok()?;
            let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
            let name = names.into_iter().find(|name| name.ends_with(end))?;
            std::fs::read(self.downloads().join(name)).ok().filter(|octets| !octets.is_empty())
        })
    }

    /// Goes to an address.
    pub fn goto(&self, url: &str) {
        self.post("url", json!({ "url": url }));
    }

    /// Where the browser is.
    pub fn url(&self) -> String {
        self.get("url").as_str().unwrap().to_owned()
    }

    /// Waits until the browser is at an address: a click may return before it has got there.
    pub fn wait_for_url(&self, url: &str) {
        wait_for(&format!("{url}, not {}", self.url()), || (self.url() == url).then_some(()));
    }

    /// The visible text of the first element that fits a CSS selector, once it is there.
    pub fn text(&self, selector: &str) -> String {
        let element = self.find(selector);
        self.get(&format!("element/{element}/text")).as_str().unwrap().to_owned()
    }

    /// A property of an element, as scripts see it.
    pub fn property(&self, selector: &str, name: &str) -> Value {
        let element = self.find(selector);
        self.get(&format!("element/{element}/property/{name}"))
    }

    /// Whether anything fits.
    pub fn has(&self, selector: &str) -> bool {
        let found = self.post("elements", json!({"using": "css selector", "value": selector}));
        found.as_array().is_some_and(|elements| !elements.is_empty())
    }

    /// Clicks an element, once it is there.
    pub fn click(&self, selector: &str) {
        let element = self.find(selector);
        self.post(&format!("element/{element}/click"), json!({}));
    }

    /// Types into an element.
    pub fn type_into(&self, selector: &str, text: &str) {
        let element = self.find(selector);
        self.post(&format!("element/{element}/value"), json!({ "text": text }));
    }

    /// Pastes into an element what was copied elsewhere.
    pub fn paste_into(&self, selector: &str, text: &str) {
        let beside = "const area = document.createElement('textarea'); area.id = 'elsewhere'; document.body.append(area); area.value =";
        self.script(&format!("{beside} {}", json!(text)));
        // With Control held: all of it, copied.
        self.type_into("#elsewhere", "\u{e009}ac");
        self.script("document.getElementById('elsewhere').remove()");
        self.type_into(selector, "\u{e009}v");
    }

    /// Looks into a frame until [`Browser::leave_frame`].
    pub fn enter_frame(&self, selector: &str) {
        let element = self.find(selector);
        self.post("frame", json!({"id": {ELEMENT: element}}));
    }

    /// Back to the page.
    pub fn leave_frame(&self) {
        self.post("frame", json!({ "id": null }));
    }

    /// Runs a script as the page would.
    pub fn script(&self, script: &str) -> Value {
        self.post("execute/sync", json!({"script": script, "args": []}))
    }

    /// What happened since the last look, as the DevTools protocol names it: the method and its parameters.
    pub fn events(&self) -> Vec<(String, Value)> {
        let log = self.post("se/log", json!({"type": "performance"}));
        let entries = log.as_array().unwrap().iter();
        let messages = entries.map(|entry| serde_json::from_str(entry["message"].as_str().unwrap()).unwrap());
        let event = |message: Value| {
            let event = &message["message"];
            (event["method"].as_str().unwrap().to_owned(), event["params"].clone())
        };
        messages.map(event).collect()
    }

    /// Loads the page once more.
    pub fn reload(&self) {
        self.post("refresh", json!({}));
    }

    /// The window that is looked at.
    pub fn window(&self) -> String {
        self.get("window").as_str().unwrap().to_owned()
    }

    /// Opens another one beside it, and looks at that.
    pub fn open_window(&self) {
        let opened = self.post("window/new", json!({"type": "tab"}));
        self.switch_to(opened["handle"].as_str().unwrap());
    }

    /// Looks at another window.
    pub fn switch_to(&self, window: &str) {
        self.post("window", json!({ "handle": window }));
    }

    /// Takes the connection away, or gives it back.
    pub fn offline(&self, is_offline: bool) {
        let none =
            json!({"offline": is_offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
        self.devtools("Network.emulateNetworkConditions", none);
    }

    /// Asks pages for `light` or `dark` colours from now on.
    pub fn prefer(&self, scheme: &str) {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", features);
    }

    /// Drops files and folders onto an element, as a mouse does.
    pub fn drop_files(&self, selector: &str, paths: &[&Path]) {
        let middle = self.script(&format!(
            "const e = document.querySelector('{selector}'); e.scrollIntoView({{block: 'center'}});
             const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]"
        ));
        let data = json!({"items": [], "files": paths, "dragOperationsMask": 1});
        for step in ["dragEnter", "dragOver", "drop"] {
            let event = json!({"type": step, "x": middle[0], "y": middle[1], "data": data});
            self.devtools("Input.dispatchDragEvent", event);
        }
    }

    fn devtools(&self, command: &str, parameters: Value) {
        self.post("goog/cdp/execute", json!({"cmd": command, "params": parameters}));
    }

    /// How many windows there are by now.
    pub fn windows(&self) -> usize {
        self.get("window/handles").as_array().unwrap().len()
    }

    /// Gives the browser a cookie of the page that it is at.
    pub fn set_cookie(&self, name: &str, value: &str) {
        self.post("cookie", json!({"cookie": {"name": name, "value": value}}));
    }

    /// A picture of the window, for people.
    pub fn screenshot(&self, path: &Path) {
        std::fs::write(path, bytes_of(&self.get("screenshot"))).unwrap();
    }

    /// What "Print" in the browser makes of the page: a PDF.
    pub fn print(&self) -> Vec<u8> {
        bytes_of(&self.post("print", json!({"background": true})))
    }

    fn find(&self, selector: &str) -> String {
        wait_for(&format!("element {selector}"), || {
            let found = self.post("elements", json!({"using": "css selector", "value": selector}));
            found.get(0).map(|element| element[ELEMENT].as_str().unwrap().to_owned())
        })
    }

    fn get(&self, path: &str) -> Value {
        match &self.remote {
            Remote::WebDriver(session) => call("GET", &format!("{session}/{path}"), None),
            Remote::Marionette(marionette) => marionette.lock().unwrap().ask("GET", path, json!({})),
        }
    }

    fn post(&self, path: &str, body: Value) -> Value {
        match &self.remote {
            Remote::WebDriver(session) => call("POST", &format!("{session}/{path}"), Some(body)),
            Remote::Marionette(marionette) => marionette.lock().unwrap().ask("POST", path, body),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Remote::WebDriver(session) = &self.remote {
            let _ = ureq::delete(session).call();
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// What WebDriver gives in base64.
fn bytes_of(value: &Value) -> Vec<u8> {
    mail_parser::decoders::base64::base64_decode(value.as_str().unwrap().as_bytes()).unwrap()
}

fn call(method: &str, url: &str, body: Option<Value>) -> Value {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let response = match body {
        Some(body) => agent.post(url).content_type("application/json").send(body.to_string()),
        None => agent.get(url).call(),
    };
    let text = response.unwrap().body_mut().with_config().limit(64 << 20).read_to_string().unwrap();
    let answer: Value = serde_json::from_str(&text).unwrap();
    let value = answer["value"].clone();
    assert!(value["error"].is_null(), "{method} {url}: {value}");
    value
}
