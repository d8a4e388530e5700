//! The sample: a confidential mail with a letter and a picture. It is sent to the gateway by SMTP, as a mail server would.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// The mail, with CRLF line ends and without a line that starts with a dot.
pub const MAIL: &[u8] = include_bytes!("../../web/demo/sample.eml");
/// The reverse path of the sample.
pub const FROM: &str = "s.devries@voorbeeld.nl";
/// The forward path of the sample.
pub const TO: &str = "anna.bakker@example.org";

/// Sends the sample. An error holds the gateway's response.
pub async fn send(gateway: SocketAddr) -> io::Result<()> {
    let mut stream = BufReader::new(TcpStream::connect(gateway).await?);
    expect(&mut stream, "220").await?;
    for (command, answer) in [
        ("EHLO demo.localhost".to_owned(), "250"),
        (format!("MAIL FROM:<{FROM}>"), "250"),
        (format!("RCPT TO:<{TO}>"), "250"),
        ("DATA".to_owned(), "354"),
    ] {
        stream.write_all(format!("{command}\r\n").as_bytes()).await?;
        expect(&mut stream, answer).await?;
    }
    stream.write_all(&[MAIL, b".\r\n"].concat()).await?;
    expect(&mut stream, "250").await?;
    stream.write_all(b"QUIT\r\n").await
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
