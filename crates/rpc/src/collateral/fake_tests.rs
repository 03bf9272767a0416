//! A PCS, PCCS and KDS on this machine's loopback, which publish what a test says, as well or as badly as it wants.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// How the server answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Manner {
    Well,
    /// With this status.
    Refusing(u16),
    /// With something that is no collateral.
    Garbage,
    /// One byte at a time, and never the last.
    Dripping,
    /// Not at all.
    Silent,
    /// For ever.
    Endless,
    /// With less than it announced.
    Cut,
}

#[derive(Clone)]
struct Page {
    headers: String,
    body: Vec<u8>,
}

struct Site {
    manner: Manner,
    pages: HashMap<String, Page>,
    asked: Vec<String>,
}

#[derive(Clone)]
pub(super) struct Fake {
    pub(super) address: SocketAddr,
    site: Arc<Mutex<Site>>,
}

impl Fake {
    pub(super) async fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let site = Site { manner: Manner::Well, pages: HashMap::new(), asked: Vec::new() };
        let fake = Fake { address, site: Arc::new(Mutex::new(site)) };
        let served = fake.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = socket.accept().await.unwrap();
                let served = served.clone();
                tokio::spawn(async move { served.answer(stream).await });
            }
        });
        fake
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn behave(&self, manner: Manner) {
        self.site.lock().unwrap().manner = manner;
    }

    /// The paths that were asked for since the last call.
    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.site.lock().unwrap().asked)
    }

    /// Publishes one document of Intel's as a PCCS does.
    pub(super) fn publish_intel(&self, json: &[u8]) {
        let document: Value = serde_json::from_slice(json).unwrap();
        let text = |name: &str| document[name].as_str().unwrap().to_owned();
        let info: Value = serde_json::from_str(&text("tcb_info")).unwrap();
        let (tee, fmspc) =
            (info["id"].as_str().unwrap().to_lowercase(), info["fmspc"].as_str().unwrap().to_lowercase());
        let body = |noun: &str, name: &str| {
            format!(r#"{{"{noun}":{},"signature":"{}"}}"#, text(name), text(&format!("{name}_signature"))).into_bytes()
        };
        let header = |name: &str, chain: &str| {
            format!("{name}: {}\r\n", text(chain).replace('\n', "%0A").replace('\r', "").replace(' ', "%20"))
        };
        let pages = [
            (
                format!("/{tee}/certification/v4/tcb?fmspc={fmspc}"),
                header("TCB-Info-Issuer-Chain", "tcb_info_issuer_chain"),
                body("tcbInfo", "tcb_info"),
            ),
            (
                format!("/{tee}/certification/v4/qe/identity"),
                header("SGX-Enclave-Identity-Issuer-Chain", "qe_identity_issuer_chain"),
                body("enclaveIdentity", "qe_identity"),
            ),
            (
                "/sgx/certification/v4/pckcrl?ca=platform&encoding=der".to_owned(),
                header("SGX-PCK-CRL-Issuer-Chain", "pck_crl_issuer_chain"),
                unhex(&text("pck_crl")),
            ),
            ("/sgx/certification/v4/rootcacrl".to_owned(), String::new(), text("root_ca_crl").into_bytes()),
        ];
        for (path, headers, body) in pages {
            self.publish(path, Page { headers, body });
        }
    }

    /// Publishes one document of AMD's as the KDS does; `chip` is what follows the product in its key's address.
    pub(super) fn publish_amd(&self, product: &str, json: &[u8], chip: &str) {
        let document: Value = serde_json::from_slice(json).unwrap();
        let (authority, list) = (&document["authority"], &document["revocation_list"]);
        let plain = |body: Vec<u8>| Page { headers: String::new(), body };
        let base = format!("/vcek/v1/{product}");
        self.publish(format!("{base}/cert_chain"), plain(authority.as_str().unwrap().into()));
        self.publish(format!("{base}/crl"), plain(der(list)));
        self.publish(format!("{base}/{chip}"), plain(der(&document["keys"][0])));
    }

    fn publish(&self, path: String, page: Page) {
        self.site.lock().unwrap().pages.insert(path, page);
    }

    pub(super) async fn answer(&self, mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) {
        let Some(path) = read_path(&mut stream).await else { return };
        let (manner, page) = {
            let mut site = self.site.lock().unwrap();
            site.asked.push(path.clone());
            (site.manner, site.pages.get(&path).cloned())
        };
        let page = page.unwrap_or(Page { headers: String::new(), body: Vec::new() });
        let (status, announced, body) = match (manner, page.body.is_empty()) {
            (Manner::Refusing(status), _) => (status, page.body.len(), page.body),
            (_, true) => (404, 0, Vec::new()),
            (Manner::Garbage, _) => (200, 7, b"garbage".to_vec()),
            (Manner::Endless, _) => (200, usize::MAX >> 1, Vec::new()),
            (Manner::Cut, _) => (200, page.body.len() + 1, page.body),
            _ => (200, page.body.len(), page.body),
        };
        let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {announced}\r\n{}\r\n", page.headers);
        match manner {
            Manner::Silent => tokio::time::sleep(Duration::from_secs(60)).await,
            Manner::Dripping => {
                for byte in head.as_bytes() {
                    let _ = stream.write_all(&[*byte]).await;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            Manner::Endless => {
                let _ = stream.write_all(head.as_bytes()).await;
                while stream.write_all(&[b' '; 4096]).await.is_ok() {}
            }
            _ => {
                let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
                let _ = stream.shutdown().await;
            }
        }
    }
}

async fn read_path(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    Some(head.split(' ').nth(1)?.to_owned())
}

fn der(pem: &Value) -> Vec<u8> {
    use rustls::pki_types::pem::PemObject as _;
    let pem = pem.as_str().unwrap().as_bytes();
    rustls::pki_types::CertificateDer::from_pem_slice(pem)
        .map(|der| der.to_vec())
        .unwrap_or_else(|_| rustls::pki_types::CertificateRevocationListDer::from_pem_slice(pem).unwrap().to_vec())
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// A connection that the server takes as if it had accepted it, for TLS around it.
pub(super) async fn accept(socket: &TcpListener) -> TcpStream {
    socket.accept().await.unwrap().0
}
