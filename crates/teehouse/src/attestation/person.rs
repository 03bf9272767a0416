//! What evidence shows, for a person and for machines.

use std::io::{self, Write};

use attest::certificate::PeerIdentity;
use attest::claims::{Claims, Mode};
use attest::date;
use serde::Serialize;

/// Who is there.
#[derive(Serialize)]
pub(super) struct Shown {
    target: String,
    /// Whether both layers hold.
    believed: bool,
    deployment: String,
    role: String,
    platform: String,
    simulated: bool,
    measurement: String,
    /// Which of the manifest's entries accepts that.
    manifest_entry: String,
    security_version: u32,
    debug: bool,
    tcb_status: String,
    advisories: Vec<String>,
    machines: Vec<String>,
    certificate_until: String,
    /// Whether the session itself was attested, and not only the certificate.
    session_attested: bool,
    verdict: String,
}

impl Shown {
    pub(super) fn new(target: &str, certificate: &PeerIdentity, session: &Claims, live: bool) -> Self {
        let platform = session.platform();
        Shown {
            target: target.to_owned(),
            believed: true,
            deployment: certificate.deployment.to_string(),
            role: certificate.role.to_string(),
            platform: platform.to_string(),
            simulated: platform == attest::platform::Platform::Simulated,
            measurement: session.measurement.to_string(),
            manifest_entry: format!("roles.{}.measurements", certificate.role),
            security_version: session.security_version,
            debug: session.mode == Mode::Debug,
            tcb_status: session.tcb_status.to_string(),
            advisories: session.advisories.clone(),
            machines: session.platform_ids.iter().map(ToString::to_string).collect(),
            certificate_until: date::format(certificate.claims.validity.not_after),
            session_attested: true,
            verdict: verdict(certificate, session, live),
        }
    }

    pub(super) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut line = |what: &str, value: &str| writeln!(out, "{what:<12} {value}");
        line("who", &format!("{} of {} at {}", self.role, self.deployment, self.target))?;
        line("platform", &format!("{}{}", self.platform, if self.debug { ", IN DEBUG MODE" } else { "" }))?;
        line("measurement", &self.measurement)?;
        line("listed in", &format!("the manifest's {}", self.manifest_entry))?;
        if self.security_version > 0 {
            line("svn", &self.security_version.to_string())?;
        }
        line("TCB", &self.tcb_status)?;
        self.advisories.iter().try_for_each(|advisory| line("advisory", advisory))?;
        self.machines.iter().try_for_each(|machine| line("machine", machine))?;
        line("certificate", "named by the deployment's CA; its evidence is about its key")?;
        line("session", "attested: the evidence is bound to this very connection")?;
        writeln!(out, "\n{}", self.verdict)
    }
}

/// One sentence.
fn verdict(certificate: &PeerIdentity, session: &Claims, live: bool) -> String {
    let (role, deployment, platform) = (certificate.role, &certificate.deployment, session.platform());
    let when = if live { "answers here" } else { "answered there" };
    match platform.level() {
        attest::platform::TrustLevel::Simulated => format!(
            "SIMULATED: a {role} of {deployment} {when}, on a platform that protects nothing from whoever runs the machine."
        ),
        attest::platform::TrustLevel::Tpm => format!(
            "A {role} of {deployment} {when}, booted as the auditors listed; its memory is open to the machine's operator."
        ),
        attest::platform::TrustLevel::Confidential => format!(
            "A {role} of {deployment} {when}, running what the auditors listed, inside {platform}, out of its operator's sight."
        ),
    }
}
