//! A caller of the gateway: HTTP/1.1 by hand over a connection that stays open.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    /// Whether the connection may be used again.
    stays: bool,
}

/// A connection.
pub(crate) struct Caller {
    port: u16,
    connection: Option<BufReader<TcpStream>>,
}

impl Caller {
    pub(crate) fn new(port: u16) -> Self {
        Self { port, connection: None }
    }

    /// Sends a GET and reads the answer. A connection that the answer before said would be closed is opened anew; one
    /// that ends without a word is an error, as it is for any client.
    pub(crate) fn get(&mut self, path: &str, token: Option<&str>) -> io::Result<Answer> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(self.port)?,
        };
        let token = token.map(|token| format!("Authorization: {token}\r\n")).unwrap_or_default();
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{token}\r\n");
        connection.get_mut().write_all(request.as_bytes())?;
        let answer = read(&mut connection)?;
        self.connection = answer.stays.then_some(connection);
        Ok(answer)
    }
}

/// One request on a connection of its own.
pub(crate) fn get(port: u16, path: &str, token: Option<&str>) -> io::Result<Answer> {
    Caller::new(port).get(path, token)
}

fn connect(port: u16) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(BufReader::new(stream))
}

fn read(from: &mut BufReader<TcpStream>) -> io::Result<Answer> {
    let broken = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let first = line(from)?;
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| broken(&first))?;
    let (mut length, mut stays) = (None, true);
    loop {
        let header = line(from)?.to_ascii_lowercase();
        match header.split_once(':').map(|(name, value)| (name, value.trim())) {
            Some(("content-length", value)) => length = value.parse().ok(),
            Some(("connection", "close")) => stays = false,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length.ok_or_else(|| broken("an answer without a length"))?];
    from.read_exact(&mut body)?;
    let body = String::from_utf8(body).map_err(|_| broken("an answer that is no text"))?;
    Ok(Answer { status, body, stays })
}

fn line(from: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended before the answer"));
    }
    Ok(line.trim_end().to_owned())
}
