//! `wasi:filesystem/types`: opening, reading and writing what is in the [tree](super::tree).

use wasmtime::component::Resource;

use super::bindings::wasi::filesystem::types::{
    self, Advice, DescriptorFlags, DescriptorStat, DescriptorType, ErrorCode, HostDescriptor, MetadataHashValue,
    NewTimestamp, OpenFlags, PathFlags,
};
use super::directory::Listing;
use super::fault::{FileFault, Reported, StreamFault};
use super::host::Host;
use super::reader::{SharedReader, slice};
use super::streams::{Source, Target};
use super::tree::{Node, Written};
use crate::Output;

/// An open file or directory.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Descriptor {
    node: Node,
    flags: DescriptorFlags,
    reader: Option<SharedReader>,
}

impl Descriptor {
    pub(super) fn directory(node: Node) -> Self {
        Self { node, flags: DescriptorFlags::READ, reader: None }
    }

    pub(super) fn node(&self) -> Node {
        self.node
    }

    /// The output behind it, if it was opened for writing.
    pub(super) fn output(&self) -> Result<Output, ErrorCode> {
        match self.node {
            Node::Output(output) if self.flags.contains(DescriptorFlags::WRITE) => Ok(output),
            node if node.is_directory() => Err(ErrorCode::IsDirectory),
            _ => Err(ErrorCode::BadDescriptor),
        }
    }

    fn file(node: Node, flags: DescriptorFlags) -> Self {
        let reader = match node {
            Node::Input(input) => Some(SharedReader::new(input)),
            _ => None,
        };
        Self { node, flags, reader }
    }
}

impl Host {
    fn node(&self, descriptor: &Resource<Descriptor>) -> Result<Node, FileFault> {
        Ok(self.table.get(descriptor)?.node)
    }

    /// Where `path` leads, if something is there.
    fn find(&self, from: &Resource<Descriptor>, path: &str) -> Result<Node, FileFault> {
        Ok(self.tree.find(self.node(from)?, path)?)
    }

    fn describe(&self, node: Node) -> DescriptorStat {
        DescriptorStat {
            type_: node.descriptor_type(),
            link_count: 1,
            size: self.tree.size(node),
            data_access_timestamp: None,
            data_modification_timestamp: None,
            status_change_timestamp: None,
        }
    }

    fn writable(&self, descriptor: &Resource<Descriptor>) -> Result<Output, FileFault> {
        Ok(self.table.get(descriptor)?.output()?)
    }

    fn source(&self, descriptor: &Resource<Descriptor>, position: u64) -> Result<Source, FileFault> {
        Ok(self.source_of(self.table.get(descriptor)?, position)?)
    }

    /// What is read through a descriptor from some place on.
    pub(super) fn source_of(&self, open: &Descriptor, position: u64) -> Result<Source, ErrorCode> {
        match (open.node, &open.reader) {
            (_, Some(reader)) => Ok(Source::Input { reader: reader.clone(), position }),
            (Node::Script(script), _) => {
                Ok(Source::Script { content: self.tree.scripts[script].content.clone(), position })
            }
            // What was written is its recipient's.
            (Node::Output(_), _) => Err(ErrorCode::NotPermitted),
            _ => Err(ErrorCode::IsDirectory),
        }
    }

    /// Opens what `path` leads to.
    pub(super) async fn open(
        &mut self,
        from: Node,
        path: &str,
        how: OpenFlags,
        flags: DescriptorFlags,
    ) -> Result<Descriptor, FileFault> {
        let node = match self.tree.walk(from, path) {
            // Nothing can be created but outputs.
            Err(ErrorCode::NoEntry) if how.contains(OpenFlags::CREATE) => return Err(ErrorCode::NotPermitted.into()),
            node => node?,
        };
        match node {
            Node::Output(output) => self.open_output(output, how, flags).await?,
            node => check_open(node, how, flags)?,
        }
        Ok(Descriptor::file(node, flags))
    }

    async fn open_output(&mut self, output: Output, how: OpenFlags, flags: DescriptorFlags) -> Result<(), FileFault> {
        let written = self.tree.outputs.get(&output).map(|written| written.bytes);
        if must_create(written, how, flags)? {
            let stream = self.door.output(output).await?;
            self.tree.outputs.insert(output, Written { stream, bytes: 0 });
        }
        Ok(())
    }
}

