//! The seeds of a deployment: the present generation's, and what is still needed of earlier ones.
//!
//! Generations count from 1. Generation 0 is a store that was made before there were seeds: all that is left of it is
//! that store's key.

use std::fmt;

use crypto::{Label, Refused, SealingKey};
use types::secret::SecretBytes;
use types::service::Role;

use super::seed::{RootSeed, SEED_LEN};

/// Generations that are carried along at most; a rotation a month fills it in five years.
pub const MAX_PREVIOUS: usize = 64;

/// Of which generation a key is.
pub type Generation = u32;

/// The seeds that a root holds.
pub struct Seeds {
    pub(super) generation: Generation,
    pub(super) current: RootSeed,
    /// Newest first.
    pub(super) previous: Vec<Previous>,
    pub(super) store_generation: Generation,
}

/// An earlier generation.
pub(super) struct Previous {
    pub(super) generation: Generation,
    pub(super) secret: Kept,
}

/// What is kept of an earlier generation.
pub(super) enum Kept {
    /// Its seed.
    Seed(RootSeed),
    /// The key of a store that was made before there were seeds.
    StoreKey(SealingKey),
}

/// Bytes are not the seeds of a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the seeds of a root")]
pub struct BadSeeds;

impl Seeds {
    /// Fresh seeds for a deployment that keeps nothing yet.
    pub fn generate() -> Self {
        Seeds { generation: 1, current: RootSeed::generate(), previous: Vec::new(), store_generation: 1 }
    }

    /// Fresh seeds for a kms whose store is sealed with `key` and stays so.
    pub fn generate_beside(key: SealingKey) -> Self {
        let legacy = Previous { generation: 0, secret: Kept::StoreKey(key) };
        Seeds { generation: 1, current: RootSeed::generate(), previous: vec![legacy], store_generation: 0 }
    }

    /// The present generation.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// The generation whose key seals the kms's store.
    pub fn store_generation(&self) -> Generation {
        self.store_generation
    }

    /// The sealing key of the kms's store: that of the generation in which the store was made.
    pub fn store_key(&self) -> SealingKey {
        self.store_key_of(self.store_generation).expect("the store's generation is held")
    }

    /// The sealing key that a service has: of the generation in which the kms's store was made, so that a rotation
    /// leaves what services stored readable.
    pub fn role_key(&self, role: Role) -> SealingKey {
        role_key(&self.store_key(), role)
    }

    /// The sealing key of a service in a generation; `None` for one that is not held.
    pub fn role_key_of(&self, role: Role, generation: Generation) -> Option<SealingKey> {
        self.store_key_of(generation).map(|key| role_key(&key, role))
    }

    fn store_key_of(&self, generation: Generation) -> Option<SealingKey> {
        if let Some(seed) = self.seed_of(generation) {
            return Some(seed.store_key());
        }
        self.previous.iter().find(|kept| kept.generation == generation).and_then(|kept| match &kept.secret {
            Kept::StoreKey(key) => Some(SealingKey::from_bytes(*key.danger_expose())),
            Kept::Seed(_) => None,
        })
    }

    /// Wraps the private key of the deployment's CA: `generation (4 bytes, big-endian) ‖` a sealed record.
    pub fn seal_authority_key(&self, key: &[u8]) -> Vec<u8> {
        let sealed = crypto::seal::seal(&self.current.authority_key(), AUTHORITY, key);
        [&self.generation.to_be_bytes()[..], &sealed].concat()
    }

    /// Opens what [`Seeds::seal_authority_key`] made in this or an earlier generation.
    ///
    /// # Errors
    /// [`Refused`] for what another root made, and for changed bytes.
    pub fn open_authority_key(&self, sealed: &[u8]) -> Result<SecretBytes, Refused> {
        let (generation, sealed) = sealed.split_first_chunk().ok_or(Refused)?;
        let seed = self.seed_of(Generation::from_be_bytes(*generation)).ok_or(Refused)?;
        let key = crypto::seal::open(&seed.authority_key(), AUTHORITY, sealed)?;
        Ok(SecretBytes::new(key.to_vec()))
    }

    pub(super) fn seed_of(&self, generation: Generation) -> Option<&RootSeed> {
        if generation == self.generation {
            return Some(&self.current);
        }
        self.previous.iter().find(|kept| kept.generation == generation).and_then(|kept| match &kept.secret {
            Kept::Seed(seed) => Some(seed),
            Kept::StoreKey(_) => None,
        })
    }

    /// The same with a fresh seed in front; `None` when no more generations can be carried.
    pub(crate) fn rotated(&self) -> Option<Self> {
        let generation = self.generation.checked_add(1)?;
        let last = Previous { generation: self.generation, secret: Kept::Seed(self.current.duplicate()) };
        let previous: Vec<_> = [last].into_iter().chain(self.previous.iter().map(Previous::duplicate)).collect();
        (previous.len() <= MAX_PREVIOUS).then(|| Seeds {
            generation,
            current: RootSeed::generate(),
            previous,
            store_generation: self.store_generation,
        })
    }

