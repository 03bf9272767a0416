//! The users' store.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use crypto::{Label, MacKey, SealingKey, mac};
use rpc::authn::{AuthnError, Identity, Known, Principal};
use serde::{Deserialize, Serialize};
use store::{Options, Records as _, Store, StoreError, Table};
use types::log::{Event, UserChange};
use types::secret::Secret;
use types::time::UnixMillis;
use types::user::{Quota, UserId};
use types::wire::admin::{Issued, Request, Response, SetQuota, UserInfo, UserList};
use types::wire::tdfs_external::{FoundUserKey, SetUserKey};

use crate::outbox::Outbox;
use crate::signing::Signing;
use crate::{Error, OpenError};

/// Users by name.
const USERS: Table<String, User> = Table::new("users");

/// Users that one listing returns.
const LIST_LIMIT: usize = 100_000;

/// Longest token, in bytes.
const MAX_TOKEN_BYTES: usize = 256;

/// The keyed hash of no token: what unknown users are compared with, so that they take as long as known ones.
const NOBODY: [u8; mac::TAG_LEN] = [0; mac::TAG_LEN];

#[derive(Clone, Serialize, Deserialize)]
struct User {
    token_tag: [u8; mac::TAG_LEN],
    disabled: bool,
    #[serde(default, skip_serializing_if = "Quota::is_default")]
    quota: Quota,
    #[serde(default, skip_serializing_if = "Signing::is_default")]
    signing: Signing,
}

impl User {
    fn info(self, user_id: UserId) -> UserInfo {
        UserInfo { user_id, disabled: self.disabled, quota: self.quota }
    }
}

/// The users of a deployment.
pub struct Users {
    store: Store,
    outbox: Outbox,
    key: Arc<MacKey>,
}

impl Users {
    /// Opens the user store of a data directory, or makes it.
    ///
    /// # Errors
    /// When the store can't be opened with this sealing key.
    pub fn open(data_dir: &Path, sealing_key: &SealingKey) -> Result<Self, OpenError> {
        /// Users are few: their store needs little memory.
        const CACHE_BYTES: usize = 8 << 20;
        let options = Options { cache_bytes: CACHE_BYTES, ..Options::default() };
        let store = Store::open(&data_dir.join("users.redb"), sealing_key, options)?;
        let outbox = Outbox::of(store.clone());
        Ok(Users { store, outbox, key: Arc::new(sealing_key.derive(Label::UserTokens, b"")) })
    }

    /// What waits for the log.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Closes the store; when this returns, another process can open it.
    pub async fn close(&self) {
        self.store.clone().close().await;
    }

    /// Answers an operator's request.
    ///
    /// # Errors
    /// When the user exists already, or does not, or the token can't be one.
    pub async fn handle(&self, request: Request) -> Result<Response, Error> {
        let answer = self.carry_out(request, UnixMillis::now()).await;
        self.outbox.filled();
        answer
    }

    async fn carry_out(&self, request: Request, now: UnixMillis) -> Result<Response, Error> {
        match request {
            Request::AddUser(add) => self.add(add.user_id, add.token, now).await.map(Response::AddUser),
            Request::ListUsers(_) => Ok(Response::ListUsers(UserList { users: self.list().await? })),
            Request::RotateToken(rotate) => {
                self.rotate(rotate.user_id, rotate.token, now).await.map(Response::RotateToken)
            }
            Request::DisableUser(disable) => self.disable(disable.user_id, now).await.map(Response::DisableUser),
            Request::SetQuota(set) => self.set_quota(set).await.map(Response::SetQuota),
            Request::ResetKey(reset) => self.reset_key(reset.user_id, now).await.map(Response::ResetKey),
        }
    }

    async fn add(&self, user_id: UserId, token: Option<Secret>, now: UnixMillis) -> Result<Issued, Error> {
        let (token, user) = self.issue(&user_id, token)?;
        let name = user_id.clone();
        self.store
            .write(move |tx| match tx.contains(&USERS, name.as_str())? {
                true => Err(Error::Exists(name.clone())),
                false => {
                    tx.insert(&USERS, name.as_str(), &user)?;
                    Ok(Outbox::put(tx, now, &name, changed(&name, UserChange::Added))?)
                }
            })
            .await?;
        Ok(Issued { user_id, token })
    }

