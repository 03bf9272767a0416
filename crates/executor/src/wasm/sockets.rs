//! `wasi:sockets` as far as it goes here: whoever imports it links, and whoever calls it is refused.
//!
//! Python and JavaScript import the network also where they never use it. Nothing is implemented: each function whose
//! type can say so answers `access-denied`, every other one ends the run.

use wasmtime::component::types::{ComponentInstance, ComponentItem, Type};
use wasmtime::component::{Component, Linker, LinkerInstance, Resource, ResourceType, Val};
use wasmtime::{Engine, StoreContextMut};

use super::fault::Reported;
use super::host::Host;
use super::poll::Pollable;
use super::streams::{Source, Target};
use crate::Failure;

/// What the imports that are denied have in common.
pub(super) const PACKAGE: &str = "wasi:sockets/";

/// Any handle of the network's.
struct Denied;

/// Links what `component` imports of the network.
pub(super) fn deny(component: &Component, engine: &Engine, linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    for (name, import) in component.component_type().imports(engine) {
        if let (true, ComponentItem::ComponentInstance(instance)) = (name.starts_with(PACKAGE), import.ty) {
            deny_instance(&instance, engine, &mut linker.instance(name)?)?;
        }
    }
    Ok(())
}

fn deny_instance(
    instance: &ComponentInstance,
    engine: &Engine,
    linker: &mut LinkerInstance<'_, Host>,
) -> wasmtime::Result<()> {
    for (name, export) in instance.exports(engine) {
        match export.ty {
            ComponentItem::Resource(_) => linker.resource(name, resource(name), |_, _| Ok(()))?,
            ComponentItem::ComponentFunc(_) => {
                linker.func_new(name, |mut store, ty, _, results| {
                    for (result, ty) in results.iter_mut().zip(ty.results()) {
                        *result = refusal(&mut store, &ty)?;
                    }
                    Ok(())
                })?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The type of a resource: the network's own are all alike, others it takes from `wasi:io` under their names there.
fn resource(name: &str) -> ResourceType {
    match name {
        "pollable" => ResourceType::host::<Pollable>(),
        "input-stream" => ResourceType::host::<Source>(),
        "output-stream" => ResourceType::host::<Target>(),
        "error" => ResourceType::host::<Reported>(),
        _ => ResourceType::host::<Denied>(),
    }
}

fn refusal(store: &mut StoreContextMut<'_, Host>, ty: &Type) -> wasmtime::Result<Val> {
    match ty {
        Type::Result(result) => match result.err() {
            Some(Type::Enum(codes)) if codes.names().any(|code| code == "access-denied") => {
                Ok(Val::Result(Err(Some(Box::new(Val::Enum("access-denied".to_owned()))))))
            }
            _ => Err(no_network()),
        },
        // `instance-network` cannot fail; what it gives is good for nothing.
        Type::Own(_) => Ok(Val::Resource(Resource::<Denied>::new_own(0).try_into_resource_any(store)?)),
        _ => Err(no_network()),
    }
}

fn no_network() -> wasmtime::Error {
    Failure::function("the function uses the network, which functions don't have").into()
}