    /// Everything, for an attested replica: whoever has it has all that the deployment keeps.
    ///
    /// ```text
    /// version 0x01 ‖ store generation (4) ‖ for each generation, newest first: generation (4) ‖ kind (1) ‖ secret (32)
    /// ```
    pub fn danger_to_bytes(&self) -> SecretBytes {
        let mut bytes = Vec::with_capacity(HEAD_LEN + ENTRY_LEN * (1 + self.previous.len()));
        bytes.push(VERSION);
        bytes.extend(self.store_generation.to_be_bytes());
        put(&mut bytes, self.generation, SEED, self.current.danger_expose());
        for Previous { generation, secret } in &self.previous {
            put(&mut bytes, *generation, secret.kind(), secret.expose());
        }
        SecretBytes::new(bytes)
    }

    /// Reads what [`Seeds::danger_to_bytes`] gave.
    ///
    /// # Errors
    /// [`BadSeeds`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadSeeds> {
        let (head, entries) = bytes.split_first_chunk::<HEAD_LEN>().ok_or(BadSeeds)?;
        let (entries, rest) = entries.as_chunks::<ENTRY_LEN>();
        let ([first, previous @ ..], true, true) = (entries, rest.is_empty(), head[0] == VERSION) else {
            return Err(BadSeeds);
        };
        let Previous { generation, secret: Kept::Seed(current) } = take(first)? else { return Err(BadSeeds) };
        let store_generation = Generation::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let previous = previous.iter().map(take).collect::<Result<Vec<_>, _>>()?;
        let seeds = Seeds { generation, current, previous, store_generation };
        let shape = seeds.previous.iter().map(|kept| (kept.generation, kept.secret.kind()));
        if is_chain(generation, store_generation, shape) { Ok(seeds) } else { Err(BadSeeds) }
    }
}

/// As the registry derives it.
fn role_key(store_key: &SealingKey, role: Role) -> SealingKey {
    let roles: SealingKey = store_key.derive(Label::RoleKeys, b"");
    roles.derive(Label::RoleKeys, role.as_str().as_bytes())
}

/// Whether generations go down from the present one, generation 0 alone is a bare store key, and the store's is there.
pub(super) fn is_chain(
    generation: Generation,
    store_generation: Generation,
    previous: impl ExactSizeIterator<Item = (Generation, u8)>,
) -> bool {
    let (count, mut last, mut has_stores) = (previous.len(), generation, generation == store_generation);
    let descends = previous.into_iter().all(|(generation, kind)| {
        has_stores |= generation == store_generation;
        let is_below = generation < last && (generation == 0) == (kind == STORE_KEY);
        last = generation;
        is_below
    });
    generation > 0 && count <= MAX_PREVIOUS && descends && has_stores
}

const AUTHORITY: &[u8] = b"teehouse ca key";
const VERSION: u8 = 1;
const HEAD_LEN: usize = 1 + 4;
const ENTRY_LEN: usize = 4 + 1 + SEED_LEN;
pub(super) const SEED: u8 = 0;
pub(super) const STORE_KEY: u8 = 1;

fn put(bytes: &mut Vec<u8>, generation: Generation, kind: u8, secret: &[u8; SEED_LEN]) {
    bytes.extend(generation.to_be_bytes());
    bytes.push(kind);
    bytes.extend(secret);
}

fn take(entry: &[u8; ENTRY_LEN]) -> Result<Previous, BadSeeds> {
    let [a, b, c, d, kind, secret @ ..] = entry;
    let secret = Kept::new(*kind, *secret).ok_or(BadSeeds)?;
    Ok(Previous { generation: Generation::from_be_bytes([*a, *b, *c, *d]), secret })
}

impl Previous {
    fn duplicate(&self) -> Self {
        let secret = Kept::new(self.secret.kind(), *self.secret.expose()).expect("its own kind");
        Previous { generation: self.generation, secret }
    }
}

impl Kept {
    pub(super) fn new(kind: u8, secret: [u8; SEED_LEN]) -> Option<Self> {
        match kind {
            SEED => Some(Kept::Seed(RootSeed::from_bytes(secret))),
            STORE_KEY => Some(Kept::StoreKey(SealingKey::from_bytes(secret))),
            _ => None,
        }
    }

    pub(super) fn kind(&self) -> u8 {
        match self {
            Kept::Seed(_) => SEED,
            Kept::StoreKey(_) => STORE_KEY,
        }
    }

    pub(super) fn expose(&self) -> &[u8; SEED_LEN] {
        match self {
            Kept::Seed(seed) => seed.danger_expose(),
            Kept::StoreKey(key) => key.danger_expose(),
        }
    }
}

