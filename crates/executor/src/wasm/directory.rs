//! Directories as guests list them.

use std::vec;

use wasmtime::component::Resource;

use super::bindings::wasi::filesystem::preopens;
use super::bindings::wasi::filesystem::types::{DescriptorType, DirectoryEntry, HostDirectoryEntryStream};
use super::descriptor::Descriptor;
use super::fault::FileFault;
use super::host::Host;
use super::tree::Node;

/// A listing and how far it was read.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Listing(vec::IntoIter<(String, Node)>);

impl Listing {
    pub(super) fn new(names: Vec<(String, Node)>) -> Self {
        Self(names.into_iter())
    }
}

impl Node {
    pub(super) fn descriptor_type(self) -> DescriptorType {
        if self.is_directory() { DescriptorType::Directory } else { DescriptorType::RegularFile }
    }
}

impl HostDirectoryEntryStream for Host {
    fn read_directory_entry(&mut self, listing: Resource<Listing>) -> Result<Option<DirectoryEntry>, FileFault> {
        let next = self.table.get_mut(&listing)?.0.next();
        Ok(next.map(|(name, node)| DirectoryEntry { type_: node.descriptor_type(), name }))
    }

    fn drop(&mut self, listing: Resource<Listing>) -> wasmtime::Result<()> {
        self.table.delete(listing)?;
        Ok(())
    }
}

impl preopens::Host for Host {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        Ok(vec![(self.table.push(Descriptor::directory(Node::Root))?, "/".to_owned())])
    }
}
