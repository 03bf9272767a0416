//! The two requests to an `ssh-agent` that signing takes (draft-ietf-sshm-ssh-agent, sections 4.4 and 4.5).
//!
//! An agent signs with Ed25519 exactly the bytes that it is given, so its signatures are those that a key file makes.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// Asks for the keys.
const REQUEST_IDENTITIES: u8 = 11;
/// The keys.
const IDENTITIES_ANSWER: u8 = 12;
/// Asks for a signature.
const SIGN_REQUEST: u8 = 13;
/// The signature.
const SIGN_RESPONSE: u8 = 14;

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 256 * 1024;

/// How long is waited for an answer: a person may have to confirm.
const PATIENCE: Duration = Duration::from_secs(60);

const ED25519: &[u8] = b"ssh-ed25519";

/// An agent that listens on a socket.
#[derive(Clone, Debug)]
pub struct Agent {
    socket: PathBuf,
}

/// Why an agent does not sign.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// No agent is there.
    #[error("SSH_AUTH_SOCK names no agent")]
    Nowhere,
    /// It can't be asked.
    #[error("it can't be asked")]
    Io(#[from] io::Error),
    /// It refuses, for instance because its user did.
    #[error("it refuses")]
    Refused,
    /// It answers something else.
    #[error("its answer can't be read")]
    Malformed,
}

impl Agent {
    /// The agent of this user's session.
    ///
    /// # Errors
    /// When there is none.
    pub fn of_session() -> Result<Self, AgentError> {
        let socket = std::env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).ok_or(AgentError::Nowhere)?;
        Ok(Agent { socket: socket.into() })
    }

    /// An agent on a socket.
    pub fn at(socket: impl Into<PathBuf>) -> Self {
        Agent { socket: socket.into() }
    }

    /// Its Ed25519 keys, with what each is called.
    ///
    /// # Errors
    /// When it can't be asked.
    pub fn keys(&self) -> Result<Vec<([u8; 32], String)>, AgentError> {
        let answer = self.ask(&[REQUEST_IDENTITIES], IDENTITIES_ANSWER)?;
        let mut rest = &answer[..];
        let count = number(&mut rest)?;
        let mut keys = Vec::new();
        for _ in 0..count {
            let (blob, comment) = (string(&mut rest)?, string(&mut rest)?);
            if let Some(key) = ed25519(blob) {
                keys.push((key, String::from_utf8_lossy(comment).into_owned()));
            }
        }
        Ok(keys)
    }

    /// Has bytes signed.
    ///
    /// # Errors
    /// When it refuses or can't be asked.
    pub fn sign(&self, key: &[u8; 32], bytes: &[u8]) -> Result<[u8; 64], AgentError> {
        let blob = [encoded(ED25519), encoded(key)].concat();
        let request = [&[SIGN_REQUEST][..], &encoded(&blob), &encoded(bytes), &0_u32.to_be_bytes()].concat();
        let answer = self.ask(&request, SIGN_RESPONSE)?;
        let mut rest = &answer[..];
        let mut signature = string(&mut rest)?;
        if string(&mut signature)? != ED25519 {
            return Err(AgentError::Malformed);
        }
        string(&mut signature)?.try_into().map_err(|_| AgentError::Malformed)
    }

    fn ask(&self, request: &[u8], expected: u8) -> Result<Vec<u8>, AgentError> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(&encoded(request))?;
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        if !(1..=MAX_ANSWER).contains(&length) {
            return Err(AgentError::Malformed);
        }
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer)?;
        if answer.remove(0) == expected { Ok(answer) } else { Err(AgentError::Refused) }
    }
}

/// A string of RFC 4251, section 5: its length in four bytes, then its bytes.
fn encoded(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes()[..], bytes].concat()
}

fn number(rest: &mut &[u8]) -> Result<u32, AgentError> {
    let (bytes, after) = rest.split_first_chunk::<4>().ok_or(AgentError::Malformed)?;
    *rest = after;
    Ok(u32::from_be_bytes(*bytes))
}

