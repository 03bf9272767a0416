//! Functions: those that nodes offer, and those that users registered.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use rpc::authn::Principal;
use serde::{Deserialize, Serialize};
use store::{NewestFirst, Range, Records, Store, StoreError, Table, Transaction};
use types::digest::Digest;
use types::function::{FunctionInfo, Language, Runtime};
use types::user::UserId;

use super::INTENDED;
use crate::Error;
use crate::authz::{self, Permit, Register, Use};
use crate::function::{MAX_VERSIONS, Version};

/// Functions that some node offers.
const FUNCTIONS: Table<String, FunctionRow> = Table::new("functions");
/// Every name that a node ever offered: users can't have them.
const BUILT_IN_NAMES: Table<String, ()> = Table::new("names of built-in functions");
/// The languages that nodes run, by language and interpreter.
const RUNTIMES: Table<(String, String), RuntimeRow> = Table::new("function runtimes");
/// Users' functions by name.
const NAMES: Table<String, NameRow> = Table::new("users' functions");
/// Their versions.
const VERSIONS: Table<(String, NewestFirst), Version> = Table::new("versions of users' functions");
/// By reader: the functions of which there is a version that the reader may use.
const READERS: Table<(String, String), ()> = Table::new("users' functions by reader");

/// The reader in [`READERS`] that stands for everybody. It is no user's name.
const EVERYBODY: &str = "*";

/// A function and the nodes that offer it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FunctionRow {
    pub(crate) info: FunctionInfo,
    pub(crate) nodes: Vec<SocketAddr>,
}

/// An interpreter and the nodes that have it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RuntimeRow {
    pub(crate) runtime: Runtime,
    pub(crate) nodes: Vec<SocketAddr>,
}

/// A name: whose it is, and its last version.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct NameRow {
    author: UserId,
    latest: u32,
}

/// A name in a list.
pub(crate) enum Listed {
    /// A built-in.
    BuiltIn(FunctionInfo),
    /// The newest version in use of a user's function.
    Users(Box<Usable>),
}

/// A version of a user's function that somebody may use.
pub(crate) struct Usable {
    pub(crate) permit: Permit<Use>,
    pub(crate) number: u32,
    pub(crate) version: Version,
}

/// A built-in function, by its name.
pub(crate) async fn built_in(store: &Store, name: String) -> Result<Option<FunctionRow>, StoreError> {
    store.read(move |snapshot| snapshot.get(&FUNCTIONS, name.as_str())).await
}

/// The nodes that run a language; of several interpreters, the one that most of them have.
pub(crate) async fn runtime(store: &Store, language: Language) -> Result<Option<RuntimeRow>, StoreError> {
    store
        .read(move |snapshot| {
            let rows = snapshot.scan(&RUNTIMES, Range::starting_with(name_of(language)), usize::MAX)?;
            Ok(rows.into_iter().map(|(_, row)| row).max_by_key(|row| row.nodes.len()))
        })
        .await
}

/// A version of a user's function that the caller may use: that one, or the newest in use, or else the newest.
pub(crate) async fn version(
    store: &Store,
    name: String,
    version: Option<u32>,
    caller: Principal,
) -> Result<Option<Usable>, StoreError> {
    store.read(move |snapshot| find(snapshot, &name, version, &caller)).await
}

fn find(
    records: &impl Records,
    name: &str,
    version: Option<u32>,
    caller: &Principal,
) -> Result<Option<Usable>, StoreError> {
    if records.get(&BUILT_IN_NAMES, name)?.is_some() {
        return Ok(None);
    }
    let usable = |number: u32, version: Version| {
        authz::use_function(caller, &version).map(|permit| Usable { permit, number, version })
    };
    if let Some(number) = version {
        let found = records.get(&VERSIONS, (name, NewestFirst(number.into())))?;
        return Ok(found.and_then(|version| usable(number, version)));
    }
    let all = records.scan(&VERSIONS, Range::starting_with(name), MAX_VERSIONS)?;
    let numbered = |((_, NewestFirst(number)), version)| usable(u32::try_from(number).ok()?, version);
    let mut usable: Vec<_> = all.into_iter().filter_map(numbered).collect();
    let at = usable.iter().position(|found| !found.version.disabled).unwrap_or(0);
    Ok((at < usable.len()).then(|| usable.swap_remove(at)))
}

