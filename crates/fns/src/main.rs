//! `teehouse-fns`: a function node in a process of its own.

fn main() -> anyhow::Result<()> {
    rpc::daemon::run(env!("CARGO_PKG_VERSION"), |mut host| async {
        fns::start(&mut host, fns::Neighbours::default()).await?;
        Ok(host)
    })
}
