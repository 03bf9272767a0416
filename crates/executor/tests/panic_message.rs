//! A function's panic message never reaches the process's panic hook; everybody else's does. (Alone in its process,
//! because the hook is the process's.)

use std::panic;
use std::sync::{Arc, Mutex};

use executor::memory::MemoryFiles;
use executor::{Failure, Function, Inputs, Interface, Invocation, Limits, PayloadRule, ResultRule, StopSignal, run};
use types::function::FunctionType;

struct Panics(Interface);

impl Function for Panics {
    fn interface(&self) -> &Interface {
        &self.0
    }

    fn run(&self, _: &mut Invocation<'_>) -> Result<String, Failure> {
        panic!("inside");
    }
}

#[test]
fn only_panics_outside_of_functions_are_printed() {
    let printed = Arc::new(Mutex::new(Vec::new()));
    let log = printed.clone();
    panic::set_hook(Box::new(move |info| {
        log.lock().unwrap().push(info.payload_as_str().unwrap_or_default().to_owned());
    }));
    let function = Panics(Interface {
        name: "panics".into(),
        version: 1,
        summary: "panics".into(),
        function_type: FunctionType::Single,
        inputs: Inputs::NONE,
        payload: PayloadRule::Refused,
        outputs: [].as_slice().into(),
        result: ResultRule::Text,
        schema: "".into(),
        counts: false,
    });
    let mut files = MemoryFiles::new::<&[u8]>([]);
    let ran = run(&function, None, &mut files, &Limits::default(), &StopSignal::new());
    let outside = panic::catch_unwind(|| panic!("outside"));
    let _ = panic::take_hook();
    assert!(matches!(ran, Err(Failure::Panicked { .. })) && outside.is_err());
    assert_eq!(*printed.lock().unwrap(), ["outside"]);
}
