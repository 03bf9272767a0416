//! Ciphertext over the network: URLs and what they are good for, uploads that break off, object stores.

mod kills;
mod places;
mod scene;
mod store;
mod uploads;
mod urls;

#[tokio::test(flavor = "multi_thread")]
async fn child() {
    testkit::process::serve().await;
}