/// Checks that the caller may register versions under a name, before anything is held for it.
pub(crate) async fn check_name(store: &Store, name: String, caller: Principal) -> Result<(), Error> {
    store.read(move |snapshot| next_version(snapshot, &name, &caller).map(|_| ())).await
}

/// The number that a new version gets, and the leave to add it.
fn next_version(records: &impl Records, name: &str, caller: &Principal) -> Result<(Permit<Register>, u32), Error> {
    if records.get(&BUILT_IN_NAMES, name)?.is_some() {
        return Err(Error::NameTaken(name.to_owned()));
    }
    let row = records.get(&NAMES, name)?;
    let permit = authz::register(caller, name, row.as_ref().map(|row| &row.author))?;
    match row {
        None => Ok((permit, 1)),
        Some(row) if row.latest as usize >= MAX_VERSIONS => {
            Err(Error::field("function_name", format!("{name} has {MAX_VERSIONS} versions, which is all there can be")))
        }
        Some(row) => Ok((permit, row.latest + 1)),
    }
}

/// Adds a version of the caller's; its number.
pub(crate) async fn add_version(
    store: &Store,
    name: String,
    version: Version,
    caller: Principal,
) -> Result<u32, Error> {
    store
        .write(move |tx| {
            let (permit, number) = next_version(tx, &name, &caller)?;
            let author = permit.user();
            tx.insert(&NAMES, name.as_str(), &NameRow { author: author.clone(), latest: number })?;
            tx.insert(&VERSIONS, (name.as_str(), NewestFirst(number.into())), &version)?;
            let readers = version.allow.iter().chain([author]).map(UserId::as_str);
            for reader in readers.chain(version.public.then_some(EVERYBODY)) {
                tx.insert(&READERS, (reader, name.as_str()), &())?;
            }
            tx.remove(&INTENDED, version.hold.as_str())?;
            Ok(number)
        })
        .await
}

/// Takes a version, or all of them, out of use; which of those that were named are out of use now.
pub(crate) async fn disable(
    store: &Store,
    name: String,
    version: Option<u32>,
    caller: Principal,
) -> Result<Vec<u32>, Error> {
    store
        .write(move |tx| {
            let found = find(tx, &name, version, &caller)?.ok_or_else(|| Error::NoSuchFunction(name.clone()))?;
            authz::disable(&caller, &name, &found.version.author)?;
            let rows = tx.scan(&VERSIONS, Range::starting_with(name.as_str()), MAX_VERSIONS)?;
            let mut numbers = Vec::new();
            for ((_, number), row) in rows {
                let number = (number, u32::try_from(number.0).unwrap_or(u32::MAX));
                if version.is_some_and(|version| version != number.1) {
                    continue;
                }
                tx.insert(&VERSIONS, (name.as_str(), number.0), &Version { disabled: true, ..row })?;
                numbers.push(number.1);
            }
            Ok(numbers)
        })
        .await
}

