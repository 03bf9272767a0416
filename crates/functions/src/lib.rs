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
mod online_decrypt;
mod ordered_set_intersect;
mod ordered_set_join;
mod password_check;
mod pem;
mod private_join_and_compute;
mod psi;
mod rsa_sign;
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
        Arc::new(online_decrypt::OnlineDecrypt),
        Arc::new(ordered_set_intersect::OrderedSetIntersect),
        Arc::new(ordered_set_join::OrderedSetJoin),
        Arc::new(password_check::PasswordCheck),
        Arc::new(private_join_and_compute::PrivateJoinAndCompute),
        Arc::new(psi::Psi),
        Arc::new(rsa_sign::RsaSign),
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

    /// Every schema is JSON of schemas with examples, and the examples of a payload are taken: what the function then
    /// fails at are its empty inputs.
    #[test]
    fn schemas_are_json_and_functions_take_their_examples() {
        for function in builtins().into_iter().filter(|function| !function.interface().schema.is_empty()) {
            let interface = function.interface();
            let schema: serde_json::Value = serde_json::from_str(&interface.schema).expect("JSON");
            let known = ["inputs", "outputs", "payload", "result"];
            assert!(schema.as_object().expect("an object").keys().all(|key| known.contains(&key.as_str())));
            for example in schema["payload"]["examples"].as_array().into_iter().flatten() {
                let mut files = executor::memory::MemoryFiles::new(vec![b"".as_slice(); interface.inputs.min]);
                let limits = executor::Limits::default();
                let run = executor::run(
                    &*function,
                    Some(&example.to_string()),
                    &mut files,
                    &limits,
                    &executor::StopSignal::new(),
                );
                let said = run.map(|_| String::new()).unwrap_or_else(|failure| failure.to_string());
                assert!(!said.starts_with("payload"), "{}: {said}", interface.name);
            }
        }
    }
}
