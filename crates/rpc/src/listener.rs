//! Accepts connections for one API, within limits that no caller can exceed and one caller can't use up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use types::service::Api;

use crate::config::Limits;
use crate::connection;
use crate::gate::{Gate, Slot, Slots};
use crate::pace::Pace;
use crate::shutdown::Shutdown;
use crate::tls::Acceptor;
use crate::{Protocol, Service};

/// Where a client on this machine reaches a listener that may listen everywhere.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// A listener that is bound and not yet serving, so that its port is known before its service exists.
pub struct Bound {
    api: Api,
    socket: TcpListener,
}

/// Binds an API's address. Port 0 takes a free one.
///
/// # Errors
/// When the address can't be had; the error names API and address.
pub async fn bind(api: Api, address: SocketAddr) -> std::io::Result<Bound> {
    let named =
        |error: std::io::Error| std::io::Error::new(error.kind(), format!("{api} can't listen on {address}: {error}"));
    Ok(Bound { api, socket: TcpListener::bind(address).await.map_err(named)? })
}

impl Bound {
    /// The address with the real port.
    ///
    /// # Errors
    /// When the operating system does not tell.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until the order to stop, then lets requests in flight end.
    pub async fn serve<S: Service>(
        self,
        service: Arc<S>,
        acceptor: Acceptor,
        limits: &Limits,
        health: Bytes,
        shutdown: Shutdown,
    ) {
        debug_assert_eq!(self.api, S::Protocol::API);
        let gate = Arc::new(Gate::new(service, limits, health, shutdown));
        let slots = Slots::new(limits.connections);
        let mut connections = JoinSet::new();
        let mut pace = Pace::new(limits.handshakes_per_second, Instant::now());
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                Some(_) = connections.join_next() => continue,
                () = gate.stopping() => break,
            };
            match accepted {
                Ok((socket, _)) => {
                    admit(socket, &acceptor, &gate, &slots, &mut connections);
                    // Those who come too fast wait in the system's queue, and cost nothing there.
                    let wait = pace.take(Instant::now());
                    if !wait.is_zero() {
                        tokio::time::sleep(wait).await;
                    }
                }
                Err(error) => back_off(self.api, &error).await,
            }
        }
        drop(self.socket);
        let drained = async { while connections.join_next().await.is_some() {} };
        let _ = timeout(gate.times.drain, drained).await;
    }
}

fn admit(socket: TcpStream, acceptor: &Acceptor, gate: &Arc<Gate>, slots: &Arc<Slots>, all: &mut JoinSet<()>) {
    let Some(place) = slots.take() else {
        metrics::counter!("teehouse_connections_refused_total", "api" => gate.handler.api().as_str()).increment(1);
        return;
    };
    let (acceptor, gate) = (acceptor.clone(), gate.clone());
    all.spawn(async move {
        let gauge = metrics::gauge!("teehouse_connections", "api" => gate.handler.api().as_str());
        gauge.increment(1);
        tokio::select! {
            () = handshake_and_serve(socket, acceptor, gate, place.slot.clone()) => {}
            () = place.slot.evicted() => {}
        }
        gauge.decrement(1);
    });
}

async fn handshake_and_serve(socket: TcpStream, acceptor: Acceptor, gate: Arc<Gate>, slot: Arc<Slot>) {
    // Small frames must not wait for each other's acknowledgements.
    let _ = socket.set_nodelay(true);
    let accepted = tokio::select! {
        accepted = timeout(gate.times.handshake, acceptor.accept(socket)) => accepted,
        () = gate.stopping() => return,
    };
    match accepted {
        Ok(Ok(accepted)) => {
            slot.touch();
            connection::serve(accepted, gate, slot).await;
        }
        Ok(Err(error)) => tracing::debug!(api = %gate.handler.api(), %error, "handshake failed"),
        Err(_) => tracing::debug!(api = %gate.handler.api(), "handshake timed out"),
    }
}

/// Out of file descriptors or the like: wait for connections to end instead of spinning.
async fn back_off(api: Api, error: &std::io::Error) {
    tracing::warn!(%api, %error, "can't accept connections");
    tokio::time::sleep(Duration::from_millis(50)).await;
}
