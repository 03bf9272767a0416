//! `teehouse-tdfs`: the trusted file service in a process of its own.

fn main() -> anyhow::Result<()> {
    rpc::daemon::run(env!("CARGO_PKG_VERSION"), |mut host| async {
        tdfs::start(&mut host, (None, None)).await?;
        Ok(host)
    })
}
