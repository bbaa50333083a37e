//! As much of a browser as the admin needs: one cookie jar, one connection for each request, forms with their token.

use anyhow::{Context, Result, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub struct Browser {
    address: String,
    cookies: Vec<(String, String)>,
    token: String,
}

impl Browser {
    pub fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            cookies: vec![],
            token: String::new(),
        }
    }

    pub async fn sign_in(&mut self, email: &str, password: &str) -> Result<()> {
        self.get("/admin/login").await?;
        let fields = [("email", email), ("password", password), ("next", "")];
        let (status, page) = self.post("/admin/login", &fields).await?;
        ensure!(status == 303, "the log-in: {status} {page}");
        Ok(())
    }

    pub async fn get(&mut self, path: &str) -> Result<(u16, String)> {
        self.send(&format!("GET {path} HTTP/1.1\r\n"), "").await
    }

    /// Posts fields with the token of the last page.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<(u16, String)> {
        let token = [("csrf_token", self.token.as_str())];
        let pairs = token.iter().chain(fields);
        let body: Vec<_> = pairs
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        let body = body.join("&");
        let head = format!(
            "POST {path} HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
            body.len()
        );
        self.send(&head, &body).await
    }

    /// Reads an answer without keeping it: its status, and how many bytes it had.
    pub async fn download(&mut self, path: &str) -> Result<(u16, usize)> {
        let mut stream = self.ask(&format!("GET {path} HTTP/1.1\r\n"), "").await?;
        let (mut buffer, mut bytes, mut status) = (vec![0; 65_536], 0, 0);
        loop {
            let read = stream.read(&mut buffer).await?;
            if bytes == 0 {
                status = status_of(&String::from_utf8_lossy(&buffer[..read]))?;
            }
            bytes += read;
            if read == 0 {
                return Ok((status, bytes));
            }
        }
    }

    async fn ask(&self, head: &str, body: &str) -> Result<TcpStream> {
        let mut stream = TcpStream::connect(&self.address).await?;
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let cookies = if cookies.is_empty() {
            String::new()
        } else {
            format!("Cookie: {}\r\n", cookies.join("; "))
        };
        let request = format!(
            "{head}Host: {}\r\n{cookies}Connection: close\r\n\r\n{body}",
            self.address
        );
        stream.write_all(request.as_bytes()).await?;
        Ok(stream)
    }

    async fn send(&mut self, head: &str, body: &str) -> Result<(u16, String)> {
        let mut bytes = vec![];
        self.ask(head, body).await?.read_to_end(&mut bytes).await?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        for line in text.lines().take_while(|line| !line.is_empty()) {
            let cookie = line
                .strip_prefix("set-cookie: ")
                .and_then(|cookie| cookie.split(';').next());
            if let Some((name, value)) = cookie.and_then(|cookie| cookie.split_once('=')) {
                self.cookies.retain(|(known, _)| known != name);
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        if let Some(token) = value_of(&text, "csrf_token") {
            self.token = token.to_owned();
        }
        Ok((status_of(&text)?, text))
    }
}

fn status_of(text: &str) -> Result<u16> {
    let word = text.split(' ').nth(1).context("no status")?;
    Ok(word.parse()?)
}

/// The value of the first input with this name.
pub fn value_of<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = page.split_once(&format!(" name=\"{name}\""))?;
    let (tag, _) = rest.split_once('>')?;
    let (_, value) = tag.split_once("value=\"")?;
    value.split('"').next()
}

/// As a form is sent (URL Standard, application/x-www-form-urlencoded).
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}