/// One page of what the caller may use, by name, and the name where the next one begins.
pub(crate) async fn list(
    store: &Store,
    caller: Principal,
    after: Option<String>,
    limit: usize,
) -> Result<(Vec<(String, Listed)>, Option<String>), StoreError> {
    store
        .read(move |snapshot| {
            let mut names = BTreeMap::new();
            for reader in [EVERYBODY, caller.user().as_str()] {
                let mut range = Range::starting_with(reader);
                if let Some(name) = &after {
                    range = range.after((reader, name.as_str()));
                }
                names
                    .extend(snapshot.scan(&READERS, range, limit + 1)?.into_iter().map(|((_, name), ())| (name, None)));
            }
            let mut range = Range::all();
            if let Some(name) = &after {
                range = range.after(name.as_str());
            }
            names.extend(snapshot.scan(&FUNCTIONS, range, limit + 1)?.into_iter().map(|(name, row)| (name, Some(row))));
            let more = names.len() > limit;
            let (mut page, mut last) = (Vec::new(), None);
            for (name, row) in names.into_iter().take(limit) {
                let found = match row {
                    Some(row) => Some(Listed::BuiltIn(row.info)),
                    None => find(snapshot, &name, None, &caller)?
                        .filter(|found| !found.version.disabled)
                        .map(|found| Listed::Users(Box::new(found))),
                };
                last = Some(name.clone());
                page.extend(found.map(|found| (name, found)));
            }
            Ok((page, last.filter(|_| more)))
        })
        .await
}

/// Notes what a node offers, in place of what it offered before.
pub(crate) async fn offer(
    store: &Store,
    node: SocketAddr,
    functions: Vec<FunctionInfo>,
    runtimes: Vec<Runtime>,
) -> Result<(), StoreError> {
    store
        .write(move |tx| {
            forget_node(tx, node, &functions)?;
            for info in &functions {
                let name = info.function.name.as_str();
                let before = tx.get(&FUNCTIONS, name)?;
                tx.insert(&FUNCTIONS, name, &with_node(before, info, node))?;
                if tx.get(&BUILT_IN_NAMES, name)?.is_none() {
                    tx.insert(&BUILT_IN_NAMES, name, &())?;
                }
            }
            offer_runtimes(tx, node, &runtimes)
        })
        .await
}

/// A newer version replaces an older one and its nodes; the same version gains a node.
fn with_node(before: Option<FunctionRow>, info: &FunctionInfo, node: SocketAddr) -> FunctionRow {
    let mut nodes = match before {
        Some(row) if row.info == *info => row.nodes,
        Some(row) if row.info.function.version > info.function.version => return row,
        _ => Vec::new(),
    };
    if !nodes.contains(&node) {
        nodes.push(node);
    }
    FunctionRow { info: info.clone(), nodes }
}

fn forget_node(tx: &mut Transaction<'_>, node: SocketAddr, keeps: &[FunctionInfo]) -> Result<(), StoreError> {
    for (name, mut row) in tx.scan(&FUNCTIONS, .., usize::MAX)? {
        if !row.nodes.contains(&node) || keeps.contains(&row.info) {
            continue;
        }
        row.nodes.retain(|other| *other != node);
        if row.nodes.is_empty() {
            tx.remove(&FUNCTIONS, name.as_str())?;
        } else {
            tx.insert(&FUNCTIONS, name.as_str(), &row)?;
        }
    }
    Ok(())
}

fn offer_runtimes(tx: &mut Transaction<'_>, node: SocketAddr, runtimes: &[Runtime]) -> Result<(), StoreError> {
    let mut rows: BTreeMap<_, _> = tx.scan(&RUNTIMES, .., usize::MAX)?.into_iter().collect();
    for runtime in runtimes {
        let key =
            (name_of(runtime.language).to_owned(), runtime.digest.as_ref().map(Digest::to_string).unwrap_or_default());
        rows.entry(key).or_insert_with(|| RuntimeRow { runtime: *runtime, nodes: Vec::new() });
    }
    for ((language, digest), mut row) in rows {
        let (had, has) = (row.nodes.contains(&node), runtimes.contains(&row.runtime));
        if had == has {
            continue;
        }
        match has {
            true => row.nodes.push(node),
            false => row.nodes.retain(|other| *other != node),
        }
        if row.nodes.is_empty() {
            tx.remove(&RUNTIMES, (language.as_str(), digest.as_str()))?;
        } else {
            tx.insert(&RUNTIMES, (language.as_str(), digest.as_str()), &row)?;
        }
    }
    Ok(())
}

fn name_of(language: Language) -> &'static str {
    match language {
        Language::Wasm => "wasm",
        Language::Python => "python",
    }
}
