//! The built-in functions, one file each, pure over the executor's [`Invocation`](executor::Invocation).
//!
//! Nothing outside this crate knows their names: the host builds an [`executor::Registry`] from [`builtins`] and reads
//! what each declares. In messages inputs and lines count from 1.

mod blocks;
mod bytes_plus_one;
#[cfg(test)]
mod check;
mod concat;
mod crew;
mod echo;
mod echo_file;
mod file_bytes_plus_one;
mod lines;
mod private_join_and_compute;
mod psi;
mod spill;
mod swap_file;

use std::sync::Arc;

use executor::Function;

/// Every built-in function, by name.
pub fn builtins() -> Vec<Arc<dyn Function>> {
    vec![
        Arc::new(bytes_plus_one::BytesPlusOne),
        Arc::new(concat::Concat),
        Arc::new(echo::Echo),
        Arc::new(echo_file::EchoFile),
        Arc::new(file_bytes_plus_one::FileBytesPlusOne),
        Arc::new(private_join_and_compute::PrivateJoinAndCompute),
        Arc::new(psi::Psi),
        Arc::new(swap_file::SwapFile),
    ]
}

/// The result of functions whose answer is in their outputs.
const FINISHED: &str = "Finished";

#[cfg(test)]
mod tests {
    use executor::{Interface, Registry};

    use super::*;

    #[test]
    fn builtins_make_a_registry_in_the_same_order() {
        let listed: Vec<_> = builtins().iter().map(|f| f.interface().reference()).collect();
        let registry = Registry::new(builtins()).expect("distinct names");
        assert_eq!(registry.list().map(Interface::reference).collect::<Vec<_>>(), listed);
    }
}