    async fn rotate(&self, user_id: UserId, token: Option<Secret>, now: UnixMillis) -> Result<Issued, Error> {
        let (token, user) = self.issue(&user_id, token)?;
        let to = move |old: User| User { quota: old.quota, signing: old.signing, ..user.clone() };
        let event = changed(&user_id, UserChange::Rotated);
        self.change(&user_id, to, Some((now, event))).await?;
        Ok(Issued { user_id, token })
    }

    async fn disable(&self, user_id: UserId, now: UnixMillis) -> Result<UserInfo, Error> {
        let event = changed(&user_id, UserChange::Disabled);
        let user = self.change(&user_id, |user| User { disabled: true, ..user }, Some((now, event))).await?;
        Ok(user.info(user_id))
    }

    async fn set_quota(&self, SetQuota { user_id, files, bytes }: SetQuota) -> Result<UserInfo, Error> {
        let quota = move |old: Quota| Quota { files: files.unwrap_or(old.files), bytes: bytes.unwrap_or(old.bytes) };
        let user = self.change(&user_id, move |user| User { quota: quota(user.quota), ..user }, None).await?;
        Ok(user.info(user_id))
    }

    async fn reset_key(&self, user_id: UserId, now: UnixMillis) -> Result<UserInfo, Error> {
        let to = |user: User| User { signing: user.signing.reset(), ..user };
        let event = Signing::default().event(&user_id);
        Ok(self.change(&user_id, to, Some((now, event))).await?.info(user_id))
    }

    /// The key by which a user signs approvals.
    ///
    /// # Errors
    /// When there is no such user, or the store can't be read.
    pub async fn key(&self, user: &UserId) -> Result<FoundUserKey, Error> {
        let name = user.clone();
        let found: Option<User> = self.store.read(move |snapshot| snapshot.get(&USERS, name.as_str())).await?;
        Ok(found.ok_or_else(|| Error::NoSuchUser(user.clone()))?.signing.found(user))
    }

    /// Registers, changes or removes the key by which a user signs approvals.
    ///
    /// # Errors
    /// When the change is not the next one, or a key that must sign it did not.
    pub async fn set_key(
        &self,
        principal: &Principal,
        set: SetUserKey,
        now: UnixMillis,
    ) -> Result<FoundUserKey, Error> {
        let (user, name) = (principal.user().clone(), principal.user().clone());
        let changed = self.store.write(move |tx| {
            let found: User = tx.get(&USERS, name.as_str())?.ok_or_else(|| Error::NoSuchUser(name.clone()))?;
            let changed = User { signing: found.signing.clone().after(&set)?, ..found };
            tx.insert(&USERS, name.as_str(), &changed)?;
            Outbox::put(tx, now, &name, changed.signing.event(&name))?;
            Ok::<_, Error>(changed)
        });
        let changed = changed.await?;
        self.outbox.filled();
        Ok(changed.signing.found(&user))
    }

    /// Changes a user, and puts what the log is to say of it into the outbox.
    async fn change(
        &self,
        user: &UserId,
        to: impl Fn(User) -> User + Send + 'static,
        event: Option<(UnixMillis, Event)>,
    ) -> Result<User, Error> {
        let name = user.clone();
        self.store
            .write(move |tx| {
                let user = to(tx.get(&USERS, name.as_str())?.ok_or_else(|| Error::NoSuchUser(name.clone()))?);
                tx.insert(&USERS, name.as_str(), &user)?;
                if let Some((now, event)) = &event {
                    Outbox::put(tx, *now, &name, event.clone())?;
                }
                Ok(user)
            })
            .await
    }