impl fmt::Debug for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seeds {{ generation: {}, [redacted] }}", self.generation)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use attest::authority::CertificateAuthority;
    use attest::validity::Validity;
    use rpc::enrolment::Registrar as _;
    use types::time::UnixMillis;

    use super::*;
    use crate::registry::Registry;

    fn legacy() -> Seeds {
        Seeds::generate_beside(SealingKey::from_bytes([9; 32]))
    }

    fn key(key: Option<SealingKey>) -> Option<[u8; 32]> {
        key.map(|key| *key.danger_expose())
    }

    #[test]
    fn a_rotation_keeps_the_keys_that_stores_are_sealed_with() {
        let first = Seeds::generate();
        let second = first.rotated().unwrap();
        assert_eq!((second.generation(), second.store_generation()), (2, 1));
        assert_eq!(second.store_key().danger_expose(), first.store_key().danger_expose());
        for role in Role::ALL {
            let kept = key(Some(first.role_key(role)));
            assert_eq!((key(Some(second.role_key(role))), key(second.role_key_of(role, 1))), (kept, kept));
            assert!(key(second.role_key_of(role, 2)).is_some_and(|new| Some(new) != kept));
            assert_eq!(key(second.role_key_of(role, 3)), None);
        }
    }

    #[test]
    fn every_role_has_a_key_of_its_own() {
        let seeds = Seeds::generate();
        let keys: HashSet<_> = Role::ALL.map(|role| *seeds.role_key(role).danger_expose()).into_iter().collect();
        assert_eq!(keys.len(), Role::ALL.len());
    }

    #[test]
    fn generation_0_has_the_stores_key_as_it_was() {
        let seeds = legacy().rotated().unwrap().rotated().unwrap();
        assert_eq!((seeds.generation(), seeds.store_key().danger_expose()), (3, &[9; 32]));
        let before = role_key(&SealingKey::from_bytes([9; 32]), Role::Tdfs);
        assert_eq!(key(Some(seeds.role_key(Role::Tdfs))), key(Some(before)));
    }

    /// What the registry gives to services is what is derived here.
    #[test]
    fn the_registry_gives_the_same_keys() {
        let validity = Validity { not_before: UnixMillis(0), not_after: UnixMillis(1) };
        let authority = CertificateAuthority::generate("test".parse().unwrap(), validity).unwrap();
        let mut seeds = Seeds::generate().rotated().unwrap();
        let registry = Registry::new(authority, &seeds, std::time::Duration::from_secs(1));
        let given = || Role::ALL.map(|role| key(Some(registry.sealing_key(role))));
        let first = given();
        for _ in 0..2 {
            assert_eq!(given(), Role::ALL.map(|role| key(Some(seeds.role_key(role)))));
            assert_eq!(given(), first, "a rotation leaves what services stored readable");
            seeds = seeds.rotated().unwrap();
            registry.continue_with(&seeds);
        }
    }

    #[test]
    fn the_cas_key_survives_a_rotation_and_no_change() {
        let first = Seeds::generate();
        let sealed = first.seal_authority_key(b"pkcs8");
        let second = first.rotated().unwrap();
        assert_eq!(second.open_authority_key(&sealed).unwrap().expose(), b"pkcs8");
        assert_eq!(first.open_authority_key(&second.seal_authority_key(b"pkcs8")), Err(Refused));
        assert_eq!(Seeds::generate().open_authority_key(&sealed), Err(Refused));
        for i in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[i] ^= 1;
            assert_eq!(second.open_authority_key(&changed), Err(Refused), "byte {i}");
            assert_eq!(second.open_authority_key(&sealed[..i]), Err(Refused));
        }
    }

    #[test]
    fn what_travels_to_a_replica_comes_back_and_is_read_strictly() {
        let seeds = legacy().rotated().unwrap();
        let bytes = seeds.danger_to_bytes();
        let bytes = bytes.expose();
        assert_eq!(bytes.len(), 5 + 3 * 37);
        let same = Seeds::from_bytes(bytes).unwrap();
        assert_eq!(same.danger_to_bytes().expose(), bytes);
        let longer = [bytes, &[0]].concat();
        for bad in (0..bytes.len()).map(|len| &bytes[..len]).chain([&longer[..]]) {
            // Without its last entry, the store's generation is missing.
            assert!(Seeds::from_bytes(bad).is_err(), "{} bytes", bad.len());
        }
        // Version, store generation, order of generations, kinds.
        for (at, value) in [(0, 2), (4, 3), (8, 1), (9, 1), (45, 2), (82, 1), (83, 0), (83, 2)] {
            let mut changed = bytes.to_vec();
            changed[at] = value;
            assert!(Seeds::from_bytes(&changed).is_err(), "byte {at}");
        }
    }

    #[test]
    fn generations_are_limited() {
        let mut seeds = Seeds::generate();
        for _ in 0..MAX_PREVIOUS {
            seeds = seeds.rotated().unwrap();
        }
        assert_eq!(seeds.generation(), 65);
        assert!(seeds.rotated().is_none());
        assert!(Seeds::from_bytes(seeds.danger_to_bytes().expose()).is_ok());
    }

    #[test]
    fn seeds_are_not_printed() {
        assert_eq!(format!("{:?}", legacy()), "Seeds { generation: 1, [redacted] }");
    }
}
