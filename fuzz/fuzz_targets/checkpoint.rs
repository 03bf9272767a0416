//! A log's signed checkpoint: refused or read, never a panic; what is read is written again in the same way.
#![no_main]

use attest::identity::Deployment;
use consent::log::checkpoint::Checkpoint;
use consent::log::note;
use crypto::sign::Ed25519KeyPair;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let house: Deployment = "house".parse().expect("a name");
    let pair = Ed25519KeyPair::from_seed(&[7; 32]);
    // As a note of a stranger, and as a text that the log's own key signed.
    let _ = Checkpoint::open(text, &house, &pair.public_key());
    let name = consent::log::checkpoint::origin(&house);
    let signed = note::write(text, &name, &pair.public_key(), &pair.sign(text.as_bytes()));
    if let Ok(checkpoint) = Checkpoint::open(&signed, &house, &pair.public_key()) {
        assert_eq!(checkpoint.text(&house), text);
    }
});