/// Whether an output has to be created to be opened in this way; `written` is what is in it if it is there.
fn must_create(written: Option<u64>, how: OpenFlags, flags: DescriptorFlags) -> Result<bool, ErrorCode> {
    let writes = flags.contains(DescriptorFlags::WRITE);
    match written {
        Some(_) if !writes => Err(ErrorCode::Access),
        Some(_) if how.contains(OpenFlags::EXCLUSIVE) => Err(ErrorCode::Exist),
        Some(_) if how.contains(OpenFlags::DIRECTORY) => Err(ErrorCode::NotDirectory),
        // What was written is on its way.
        Some(1..) if how.contains(OpenFlags::TRUNCATE) => Err(ErrorCode::NotPermitted),
        Some(_) => Ok(false),
        None if writes && how.contains(OpenFlags::CREATE) => Ok(true),
        None => Err(ErrorCode::NoEntry),
    }
}

/// Whether a file or directory that is there, and not an output, can be opened in this way.
fn check_open(node: Node, how: OpenFlags, flags: DescriptorFlags) -> Result<(), ErrorCode> {
    if how.contains(OpenFlags::CREATE | OpenFlags::EXCLUSIVE) {
        return Err(ErrorCode::Exist);
    }
    let changes = flags.contains(DescriptorFlags::WRITE) || how.contains(OpenFlags::TRUNCATE);
    match (node.is_directory(), changes) {
        (true, true) => Err(ErrorCode::IsDirectory),
        (false, true) => Err(ErrorCode::ReadOnly),
        (false, false) if how.contains(OpenFlags::DIRECTORY) => Err(ErrorCode::NotDirectory),
        _ => Ok(()),
    }
}

impl types::Host for Host {
    fn convert_error_code(&mut self, fault: FileFault) -> wasmtime::Result<ErrorCode> {
        match fault {
            FileFault::Code(code) => Ok(code),
            FileFault::End(error) => Err(error),
        }
    }

    fn filesystem_error_code(&mut self, error: Resource<Reported>) -> wasmtime::Result<Option<ErrorCode>> {
        Ok(Some(self.table.get(&error)?.0))
    }
}

impl HostDescriptor for Host {
    fn read_via_stream(&mut self, file: Resource<Descriptor>, offset: u64) -> Result<Resource<Source>, FileFault> {
        let source = self.source(&file, offset)?;
        Ok(self.table.push(source)?)
    }

    fn write_via_stream(&mut self, file: Resource<Descriptor>, offset: u64) -> Result<Resource<Target>, FileFault> {
        let output = self.writable(&file)?;
        Ok(self.table.push(Target::Output { output, position: Some(offset) })?)
    }

    fn append_via_stream(&mut self, file: Resource<Descriptor>) -> Result<Resource<Target>, FileFault> {
        let output = self.writable(&file)?;
        Ok(self.table.push(Target::Output { output, position: None })?)
    }

    fn advise(&mut self, _: Resource<Descriptor>, _: u64, _: u64, _: Advice) -> Result<(), FileFault> {
        Ok(())
    }

    fn sync_data(&mut self, _: Resource<Descriptor>) -> Result<(), FileFault> {
        Ok(())
    }

    fn get_flags(&mut self, file: Resource<Descriptor>) -> Result<DescriptorFlags, FileFault> {
        Ok(self.table.get(&file)?.flags)
    }

    fn get_type(&mut self, file: Resource<Descriptor>) -> Result<DescriptorType, FileFault> {
        Ok(self.node(&file)?.descriptor_type())
    }

    fn set_size(&mut self, file: Resource<Descriptor>, size: u64) -> Result<(), FileFault> {
        let output = self.writable(&file)?;
        let same = self.tree.size(Node::Output(output)) == size;
        if same { Ok(()) } else { Err(ErrorCode::NotPermitted.into()) }
    }

    fn set_times(&mut self, _: Resource<Descriptor>, _: NewTimestamp, _: NewTimestamp) -> Result<(), FileFault> {
        Err(ErrorCode::NotPermitted.into())
    }

    async fn read(
        &mut self,
        file: Resource<Descriptor>,
        length: u64,
        offset: u64,
    ) -> Result<(Vec<u8>, bool), FileFault> {
        let bytes = match self.source(&file, offset)? {
            Source::Input { reader, .. } => reader.read(offset, length, &self.door).await.map_err(of_file)?,
            Source::Script { content, .. } => slice(&content, offset, length),
            Source::Payload => return Err(ErrorCode::BadDescriptor.into()),
        };
        let end = bytes.is_empty() && length > 0;
        Ok((bytes, end))
    }

