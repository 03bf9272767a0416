//! The Rust SDK: what one user does with a Teehouse deployment, from the user's own machine.
//!
//! ```text
//! put_file   tdfs Create ─▶ read, hash, seal (crypto::file) ─▶ the server's disk where it is shared, else parts by URL
//! get_file   tdfs Get ─▶ read or fetch ─▶ open and check size and SHA-256 ─▶ plaintext, or an error and nothing on disk
//! run        tms Get ─▶ the node that the task names ─▶ result
//! ```
//!
//! Every connection is attested: the services that answer are of the deployment, and on the platforms, that the trust
//! folder names. Plaintext is sealed before it leaves this process and opened nowhere else but in a function node.
//!
//! Files may be of any size: those over 256 MiB, or of unknown length, are sealed in chunks as they go, in little memory.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use client::{Contents, Put, Settings, Simulation, Teehouse, Transfers, records};
//! use types::secret::Secret;
//!
//! let alice = Teehouse::connect(Settings {
//!     tms: "localhost:5554".into(),
//!     tdfs: "localhost:5065".into(),
//!     trust: "teehouse-data/trust".into(),
//!     simulation: Simulation::Allowed,
//!     user: "alice".parse()?,
//!     token: Secret::new(std::env::var("TEEHOUSE_TOKEN")?),
//!     transfers: Transfers::default(),
//! })?;
//! let put = Put::named("customers".parse()?);
//! let file = alice.put_file(Contents::Lines("customers.txt".into()), put, |_, _| {}).await?;
//! let task = alice.create_task("psi", &["bob".parse()?], &[file.file_id]).await?;
//! alice.wait(&task.task_id, |status| status != types::task::Status::Created, client::RUN_LIMIT).await?;
//! alice.run(&task.task_id, None).await?;
//! let answer = &alice.task(&task.task_id).await?.user_private_result_file_id[0];
//! let (_, answer) = alice.get_file(answer, |_, _| {}).await?;
//! let common = records::select(&std::fs::read("customers.txt")?, &answer)?.len();
//! # Ok(())
//! # }
//! ```

mod agent;
mod connect;
mod consent;
mod disk;
mod file;
mod function;
pub mod fuzz;
mod log;
pub mod records;
mod request;
mod signer;
mod task;

pub use self::consent::KeyError;
pub use agent::{Agent, AgentError};
pub use connect::{ConnectError, Settings, Teehouse, Transfers};
pub use crypto::file::Plaintext;
pub use disk::{write_private, write_shared};
pub use file::{Contents, FileError, Put, SINGLE_BYTES, StoredFile};
pub use function::{FunctionError, NewFunction};
pub use log::{LogEntry, LogError, LogReader, MemoryError};
pub use request::RequestError;
pub use rpc::deployment::Simulation;
pub use signer::{Signer, SignerError};
pub use task::{RUN_LIMIT, TaskError};
