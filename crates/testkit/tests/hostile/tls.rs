//! TLS: one version, one kind of handshake, post-quantum first; and whoever does not speak it.

use std::process::Command;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, HandshakeKind, NamedGroup, RootCertStore};
use testkit::{Cluster, wire};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use types::service::{Api, Callers};

use crate::attacker::{HEALTHZ, http, soon};

fn user_ports() -> impl Iterator<Item = Api> {
    Api::ALL.into_iter().filter(|api| matches!(api.callers(), Callers::Anyone))
}

/// Sends raw TCP bytes, then nothing more; returns what comes before the end.
async fn send_raw(cluster: &Cluster, api: Api, bytes: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(cluster.address(api)).await.expect("a connection");
    let _ = socket.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = soon(socket.read_to_end(&mut answer)).await;
    answer
}

/// A ClientHello as clients of 2010 send it: TLS 1.2 and nothing of 1.3.
fn tls12_client_hello(version: [u8; 2]) -> Vec<u8> {
    let suites = [0xc0, 0x2f, 0xc0, 0x2b, 0xc0, 0x30, 0x00, 0x9c, 0x00, 0x2f];
    let extensions = [
        &[0x00, 0x0a, 0x00, 0x06, 0x00, 0x04, 0x00, 0x1d, 0x00, 0x17][..], // groups: X25519, P-256
        &[0x00, 0x0b, 0x00, 0x02, 0x01, 0x00],                             // points: uncompressed
        &[0x00, 0x0d, 0x00, 0x06, 0x00, 0x04, 0x04, 0x03, 0x08, 0x04],     // signatures: P-256, RSA-PSS
    ]
    .concat();
    let hello = [
        &version[..],
        &[7; 32],
        &[0],
        &[0, suites.len() as u8],
        &suites,
        &[1, 0],
        &(extensions.len() as u16).to_be_bytes(),
        &extensions,
    ]
    .concat();
    let handshake = [&[1, 0][..], &(hello.len() as u16).to_be_bytes(), &hello].concat();
    [&[22, 3, 1][..], &(handshake.len() as u16).to_be_bytes(), &handshake].concat()
}

/// TLS 1.0 to 1.2 is refused by the alert that says why: `protocol_version` (RFC 8446, section 6.2).
#[tokio::test(flavor = "multi_thread")]
async fn older_tls_gets_a_protocol_version_alert() {
    let cluster = Cluster::start().await;
    for api in Api::ALL {
        for version in [[3, 1], [3, 2], [3, 3]] {
            let answer = send_raw(&cluster, api, &tls12_client_hello(version)).await;
            assert_eq!(answer, [21, 3, 3, 0, 2, 2, 70], "{api} {version:?}");
        }
    }
    cluster.stop().await;
}

/// Bytes that are no TLS: an alert or nothing, and never an answer to what they say.
#[tokio::test(flavor = "multi_thread")]
async fn plain_bytes_on_a_tls_port_get_an_alert_at_most() {
    let cluster = Cluster::start().await;
    let hello = tls12_client_hello([3, 3]);
    let endless = [&[22, 3, 1, 0x40, 0x00, 1, 0xff, 0xff, 0xff][..], &[0; 0x4000]].concat().repeat(8);
    let cases: [&[u8]; 9] = [
        b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\0\0\0\0\0\0\0\x02{}",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        &[0xff; 4096],
        &[22, 3, 3, 0xff, 0xff, 1, 0xff, 0xff, 0xff],
        &[&hello[..], &hello].concat(),
        &endless,
    ];
    for api in [Api::TmsExternal, Api::Kms] {
        for case in cases {
            let answer = send_raw(&cluster, api, case).await;
            let alert = answer.is_empty() || (answer.len() == 7 && answer.starts_with(&[21, 3]));
            assert!(alert, "{:?}: {answer:?}", &case[..8]);
        }
    }
    cluster.stop().await;
}

/// A client that prefers the hybrid group gets it; one without post-quantum cryptography is served as well.
#[tokio::test(flavor = "multi_thread")]
async fn the_key_exchange_is_post_quantum_where_it_can_be() {
    let cluster = Cluster::start().await;
    let offers = [
        (vec![kx_group::X25519MLKEM768, kx_group::X25519], NamedGroup::X25519MLKEM768),
        // rustls follows the client's order, so a client that would rather not has its way.
        (vec![kx_group::X25519, kx_group::X25519MLKEM768], NamedGroup::X25519),
        (vec![kx_group::X25519], NamedGroup::X25519),
        (vec![kx_group::SECP256R1], NamedGroup::secp256r1),
    ];
    for (kx_groups, expected) in offers {
        let mut provider = default_provider();
        provider.kx_groups = kx_groups.clone();
        let config = wire::believing(provider, None);
        let stream = wire::shake_hands(cluster.address(Api::TmsExternal), config).await.expect("a handshake");
        let group = stream.with(|stream| stream.get_ref().1.negotiated_key_exchange_group().expect("shaken").name());
        assert_eq!(group, expected, "offered {kx_groups:?}");
    }
    cluster.stop().await;
}

/// A client that would resume gets no ticket, shakes hands whole every time, and can send nothing early.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_resumed_and_nothing_is_sent_early() {
    let cluster = Cluster::start().await;
    for api in user_ports() {
        let mut config = wire::believing(default_provider(), None);
        config.enable_early_data = true;
        for _ in 0..3 {
            let mut stream = wire::shake_hands(cluster.address(api), config.clone()).await.expect("a handshake");
            assert_eq!(http(&mut stream, HEALTHZ).await.expect("an answer").status, 200);
            stream.with(|stream| {
                let connection = stream.get_mut().1;
                assert_eq!(connection.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
                assert_eq!(connection.handshake_kind(), Some(HandshakeKind::Full));
                assert_eq!(connection.tls13_tickets_received(), 0);
                assert!(!connection.is_early_data_accepted());
            });
        }
    }
    cluster.stop().await;
}

/// Ordinary clients that know nothing of evidence verify user ports by the deployment's CA, by name and by address.
#[tokio::test(flavor = "multi_thread")]
async fn ordinary_tls_clients_verify_user_ports() {
    let cluster = Cluster::start().await;
    let pem = cluster.data_dir().join("trust").join("ca.pem");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&pem).expect("a certificate")).expect("an anchor");
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    for api in user_ports() {
        let mut stream = wire::shake_hands(cluster.address(api), config.clone()).await.expect("verified");
        assert_eq!(http(&mut stream, HEALTHZ).await.expect("an answer").status, 200);
        check_curl(&pem, cluster.address(api).port());
    }
    // Another deployment's authority vouches for nothing here.
    let other = Cluster::start().await;
    assert!(wire::shake_hands(other.address(Api::TmsExternal), config).await.is_err());
    other.stop().await;
    cluster.stop().await;
}

/// Where curl is installed, it works as README says.
fn check_curl(ca: &std::path::Path, port: u16) {
    for (host, version) in [("localhost", "--http1.1"), ("127.0.0.1", "--http2")] {
        let url = format!("https://{host}:{port}/healthz");
        let curl =
            Command::new("curl").args(["-sS", "--max-time", "10", version, "--cacert"]).arg(ca).arg(&url).output();
        let Ok(output) = curl else { return };
        assert!(output.status.success(), "{url}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("JSON");
    }
}
