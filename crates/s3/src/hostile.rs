//! Stores that misbehave, each in one way, whatever they are asked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// What a store does wrong.
#[derive(Clone, Copy, Debug)]
pub enum Mischief {
    /// Takes connections and never says a word.
    Silent,
    /// Closes every connection at once.
    Closes,
    /// Answers with this status and a body that is an attack on terminals.
    Status(u16),
    /// Says how long an object is, and sends this many bytes of it, then closes.
    Partial {
        /// Length that it states.
        stated: u64,
        /// Bytes that it sends.
        sent: u64,
    },
    /// Sends a byte of the body now and then.
    Drips {
        /// Length that it states.
        stated: u64,
        /// Time between two bytes.
        pause: Duration,
    },
    /// Answers with something that isn't HTTP.
    Babbles,
}

/// A running store that misbehaves.
pub struct Hostile {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Hostile {
    /// Starts one.
    ///
    /// # Panics
    /// When the machine has no port for it.
    pub async fn start(mischief: Mischief) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::new(AtomicUsize::new(0));
        let accepting = tokio::spawn(accept(listener, mischief, requests.clone()));
        Hostile { address, requests, accepting }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, mischief: Mischief, requests: Arc<AtomicUsize>) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        requests.fetch_add(1, Ordering::Relaxed);
        connections.spawn(async move { drop(misbehave(socket, mischief).await) });
    }
}

async fn misbehave(mut socket: TcpStream, mischief: Mischief) -> std::io::Result<()> {
    let head = |len: u64| {
        format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Length: {len}\r\nContent-Range: bytes 0-{}/{len}\r\n\
             ETag: \"x\"\r\nLast-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\nConnection: close\r\n\r\n",
            len.saturating_sub(1)
        )
    };
    let asks_for_head = |request: &[u8]| request.starts_with(b"HEAD");
    match mischief {
        Mischief::Silent => std::future::pending().await,
        Mischief::Closes => Ok(()),
        Mischief::Babbles => socket.write_all(b"220 mail.example.org ESMTP\r\n").await,
        Mischief::Status(status) => {
            read_head(&mut socket).await?;
            let body = "\u{1b}[2J<Error><Code>X</Code></Error>".repeat(1000);
            let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            socket.write_all((head + &body).as_bytes()).await
        }
        Mischief::Partial { stated, sent } => {
            let request = read_head(&mut socket).await?;
            socket.write_all(head(stated).as_bytes()).await?;
            if asks_for_head(&request) {
                return Ok(());
            }
            socket.write_all(&vec![7; usize::try_from(sent).expect("memory")]).await
        }
        Mischief::Drips { stated, pause } => {
            let request = read_head(&mut socket).await?;
            socket.write_all(head(stated).as_bytes()).await?;
            for _ in 0..if asks_for_head(&request) { 0 } else { stated } {
                socket.write_all(b"7").await?;
                tokio::time::sleep(pause).await;
            }
            Ok(())
        }
    }
}

/// Everything up to the end of a request's head.
async fn read_head(socket: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let (mut request, mut piece) = (Vec::new(), [0; 4096]);
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match socket.read(&mut piece).await? {
            0 => break,
            len => request.extend_from_slice(&piece[..len]),
        }
    }
    Ok(request)
}
