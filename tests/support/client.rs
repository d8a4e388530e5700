//! A plain SMTP client, as a mail server in front of the gateway would speak.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};

use super::gateway::PATIENCE;

/// A connection from this address of loopback.
pub fn stream_from(client: &str, address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    let client: IpAddr = client.parse().unwrap();
    socket.bind(&SocketAddr::new(client, 0).into())?;
    socket.connect(&address.into())?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// One connection.
pub struct SmtpClient<S: Read + Write = TcpStream> {
    reader: BufReader<S>,
}

impl SmtpClient {
    /// Connects and says EHLO.
    pub fn connect(address: SocketAddr) -> std::io::Result<Self> {
        Self::begin(TcpStream::connect(address)?)
    }

    /// The same from this address of loopback.
    pub fn connect_from(client: &str, address: SocketAddr) -> std::io::Result<Self> {
        Self::begin(stream_from(client, address)?)
    }

    fn begin(stream: TcpStream) -> std::io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        // A gateway that is killed amid the handshake may leave a connection that nobody else knows of: a probe of the
        // kernel finds out.
        let probes = TcpKeepalive::new().with_time(Duration::from_secs(1));
        SockRef::from(&stream).set_tcp_keepalive(&probes)?;
        let mut client = Self { reader: BufReader::new(stream) };
        client.reply()?;
        client.command("EHLO mail.voorbeeld.nl")?;
        Ok(client)
    }
}

impl<S: Read + Write> SmtpClient<S> {
    /// Goes on over a stream that is past the greeting.
    pub fn over(stream: S) -> Self {
        Self { reader: BufReader::new(stream) }
    }

    /// The stream, between commands.
    pub fn into_stream(self) -> S {
        self.reader.into_inner()
    }

    /// Sends bytes as they are.
    pub fn write(&mut self, octets: &[u8]) -> std::io::Result<()> {
        self.reader.get_mut().write_all(octets)?;
        self.reader.get_mut().flush()
    }

    /// Sends one line and gives the whole reply.
    pub fn command(&mut self, line: &str) -> std::io::Result<String> {
        self.write(format!("{line}\r\n").as_bytes())?;
        self.reply()
    }

    /// Sends a message; the reply to the end of data, or to the command that was refused.
    pub fn send(&mut self, from: &str, to: &[&str], message: &[u8]) -> std::io::Result<String> {
        let mut commands = vec![format!("MAIL FROM:<{from}>")];
        commands.extend(to.iter().map(|to| format!("RCPT TO:<{to}>")));
        commands.push("DATA".to_owned());
        for command in commands {
            let reply = self.command(&command)?;
            if !reply.starts_with(['2', '3']) {
                return Ok(reply);
            }
        }
        let mut data = Vec::with_capacity(message.len() + 5);
        for line in message.split_inclusive(|&byte| byte == b'\n') {
            if line.starts_with(b".") {
                data.push(b'.');
            }
            data.extend_from_slice(line);
        }
        data.extend_from_slice(b".\r\n");
        self.write(&data)?;
        self.reply()
    }

    fn reply(&mut self) -> std::io::Result<String> {
        let mut whole = String::new();
        loop {
            let start = whole.len();
            if self.reader.read_line(&mut whole)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if whole.as_bytes().get(start + 3) != Some(&b'-') {
                return Ok(whole);
            }
        }
    }
}

/// Sends one message over a connection of its own and expects it to be taken.
pub fn submit(address: SocketAddr, from: &str, to: &[&str], message: &[u8]) -> String {
    let mut client = SmtpClient::connect(address).unwrap();
    let reply = client.send(from, to, message).unwrap();
    assert!(reply.starts_with("250 "), "{reply}");
    reply
}