fn string<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], AgentError> {
    let length = number(rest)? as usize;
    let (bytes, after) = rest.split_at_checked(length).ok_or(AgentError::Malformed)?;
    *rest = after;
    Ok(bytes)
}

fn ed25519(mut blob: &[u8]) -> Option<[u8; 32]> {
    if string(&mut blob).ok()? != ED25519 {
        return None;
    }
    string(&mut blob).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    /// An agent that gives one answer.
    fn answering(answer: Vec<u8>) -> (tempfile::TempDir, Agent) {
        let dir = tempfile::tempdir().expect("a folder");
        let socket = dir.path().join("agent");
        let listener = UnixListener::bind(&socket).expect("a socket");
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a caller");
            let mut length = [0; 4];
            stream.read_exact(&mut length).expect("a request");
            let mut request = vec![0; u32::from_be_bytes(length) as usize];
            stream.read_exact(&mut request).expect("a request");
            let _ = stream.write_all(&answer);
        });
        (dir, Agent::at(socket))
    }

    #[test]
    fn keys_of_other_kinds_are_passed_over() {
        let other = [encoded(b"ssh-rsa"), encoded(b"...")].concat();
        let ours = [encoded(ED25519), encoded(&[7; 32])].concat();
        let list = [
            &[IDENTITIES_ANSWER][..],
            &2_u32.to_be_bytes(),
            &encoded(&other),
            &encoded(b"old"),
            &encoded(&ours),
            &encoded(b"me"),
        ];
        let (_dir, agent) = answering(encoded(&list.concat()));
        assert_eq!(agent.keys().expect("an answer"), [([7; 32], "me".to_owned())]);
    }

    #[test]
    fn whatever_an_agent_answers_is_no_panic() {
        let huge = u32::MAX.to_be_bytes().to_vec();
        let short = [&[IDENTITIES_ANSWER][..], &9_u32.to_be_bytes()].concat();
        let lying = [&[IDENTITIES_ANSWER][..], &1_u32.to_be_bytes(), &u32::MAX.to_be_bytes()].concat();
        for answer in [Vec::new(), huge, encoded(&[]), encoded(&[5]), encoded(&short), encoded(&lying)] {
            let (_dir, agent) = answering(answer.clone());
            assert!(agent.keys().is_err(), "{answer:?}");
            let (_dir, agent) = answering(answer.clone());
            assert!(agent.sign(&[7; 32], b"bytes").is_err(), "{answer:?}");
        }
    }

    #[test]
    fn the_agent_of_openssh_signs_as_a_key_does() {
        let dir = tempfile::tempdir().expect("a folder");
        let (socket, key) = (dir.path().join("agent"), dir.path().join("key"));
        let made =
            std::process::Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
        let Ok(mut agent) = std::process::Command::new("ssh-agent")
            .arg("-D")
            .arg("-a")
            .arg(&socket)
            .stdout(std::process::Stdio::null())
            .spawn()
        else {
            return;
        };
        while !socket.exists() {
            thread::sleep(Duration::from_millis(10));
        }
        let added = std::process::Command::new("ssh-add").arg("-q").arg(&key).env("SSH_AUTH_SOCK", &socket).status();
        let outcome = made.and(added).map(|status| status.success());
        let ours = Agent::at(&socket);
        let checked = outcome.as_ref().ok().map(|_| {
            let (key, _) = ours.keys().expect("an answer")[0].clone();
            let signature = ours.sign(&key, b"bytes").expect("signed");
            crypto::sign::verify_ed25519(&key, b"bytes", &signature)
        });
        let _ = agent.kill();
        let _ = agent.wait();
        assert!(outcome.is_ok_and(|added| added));
        assert!(checked.is_some_and(|verified| verified.is_ok()));
    }
}
