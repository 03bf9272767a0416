//! Logs, metrics, and the health document.

use std::io::IsTerminal as _;
use std::net::SocketAddr;

use attest::platform::Platform;
use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use crate::shutdown::Shutdown;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging to standard error. `RUST_LOG` selects what; without it, `default` does. Later calls change nothing.
pub fn start_logs(format: LogFormat, default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let colours = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    let _ = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}

/// Starts collecting metrics.
///
/// # Errors
/// When another recorder was started in this process.
pub fn start_metrics() -> Result<PrometheusHandle, BuildError> {
    /// Request times from 100 µs to 100 s.
    const SECONDS: [f64; 13] = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0];
    PrometheusBuilder::new().set_buckets(&SECONDS)?.install_recorder()
}

/// Says in the metrics what serves: `teehouse_platform{platform="simulated"} 1`.
pub fn record_platform(platform: Platform) {
    metrics::gauge!("teehouse_platform", "platform" => platform.as_str()).set(1.0);
}

/// Binds the metrics address.
///
/// # Errors
/// When it can't be had.
pub async fn bind_metrics(address: SocketAddr) -> std::io::Result<TcpListener> {
    let named = |error: std::io::Error| {
        std::io::Error::new(error.kind(), format!("metrics can't listen on {address}: {error}"))
    };
    TcpListener::bind(address).await.map_err(named)
}

/// Serves `GET /metrics` over plain HTTP until the order to stop.
pub async fn serve_metrics(socket: TcpListener, metrics: PrometheusHandle, shutdown: Shutdown) {
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            () = shutdown.begun() => return,
        };
        let Ok((stream, _)) = accepted else { continue };
        let metrics = metrics.clone();
        let service = service_fn(move |request| {
            let answer = answer(&request, &metrics);
            async move { Ok::<_, std::convert::Infallible>(answer) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
}

fn answer<B>(request: &Request<B>, metrics: &PrometheusHandle) -> Response<Full<Bytes>> {
    if request.uri().path() == "/metrics" {
        return Response::new(Full::new(metrics.render().into()));
    }
    let mut response = Response::new(Full::new(Bytes::from_static(b"metrics are at /metrics\n")));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// What `GET /healthz` answers: which platform serves, so that simulation is never hidden.
pub fn health(platform: Platform) -> Bytes {
    let version = env!("CARGO_PKG_VERSION");
    let document = serde_json::json!({ "status": "serving", "platform": platform.to_string(), "version": version });
    document.to_string().into()
}
