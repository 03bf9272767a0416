//! `teehouse-kms`: key management in a process of its own.

fn main() -> anyhow::Result<()> {
    rpc::daemon::run(env!("CARGO_PKG_VERSION"), |mut host| async {
        kms::start(&mut host, None).await?;
        Ok(host)
    })
}
