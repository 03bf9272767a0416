//! Models, tables, images and ONNX, each through a function with small limits; the first byte chooses which.
#![no_main]

use std::time::Duration;

use executor::memory::MemoryFiles;
use executor::{Failure, Limits, StopSignal, run};
use libfuzzer_sys::fuzz_target;

const ROWS: &[u8] = b"1,2,3,4\n2,3,4,5\n";

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = data.split_first() else { return };
    let functions = learning::builtins();
    let function = &functions[usize::from(*choice) % functions.len()];
    let interface = function.interface();
    let payload = if interface.name == "image_resize" { r#"{"width":3,"height":3}"# } else { "{}" };
    let mut inputs = vec![bytes.to_vec()];
    inputs.resize(interface.inputs.min, ROWS.to_vec());
    let limits = Limits { memory: 4 << 20, wall: Duration::from_secs(10), ..Limits::default() };
    let outcome = run(&**function, Some(payload), &mut MemoryFiles::new(inputs), &limits, &StopSignal::new());
    assert!(!matches!(outcome, Err(Failure::Panicked { .. })), "{}", interface.name);
});
