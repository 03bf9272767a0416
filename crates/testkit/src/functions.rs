//! Functions that misbehave, for a node that must not mind.

use std::borrow::Cow;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use executor::{Failure, Function, Inputs, Interface, Invocation, PayloadRule, ResultRule};
use types::function::FunctionType;

/// What a panicking function says, and nobody may read.
pub const PANIC_WORDS: &str = "plaintext in a panic";

struct Misbehaving {
    interface: Interface,
    run: fn(&mut Invocation<'_>) -> Result<String, Failure>,
}

impl Function for Misbehaving {
    fn interface(&self) -> &Interface {
        &self.interface
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        (self.run)(invocation)
    }
}

/// The built-in functions, and:
///
/// * `fails` with words of its own
/// * `panics` with [`PANIC_WORDS`]
/// * `naps` for as many milliseconds as its payload says, looking up now and then, for one party or several
/// * `snores` for as long, looking up never
pub fn all() -> Vec<Arc<dyn Function>> {
    let mut all = functions::builtins();
    all.push(misbehaving("fails", |_| Err(Failure::function("line 3: not to my taste"))));
    all.push(misbehaving("panics", |_| panic!("{PANIC_WORDS}")));
    all.push(misbehaving_for(FunctionType::Either, "naps", |invocation| {
        let end = Instant::now() + wanted(invocation);
        while Instant::now() < end {
            sleep(Duration::from_millis(5));
            invocation.checkpoint()?;
        }
        Ok("rested".to_owned())
    }));
    all.push(misbehaving("snores", |invocation| {
        sleep(wanted(invocation));
        Ok("rested".to_owned())
    }));
    all
}

fn wanted(invocation: &Invocation<'_>) -> Duration {
    Duration::from_millis(invocation.payload().and_then(|payload| payload.parse().ok()).unwrap_or(0))
}

fn misbehaving(name: &'static str, run: fn(&mut Invocation<'_>) -> Result<String, Failure>) -> Arc<dyn Function> {
    misbehaving_for(FunctionType::Single, name, run)
}

fn misbehaving_for(
    function_type: FunctionType,
    name: &'static str,
    run: fn(&mut Invocation<'_>) -> Result<String, Failure>,
) -> Arc<dyn Function> {
    let interface = Interface {
        name: Cow::Borrowed(name),
        version: 1,
        summary: Cow::Borrowed("misbehaves"),
        function_type,
        inputs: Inputs::at_least(0),
        payload: PayloadRule::Optional,
        outputs: Cow::Borrowed(&[]),
        result: ResultRule::Text,
        schema: Cow::Borrowed(""),
        counts: false,
    };
    Arc::new(Misbehaving { interface, run })
}
