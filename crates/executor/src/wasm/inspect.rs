//! Looks at code without compiling it.

use std::collections::BTreeSet;

use serde::Serialize;
use wasmparser::{
    BinaryReaderError, ComponentExternalKind, ExternalKind, Parser, Payload, TypeRef, Validator, WasmFeatures,
};

use super::{Refused, preview1, sockets};

/// What code is, as far as it can be seen from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// Its form.
    pub kind: Kind,
    /// Its size.
    pub bytes: usize,
    /// What it imports: `module::name` for a module, interfaces for a component; each once, in order of their names.
    pub imports: Vec<String>,
    /// What it exports, likewise.
    pub exports: Vec<String>,
}

/// The two forms of code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A core module, which is a WASI preview 1 command.
    Module,
    /// A component, which exports `wasi:cli/run`.
    Component,
}

impl Kind {
    /// The export at which it starts.
    pub(super) fn entry(self) -> &'static str {
        match self {
            Self::Module => "_start",
            Self::Component => "wasi:cli/run@0.2",
        }
    }
}

/// The interfaces of WASI 0.2 that are there; `wit/world.wit` is the same list.
const INTERFACES: [&str; 20] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// What code may use of WebAssembly: what compilers emit by default, nothing that is not deterministic.
pub(super) fn features() -> WasmFeatures {
    WasmFeatures::WASM2
        | WasmFeatures::COMPONENT_MODEL
        | WasmFeatures::TAIL_CALL
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::MULTI_MEMORY
        | WasmFeatures::RELAXED_SIMD
}

/// Checks everything that can be checked without compiling.
pub(super) fn inspect(code: &[u8], limit: usize) -> Result<Inspection, Refused> {
    if code.len() > limit {
        return Err(Refused::TooLarge { bytes: code.len(), limit });
    }
    if !code.starts_with(b"\0asm") {
        return Err(Refused::NotWasm { hint: hint(code) });
    }
    Validator::new_with_features(features()).validate_all(code)?;
    let surface = Surface::read(code)?;
    match surface.kind {
        Kind::Module => surface.check_module()?,
        Kind::Component => surface.check_component()?,
    }
    Ok(surface.into_inspection(code.len()))
}

fn hint(code: &[u8]) -> &'static str {
    let text = code.trim_ascii_start();
    if text.starts_with(b"(module") || text.starts_with(b"(component") || text.starts_with(b";;") {
        return " but its text form: assemble it first (`wasm-tools parse`)";
    }
    if code.starts_with(b"\x7fELF") {
        return " but a program for this kind of machine: compile it for wasm32-wasip1 or wasm32-wasip2";
    }
    ""
}

impl From<BinaryReaderError> for Refused {
    fn from(error: BinaryReaderError) -> Self {
        Self::Invalid { reason: error.message().to_owned(), offset: error.offset() }
    }
}

