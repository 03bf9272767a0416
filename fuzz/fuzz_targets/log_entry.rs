//! An entry of a log: refused or read, never a panic; an entry has one form.
#![no_main]

use consent::canonical;
use consent::log::{chain, entry};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(read) = entry::open(bytes) else { return };
    assert_eq!(canonical::to_vec(&read).expect("it was canonical"), bytes);
    if let Some(concern) = read.concerns.first() {
        let before = concern.after;
        let mut walk = before.map_or_else(
            || chain::Walk::new(concern.user_id.clone()),
            |link| chain::Walk::after(concern.user_id.clone(), link),
        );
        walk.step(&read, bytes).expect("it follows what it says that it follows");
    }
    let _ = entry::event(&read);
});
