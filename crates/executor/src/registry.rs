//! The functions that a node knows, by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::{Function, Interface};

/// Functions by name and version; made once, then only read.
#[derive(Clone, Default)]
pub struct Registry {
    functions: BTreeMap<String, BTreeMap<u32, Arc<dyn Function>>>,
}

impl Registry {
    /// A registry of these functions, each name and version once.
    pub fn new(functions: impl IntoIterator<Item = Arc<dyn Function>>) -> Result<Self, RegistryError> {
        let mut registry = Self::default();
        for function in functions {
            registry.add(function)?;
        }
        Ok(registry)
    }

    /// The function that `name` (its newest version) or `name@version` stands for.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Function>> {
        let Some((name, version)) = name.split_once('@') else {
            return self.functions.get(name)?.values().next_back();
        };
        let function = self.functions.get(name)?.get(&version.parse().ok()?)?;
        // `parse` also takes "01" and "+1"; a version has one spelling.
        (version == function.interface().version.to_string()).then_some(function)
    }

    /// What every function declares, by name, then version.
    pub fn list(&self) -> impl Iterator<Item = &Interface> {
        self.functions.values().flat_map(BTreeMap::values).map(|function| function.interface())
    }

    fn add(&mut self, function: Arc<dyn Function>) -> Result<(), RegistryError> {
        let Interface { name, version, .. } = function.interface();
        let (name, version) = (name.to_string(), *version);
        if !is_name(&name) {
            return Err(RegistryError::Name(name));
        }
        let versions = self.functions.entry(name.clone()).or_default();
        match versions.insert(version, function) {
            None => Ok(()),
            Some(_) => Err(RegistryError::Twice { name, version }),
        }
    }
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.list().map(Interface::reference)).finish()
    }
}

/// Why functions do not make a registry.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RegistryError {
    /// A name is not 1 to 64 of `a–z 0–9 _`.
    #[error("{0:?} is not a function name (1 to 64 of a-z, 0-9 and _)")]
    Name(String),
    /// Two functions have the same name and version.
    #[error("function {name}@{version} is there twice")]
    Twice {
        /// Their name.
        name: String,
        /// Their version.
        version: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Failure, Inputs, Invocation, PayloadRule, ResultRule};

    struct Named(Interface);

    impl Function for Named {
        fn interface(&self) -> &Interface {
            &self.0
        }

        fn run(&self, _: &mut Invocation<'_>) -> Result<String, Failure> {
            Ok(String::new())
        }
    }

    fn registry(functions: &[(&str, u32)]) -> Result<Registry, RegistryError> {
        Registry::new(functions.iter().map(|(name, version)| -> Arc<dyn Function> {
            Arc::new(Named(Interface {
                name: (*name).to_owned().into(),
                version: *version,
                summary: "".into(),
                function_type: types::function::FunctionType::Single,
                inputs: Inputs::NONE,
                payload: PayloadRule::Refused,
                outputs: [].as_slice().into(),
                result: ResultRule::Text,
                schema: "".into(),
                counts: false,
            }))
        }))
    }

    #[test]
    fn a_name_stands_for_its_newest_version() {
        let registry = registry(&[("b", 10), ("a", 1), ("b", 9)]).unwrap();
        assert_eq!(format!("{registry:?}"), r#"{"a@1", "b@9", "b@10"}"#);
        for (name, found) in [
            ("a", Some("a@1")),
            ("b", Some("b@10")),
            ("b@9", Some("b@9")),
            ("b@10", Some("b@10")),
            ("b@8", None),
            ("b@09", None),
            ("b@+9", None),
            ("b@", None),
            ("b@9@9", None),
            ("@9", None),
            ("c", None),
            ("", None),
        ] {
            let reference = registry.get(name).map(|function| function.interface().reference());
            assert_eq!(reference.as_deref(), found, "{name:?}");
        }
    }

    #[test]
    fn names_are_names_and_versions_occur_once() {
        let twice = RegistryError::Twice { name: "a".into(), version: 2 };
        assert_eq!(registry(&[("a", 2), ("a", 1), ("a", 2)]).unwrap_err(), twice);
        assert!(registry(&[(&"x".repeat(64), 1)]).is_ok());
        for name in ["", "A", "a@1", "a b", "é", "a-b", &"x".repeat(65)] {
            assert_eq!(registry(&[(name, 1)]).unwrap_err(), RegistryError::Name(name.into()));
        }
    }
}
