//! S3 servers for tests: a real one over a temporary folder, and stores that misbehave. Both end with their value.

mod hostile;
mod server;

pub use hostile::{Hostile, Mischief};
pub use server::{ACCESS_KEY, BUCKET, REGION, SECRET_KEY, Server};
