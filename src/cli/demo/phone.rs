//! A phone: one connection, its cookies, and the little of HTML that a guest needs. The integration tests
//! use it, too.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use axum::http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::ops::ask::{Connection, NotAnswered};
use crate::ops::tasks::Tasks;

/// A browser on its way through our pages.
pub struct Phone {
    connection: Connection,
    cookies: BTreeMap<String, String>,
}

/// What came back.
pub struct Page {
    pub status: StatusCode,
    pub location: Option<String>,
    pub html: String,
}

impl Phone {
    pub async fn open(address: SocketAddr, tasks: &Tasks) -> Result<Self, NotAnswered> {
        Ok(Self {
            connection: Connection::open(address, tasks).await?,
            cookies: BTreeMap::new(),
        })
    }

    /// A phone of its own address, which a gateway with a dry wall takes for a device.
    pub async fn open_from(
        from: Ipv4Addr,
        address: SocketAddr,
        tasks: &Tasks,
    ) -> Result<Self, NotAnswered> {
        Ok(Self {
            connection: Connection::open_from(from, address, tasks).await?,
            cookies: BTreeMap::new(),
        })
    }

    /// A guest who comes back with the cookies of an earlier visit.
    pub fn remember(&mut self, cookies: BTreeMap<String, String>) {
        self.cookies = cookies;
    }

    pub fn cookies(&self) -> BTreeMap<String, String> {
        self.cookies.clone()
    }

    pub async fn get(&mut self, path: &str) -> Result<Page, NotAnswered> {
        self.ask(Method::GET, path, String::new()).await
    }

    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<Page, NotAnswered> {
        let encode = |text: &str| -> String {
            text.bytes()
                .map(|byte| match byte {
                    b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'_' | b'.' => {
                        char::from(byte).to_string()
                    }
                    _ => format!("%{byte:02X}"),
                })
                .collect()
        };
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect();
        self.ask(Method::POST, path, fields.join("&")).await
    }

    async fn ask(&mut self, method: Method, path: &str, body: String) -> Result<Page, NotAnswered> {
        let mut headers = HeaderMap::new();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form);
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if let Ok(value) = HeaderValue::from_str(&cookies.join("; ")) {
            headers.insert(COOKIE, value);
        }
        let answer = self.connection.ask(method, path, &headers, body).await?;
        for set in answer.headers().get_all(SET_COOKIE) {
            let pair = set.to_str().unwrap_or_default().split(';').next();
            if let Some((name, value)) = pair.and_then(|pair| pair.split_once('=')) {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let location = answer.headers().get(LOCATION);
        Ok(Page {
            status: answer.status(),
            location: location
                .and_then(|location| location.to_str().ok())
                .map(str::to_owned),
            html: String::from_utf8_lossy(answer.body()).into_owned(),
        })
    }
}

impl Page {
    /// The value of the hidden field `name`.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.between(&format!("name=\"{name}\" value=\""), "\"")
    }

    /// The text between two marks.
    pub fn between(&self, before: &str, after: &str) -> Option<&str> {
        let (_, rest) = self.html.split_once(before)?;
        Some(rest.split_once(after)?.0)
    }
}
