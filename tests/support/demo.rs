//! `zegel demo`: gateway, pages and mailbox in one process.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::gateway::{wait_for, zegel};
use super::mail::Notice;
use super::smarthost::Taken;
use super::web::{self, Answer};

/// The demo while it runs; ended with SIGTERM.
pub struct Demo {
    child: Child,
    temporary: tempfile::TempDir,
    pub smtp: SocketAddr,
    /// Where the pages of each organisation are.
    pub web: Vec<String>,
    pub mailbox: String,
    /// The lines to paste, in words.
    pub lines: Vec<Vec<String>>,
    /// What it prints after that.
    more: Box<dyn Iterator<Item = String>>,
}

impl Demo {
    /// Starts it at any ports.
    pub fn start(more: &[&str]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let any = "127.0.0.1:0";
        let mut child = zegel()
            .args(["demo", "--smtp", any, "--web", any, "--mailbox", any])
            .args(more)
            .env("TMPDIR", temporary.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // The addresses come first, and its log is elsewhere: a pipe holds nothing but what the demo has to say.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut after = |label: &str| {
            let line = lines.next().unwrap();
            let rest = line.strip_prefix(label).map(|rest| rest.trim().to_owned());
            rest.unwrap_or_else(|| panic!("{line:?} where {label:?} should be"))
        };
        let organisations = if more.contains(&"--two") { 2 } else { 1 };
        let smtp = after("SMTP ");
        let web = (0..organisations).map(|_| after("web ")).collect();
        let mailbox = after("mailbox ");
        assert_eq!(after(""), "");
        after("Send a confidential sample");
        let lines_to_paste =
            (0..organisations).map(|_| after("curl ").split(' ').map(str::to_owned).collect()).collect();
        let more = Box::new(lines);
        Self { child, temporary, smtp: smtp.parse().unwrap(), web, mailbox, lines: lines_to_paste, more }
    }

    /// Presses a button of the mailbox, counted from 0.
    pub fn send_sample(&self, number: usize) -> Answer {
        web::send("POST", &format!("{}/sample?number={number}", self.mailbox), &[], None)
    }

    /// `GET /api/messages`
    pub fn messages(&self) -> Vec<Value> {
        let answer = web::get(&format!("{}/api/messages", self.mailbox));
        assert_eq!((answer.status, answer.field("content-type")), (200, "application/json"));
        serde_json::from_slice(&answer.body).unwrap()
    }

    pub fn wait_for_messages(&self, count: usize) -> Vec<Value> {
        wait_for("mails in the mailbox", || Some(self.messages()).filter(|found| found.len() == count))
    }

    /// `GET /api/messages/{id}/raw`
    pub fn raw(&self, message: &Value) -> Vec<u8> {
        let answer = web::get(&format!("{}/api/messages/{}/raw", self.mailbox, message["id"]));
        assert_eq!(answer.status, 200);
        answer.body
    }

    /// A mail that the gateway wrote.
    pub fn notice(&self, message: &Value) -> Notice {
        let recipients = message["to"].as_array().unwrap();
        let commands = recipients.iter().map(|to| format!("RCPT TO:<{}>", to.as_str().unwrap()));
        Notice::of(&Taken {
            connection: 1,
            mail: String::new(),
            recipients: commands.collect(),
            message: self.raw(message),
            encrypted: false,
            bdat: false,
        })
    }

    /// The folder in which it makes its own, where none is given.
    pub fn temporary(&self) -> &Path {
        self.temporary.path()
    }

    /// Ends it; gives its status and that folder.
    pub fn stop(mut self) -> (i32, tempfile::TempDir) {
        let sent = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
        let status = self.child.wait().unwrap().code().unwrap();
        assert_eq!(self.more.next(), None, "the log is not on standard output");
        (status, std::mem::replace(&mut self.temporary, tempfile::tempdir().unwrap()))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