    fn write(&mut self, file: Resource<Descriptor>, bytes: Vec<u8>, offset: u64) -> Result<u64, FileFault> {
        let output = self.writable(&file)?;
        self.append(output, Some(offset), &bytes).map_err(of_file)?;
        Ok(bytes.len() as u64)
    }

    fn read_directory(&mut self, directory: Resource<Descriptor>) -> Result<Resource<Listing>, FileFault> {
        let node = self.node(&directory)?;
        if !node.is_directory() {
            return Err(ErrorCode::NotDirectory.into());
        }
        let listing = Listing::new(self.tree.list(node));
        Ok(self.table.push(listing)?)
    }

    fn sync(&mut self, _: Resource<Descriptor>) -> Result<(), FileFault> {
        Ok(())
    }

    fn create_directory_at(&mut self, from: Resource<Descriptor>, path: String) -> Result<(), FileFault> {
        let there = self.find(&from, &path).is_ok();
        Err(if there { ErrorCode::Exist } else { ErrorCode::NotPermitted }.into())
    }

    fn stat(&mut self, file: Resource<Descriptor>) -> Result<DescriptorStat, FileFault> {
        Ok(self.describe(self.node(&file)?))
    }

    fn stat_at(&mut self, from: Resource<Descriptor>, _: PathFlags, path: String) -> Result<DescriptorStat, FileFault> {
        Ok(self.describe(self.find(&from, &path)?))
    }

    fn set_times_at(
        &mut self,
        _: Resource<Descriptor>,
        _: PathFlags,
        _: String,
        _: NewTimestamp,
        _: NewTimestamp,
    ) -> Result<(), FileFault> {
        Err(ErrorCode::NotPermitted.into())
    }

    fn link_at(
        &mut self,
        _: Resource<Descriptor>,
        _: PathFlags,
        _: String,
        _: Resource<Descriptor>,
        _: String,
    ) -> Result<(), FileFault> {
        Err(ErrorCode::NotPermitted.into())
    }

    async fn open_at(
        &mut self,
        from: Resource<Descriptor>,
        _: PathFlags,
        path: String,
        how: OpenFlags,
        flags: DescriptorFlags,
    ) -> Result<Resource<Descriptor>, FileFault> {
        let descriptor = self.open(self.node(&from)?, &path, how, flags).await?;
        Ok(self.table.push(descriptor)?)
    }

    fn readlink_at(&mut self, from: Resource<Descriptor>, path: String) -> Result<String, FileFault> {
        self.find(&from, &path)?;
        Err(ErrorCode::Invalid.into())
    }

    fn remove_directory_at(&mut self, _: Resource<Descriptor>, _: String) -> Result<(), FileFault> {
        Err(ErrorCode::NotPermitted.into())
    }

    fn rename_at(
        &mut self,
        _: Resource<Descriptor>,
        _: String,
        _: Resource<Descriptor>,
        _: String,
    ) -> Result<(), FileFault> {
        Err(ErrorCode::NotPermitted.into())
    }

    fn symlink_at(&mut self, _: Resource<Descriptor>, _: String, _: String) -> Result<(), FileFault> {
        Err(ErrorCode::NotPermitted.into())
    }

    fn unlink_file_at(&mut self, _: Resource<Descriptor>, _: String) -> Result<(), FileFault> {
        Err(ErrorCode::NotPermitted.into())
    }

    fn is_same_object(&mut self, one: Resource<Descriptor>, other: Resource<Descriptor>) -> wasmtime::Result<bool> {
        Ok(self.table.get(&one)?.node == self.table.get(&other)?.node)
    }

    fn metadata_hash(&mut self, file: Resource<Descriptor>) -> Result<MetadataHashValue, FileFault> {
        Ok(hash(self.node(&file)?))
    }

    fn metadata_hash_at(
        &mut self,
        from: Resource<Descriptor>,
        _: PathFlags,
        path: String,
    ) -> Result<MetadataHashValue, FileFault> {
        Ok(hash(self.find(&from, &path)?))
    }

    fn drop(&mut self, descriptor: Resource<Descriptor>) -> wasmtime::Result<()> {
        self.table.delete(descriptor)?;
        Ok(())
    }
}

fn hash(node: Node) -> MetadataHashValue {
    let (upper, lower) = node.inode();
    MetadataHashValue { lower, upper }
}

fn of_file(fault: StreamFault) -> FileFault {
    match fault {
        StreamFault::Closed => ErrorCode::Io.into(),
        StreamFault::Code(code) => code.into(),
        StreamFault::End(error) => FileFault::End(error),
    }
}