/// Imports and exports of the outermost module or component.
struct Surface {
    kind: Kind,
    imports: BTreeSet<Import>,
    functions: BTreeSet<String>,
    instances: BTreeSet<String>,
    others: BTreeSet<String>,
    memory: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Import {
    module: String,
    name: String,
    function: bool,
}

impl Surface {
    fn read(code: &[u8]) -> Result<Self, Refused> {
        let mut surface = Self {
            kind: Kind::Module,
            imports: BTreeSet::new(),
            functions: BTreeSet::new(),
            instances: BTreeSet::new(),
            others: BTreeSet::new(),
            memory: false,
        };
        let mut depth = 0;
        for payload in Parser::new(0).parse_all(code) {
            match payload? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) if depth > 0 => depth -= 1,
                payload if depth == 0 => surface.add(payload)?,
                _ => {}
            }
        }
        Ok(surface)
    }

    fn add(&mut self, payload: Payload<'_>) -> Result<(), Refused> {
        match payload {
            Payload::Version { encoding: wasmparser::Encoding::Component, .. } => self.kind = Kind::Component,
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    let function = matches!(import.ty, TypeRef::Func(_) | TypeRef::FuncExact(_));
                    self.import(import.module, import.name, function);
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section {
                    let import = import?;
                    let instance = matches!(import.ty, wasmparser::ComponentTypeRef::Instance(_));
                    self.import("", import.name.name, instance);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    self.memory |= export.kind == ExternalKind::Memory && export.name == "memory";
                    self.export(export.name, export.kind == ExternalKind::Func, false);
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    let export = export?;
                    self.export(export.name.name, false, export.kind == ComponentExternalKind::Instance);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, module: &str, name: &str, function: bool) {
        self.imports.insert(Import { module: module.to_owned(), name: name.to_owned(), function });
    }

    fn export(&mut self, name: &str, function: bool, instance: bool) {
        let names = match (function, instance) {
            (true, _) => &mut self.functions,
            (_, true) => &mut self.instances,
            _ => &mut self.others,
        };
        names.insert(name.to_owned());
    }

    fn check_module(&self) -> Result<(), Refused> {
        for import in &self.imports {
            let known = import.module == preview1::MODULE && import.function && preview1::has(&import.name);
            if !known {
                return Err(Refused::Import { name: import.full_name(), hint: "only WASI preview 1" });
            }
        }
        if !self.functions.contains(Kind::Module.entry()) {
            return Err(Refused::NoEntry(Kind::Module));
        }
        if self.memory { Ok(()) } else { Err(Refused::NoMemory) }
    }

    fn check_component(&self) -> Result<(), Refused> {
        for import in &self.imports {
            if !(import.function && is_there(&import.name)) {
                return Err(Refused::Import { name: import.full_name(), hint: "only WASI 0.2 without network" });
            }
        }
        let entry = |name: &String| interface(name).is_some_and(|name| name == "wasi:cli/run");
        if self.instances.iter().any(entry) { Ok(()) } else { Err(Refused::NoEntry(Kind::Component)) }
    }

    fn into_inspection(self, bytes: usize) -> Inspection {
        let imports = self.imports.iter().map(Import::full_name).collect();
        let mut exports: Vec<String> = [self.functions, self.instances, self.others].into_iter().flatten().collect();
        exports.sort();
        exports.dedup();
        Inspection { kind: self.kind, bytes, imports, exports }
    }
}

impl Import {
    fn full_name(&self) -> String {
        if self.module.is_empty() { self.name.clone() } else { format!("{}::{}", self.module, self.name) }
    }
}

/// The name without its version, which must be 0.2.
fn interface(name: &str) -> Option<&str> {
    let (name, version) = name.split_once('@')?;
    version.strip_prefix("0.2.")?.parse::<u32>().ok().map(|_| name)
}

fn is_there(name: &str) -> bool {
    interface(name).is_some_and(|name| INTERFACES.contains(&name) || name.starts_with(sockets::PACKAGE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interfaces_are_those_of_the_world() {
        let world = include_str!("../../wit/world.wit");
        let imports = world.lines().filter_map(|line| line.trim().strip_prefix("import ")?.strip_suffix("@0.2.12;"));
        assert_eq!(imports.collect::<BTreeSet<_>>(), BTreeSet::from(INTERFACES));
    }

    #[test]
    fn versions_are_of_0_2() {
        for (name, there) in [
            ("wasi:cli/exit@0.2.0", true),
            ("wasi:cli/exit@0.2.12", true),
            ("wasi:sockets/tcp@0.2.3", true),
            ("wasi:cli/exit@0.3.0", false),
            ("wasi:cli/exit@0.2.x", false),
            ("wasi:cli/exit@0.2.0-rc-2023-11-10", false),
            ("wasi:cli/exit", false),
            ("wasi:http/types@0.2.0", false),
        ] {
            assert_eq!(is_there(name), there, "{name}");
        }
    }
}