    /// How much a user may keep, as an operator set it; the default for whoever is none.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn quota(&self, user: &UserId) -> Result<Quota, Error> {
        let name = user.clone();
        let found: Option<User> = self.store.read(move |snapshot| snapshot.get(&USERS, name.as_str())).await?;
        Ok(found.map(|user| user.quota).unwrap_or_default())
    }

    async fn list(&self) -> Result<Vec<UserInfo>, Error> {
        let users = self.store.read(|snapshot| snapshot.scan(&USERS, .., LIST_LIMIT)).await?;
        let info = |(name, user): (String, User)| Some(user.info(name.parse().ok()?));
        Ok(users.into_iter().filter_map(info).collect())
    }

    /// Takes a token set by hand, or makes one of 256 random bits.
    fn issue(&self, user_id: &UserId, token: Option<Secret>) -> Result<(Secret, User), Error> {
        let token = token.unwrap_or_else(|| Secret::new(crypto::hash::hex(&crypto::random::bytes::<32>())));
        if !(1..=MAX_TOKEN_BYTES).contains(&token.expose().len()) {
            return Err(Error::BadToken);
        }
        let token_tag = tag(&self.key, user_id, &token);
        Ok((token, User { token_tag, disabled: false, quota: Quota::default(), signing: Signing::default() }))
    }
}

fn changed(user: &UserId, change: UserChange) -> Event {
    Event::User { user_id: user.clone(), change }
}

fn parts<'a>(user: &'a UserId, token: &'a Secret) -> [&'a [u8]; 2] {
    [user.as_str().as_bytes(), token.expose().as_bytes()]
}

fn tag(key: &MacKey, user: &UserId, token: &Secret) -> [u8; mac::TAG_LEN] {
    mac::mac(key, &parts(user, token))
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl Identity for Users {
    fn verify<'a>(&'a self, user: &'a UserId, token: &'a Secret) -> Boxed<'a, Result<Option<Known>, AuthnError>> {
        let name = user.clone();
        Box::pin(async move {
            let found: Result<Option<User>, StoreError> =
                self.store.read(move |snapshot| snapshot.get(&USERS, name.as_str())).await;
            let found = found.map_err(|error| AuthnError::Identity(Box::new(error)))?;
            let expected = found.as_ref().map_or(NOBODY, |user| user.token_tag);
            let matches = mac::verify(&self.key, &parts(user, token), &expected).is_ok();
            let known = |found: User| Known { key: found.signing.key(user) };
            Ok(found.filter(|found| matches && !found.disabled).map(known))
        })
    }

    fn existing<'a>(&'a self, users: &'a [UserId]) -> Boxed<'a, Result<Vec<UserId>, AuthnError>> {
        let names = users.to_vec();
        Box::pin(async move {
            let found: Result<Vec<UserId>, StoreError> = self
                .store
                .read(move |snapshot| {
                    let mut found = Vec::new();
                    for name in names {
                        let user: Option<User> = snapshot.get(&USERS, name.as_str())?;
                        found.extend(user.filter(|user| !user.disabled).map(|_| name));
                    }
                    Ok(found)
                })
                .await;
            found.map_err(|error| AuthnError::Identity(Box::new(error)))
        })
    }
}

#[cfg(test)]
mod tests {
    use types::user::Bound;
    use types::wire::admin::{AddUser, DisableUser, ListUsers, RotateToken};

    use super::*;

