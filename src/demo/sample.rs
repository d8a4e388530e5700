//! The samples: a confidential mail of each municipality. They are sent to the gateway by SMTP, as a mail server would.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A mail to try the gateway with.
#[derive(Debug)]
pub struct Sample {
    /// The municipality that its sender works for.
    pub organisation: &'static str,
    /// The reverse path.
    pub from: &'static str,
    /// The forward path.
    pub to: &'static str,
    /// The file that the printed `curl` line sends.
    pub file: &'static str,
    /// The mail, with CRLF line ends and without a line that starts with a dot.
    pub mail: &'static [u8],
}

/// The first is of the municipality that the demo always has, the second of the one that comes with `--two`.
pub const SAMPLES: &[Sample] = &[
    Sample {
        organisation: "Gemeente Voorbeeld",
        from: "s.devries@voorbeeld.nl",
        to: "anna.bakker@example.org",
        file: "sample.eml",
        mail: include_bytes!("../../web/demo/sample.eml"),
    },
    Sample {
        organisation: "Gemeente Zuiderveen",
        from: "t.hoekstra@zuiderveen.nl",
        to: "jelle.dijkstra@example.org",
        file: "sample-zuiderveen.eml",
        mail: include_bytes!("../../web/demo/sample-zuiderveen.eml"),
    },
];

impl Sample {
    /// Sends it. An error holds the gateway's response.
    pub async fn send(&self, gateway: SocketAddr) -> io::Result<()> {
        let mut stream = BufReader::new(TcpStream::connect(gateway).await?);
        expect(&mut stream, "220").await?;
        for (command, answer) in [
            ("EHLO demo.localhost".to_owned(), "250"),
            (format!("MAIL FROM:<{}>", self.from), "250"),
            (format!("RCPT TO:<{}>", self.to), "250"),
            ("DATA".to_owned(), "354"),
        ] {
            stream.write_all(format!("{command}\r\n").as_bytes()).await?;
            expect(&mut stream, answer).await?;
        }
        stream.write_all(&[self.mail, b".\r\n"].concat()).await?;
        expect(&mut stream, "250").await?;
        stream.write_all(b"QUIT\r\n").await
    }
}

async fn expect(stream: &mut BufReader<TcpStream>, code: &str) -> io::Result<()> {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        if !line.starts_with(code) {
            return Err(io::Error::other(line.trim_end().to_owned()));
        }
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(());
        }
    }
}