    fn user(name: &str) -> UserId {
        name.parse().expect("a good name")
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.into())
    }

    async fn check(users: &Users, name: &str, token: &str, expected: bool) {
        let known = users.verify(&user(name), &secret(token)).await.expect("asked");
        assert_eq!(known.is_some(), expected, "{name} {token}");
    }

    #[tokio::test]
    async fn only_the_present_token_of_an_enabled_user_is_good() {
        let dir = tempfile::tempdir().expect("a folder");
        let users = Users::open(dir.path(), &SealingKey::generate()).expect("opens");
        let add = AddUser { user_id: user("anna"), token: Some(secret("one")) };
        users.handle(add.into()).await.expect("added");
        check(&users, "anna", "one", true).await;
        for (name, token) in [("anna", ""), ("anna", "onE"), ("anna", "one "), ("ann", "aone"), ("bob", "one")] {
            check(&users, name, token, false).await;
        }
        let rotate = RotateToken { user_id: user("anna"), token: None };
        let Ok(Response::RotateToken(issued)) = users.handle(rotate.into()).await else { panic!("not rotated") };
        assert_eq!(issued.token.expose().len(), 64);
        check(&users, "anna", "one", false).await;
        check(&users, "anna", issued.token.expose(), true).await;
        users.handle(DisableUser { user_id: user("anna") }.into()).await.expect("disabled");
        check(&users, "anna", issued.token.expose(), false).await;
        assert!(users.existing(&[user("anna"), user("bob")]).await.expect("asked").is_empty());
    }

    #[tokio::test]
    async fn a_quota_outlives_a_token() {
        let dir = tempfile::tempdir().expect("a folder");
        let users = Users::open(dir.path(), &SealingKey::generate()).expect("opens");
        let set = |files, bytes| SetQuota { user_id: user("anna"), files, bytes };
        assert!(matches!(users.handle(set(None, None).into()).await, Err(Error::NoSuchUser(_))));
        users.handle(AddUser { user_id: user("anna"), token: None }.into()).await.expect("added");
        assert_eq!(users.quota(&user("anna")).await.expect("asked"), Quota::default());
        users.handle(set(Some(Bound::AtMost(3)), None).into()).await.expect("set");
        users.handle(set(None, Some(Bound::Unbounded)).into()).await.expect("set");
        users.handle(RotateToken { user_id: user("anna"), token: None }.into()).await.expect("rotated");
        let quota = Quota { files: Bound::AtMost(3), bytes: Bound::Unbounded };
        assert_eq!(users.quota(&user("anna")).await.expect("asked"), quota);
        let Ok(Response::ListUsers(list)) = users.handle(ListUsers {}.into()).await else { panic!("no list") };
        assert_eq!(list.users, [UserInfo { user_id: user("anna"), disabled: false, quota }]);
    }

    /// What stores hold that were written before there were quotas.
    #[derive(Clone, Serialize, Deserialize)]
    struct OldUser {
        token_tag: [u8; mac::TAG_LEN],
        disabled: bool,
    }

    const OLD_USERS: Table<String, OldUser> = Table::new("users");

    #[tokio::test]
    async fn a_user_of_an_older_store_has_the_default_quota() {
        let dir = tempfile::tempdir().expect("a folder");
        let users = Users::open(dir.path(), &SealingKey::generate()).expect("opens");
        let old = OldUser { token_tag: tag(&users.key, &user("anna"), &secret("one")), disabled: false };
        let written = users.store.write(move |tx| tx.insert(&OLD_USERS, "anna", &old)).await;
        written.expect("written");
        check(&users, "anna", "one", true).await;
        assert!(users.quota(&user("anna")).await.expect("asked").is_default());
    }

    #[tokio::test]
    async fn a_name_is_given_once_and_no_token_is_kept() {
        let dir = tempfile::tempdir().expect("a folder");
        let users = Users::open(dir.path(), &SealingKey::generate()).expect("opens");
        let add = || AddUser { user_id: user("anna"), token: Some(secret("a-token-to-look-for")) };
        users.handle(add().into()).await.expect("added");
        assert!(matches!(users.handle(add().into()).await, Err(Error::Exists(_))));
        let bytes = std::fs::read(dir.path().join("users.redb")).expect("written");
        assert!(!bytes.windows(19).any(|window| window == b"a-token-to-look-for"));
    }

    #[tokio::test]
    async fn unknown_users_and_bad_tokens_are_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let users = Users::open(dir.path(), &SealingKey::generate()).expect("opens");
        let disable = DisableUser { user_id: user("anna") };
        assert!(matches!(users.handle(disable.into()).await, Err(Error::NoSuchUser(_))));
        for token in [String::new(), "x".repeat(257)] {
            let add = AddUser { user_id: user("anna"), token: Some(Secret::new(token)) };
            assert!(matches!(users.handle(add.into()).await, Err(Error::BadToken)));
        }
    }
}
