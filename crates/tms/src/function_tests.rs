//! What a registration may say, and who may use what it makes.

use rpc::authn::Principal;
use types::function::{FunctionType, Language, RunLimits};
use types::secret::Secret;

use super::*;
use crate::authz;

fn asked() -> RegisterFunction {
    RegisterFunction {
        function_name: "count_words".into(),
        file_id: "a".repeat(36).parse().expect("a file id"),
        declaration: Declaration {
            language: Language::Wasm,
            function_type: FunctionType::Single,
            payload: PayloadUse::Optional,
            inputs: InputRule { min: 1, max: Some(1), from_every_party: false },
            outputs: vec![OutputUse::Creator],
            random: false,
            limits: RunLimits::default(),
            imports: None,
        },
        summary: "counts words".into(),
        schema: r#"{"payload":{"type":"object"}}"#.into(),
        public: false,
        allow: vec![user("bob")],
        user_id: user("alice"),
        user_token: Secret::new(String::new()),
    }
}

fn user(name: &str) -> UserId {
    name.parse().expect("a user's name")
}

fn principal(name: &str) -> Principal {
    Principal::danger_for_tests(user(name))
}

fn version(asked: RegisterFunction) -> Version {
    let code = PinnedFile {
        from_task: None,
        user_id: user("alice"),
        file_id: asked.file_id.clone(),
        sha256: Digest::new([7; 32]),
        file_size: 99,
    };
    Version::new(asked, code, TaskId::from_random([1; 16]), UnixMillis(5))
}

fn refused(change: impl FnOnce(&mut RegisterFunction)) -> String {
    let mut asked = asked();
    change(&mut asked);
    check(&asked).expect_err("it is refused").to_string()
}

#[test]
fn what_a_registration_may_say() {
    assert!(check(&asked()).is_ok());
    for name in ["", "A", "a-b", "a@1", "a b", &"x".repeat(65)] {
        let message = refused(|asked| asked.function_name = name.into());
        assert_eq!(message, "field `function_name`: 1 to 64 lower-case letters, digits and _", "{name:?}");
    }
    for summary in ["two\nlines", &"x".repeat(201)] {
        assert!(refused(|asked| asked.summary = summary.into()).starts_with("field `summary`"));
    }
    for schema in ["[]", "{", "1", &format!("{{\"a\":\"{}\"}}", "x".repeat(64 << 10))] {
        assert!(refused(|asked| asked.schema = schema.into()).starts_with("field `schema`"));
    }
    let declared = |change: fn(&mut Declaration)| refused(|asked| change(&mut asked.declaration));
    for message in [
        declared(|declared| declared.inputs = InputRule { min: 2, max: Some(1), from_every_party: false }),
        declared(|declared| declared.payload = PayloadUse::NamesInput),
        declared(|declared| declared.outputs = vec![OutputUse::Owner, OutputUse::Owner]),
        declared(|declared| declared.imports = Some(vec!["x".repeat(201)])),
        declared(|declared| declared.imports = Some(vec![String::new(); 1001])),
        declared(|declared| declared.limits.memory_bytes = Some(0)),
        declared(|declared| declared.limits.wall_ms = Some(0)),
    ] {
        assert!(message.starts_with("field `declaration`: "), "{message}");
    }
    assert!(refused(|asked| asked.allow = vec![user("bob"); 1001]).starts_with("field `allow`"));
}

#[test]
fn author_and_named_users_may_use_it_and_all_when_it_is_public() {
    let mut function = version(asked());
    for (name, may) in [("alice", true), ("bob", true), ("eve", false), ("bobby", false)] {
        let permit = authz::use_function(&principal(name), &function);
        assert_eq!(permit.map(|permit| permit.user().clone()), may.then(|| user(name)), "{name}");
    }
    function.public = true;
    assert!(authz::use_function(&principal("eve"), &function).is_some());
}

#[test]
fn a_function_is_its_authors_and_a_free_name_anybodys() {
    let (alice, eve) = (principal("alice"), principal("eve"));
    assert!(authz::register(&eve, "f", None).is_ok());
    assert!(authz::register(&alice, "f", Some(&user("alice"))).is_ok());
    let taken = authz::register(&eve, "f", Some(&user("alice")));
    assert!(matches!(taken, Err(Error::NameTaken(name)) if name == "f"));
    assert!(authz::disable(&alice, "f", &user("alice")).is_ok());
    let refused = authz::disable(&eve, "f", &user("alice"));
    assert!(matches!(refused, Err(Error::NotTheAuthor(name)) if name == "f"));
}

#[test]
fn only_the_author_is_told_who_else_may_use_it() {
    let function = version(asked());
    let told = |name| {
        let permit = authz::use_function(&principal(name), &function).expect("it is for both");
        let details = function.details(&permit, function.reference("count_words", 1, None), None);
        details.code.expect("it has code").allow
    };
    assert_eq!((told("alice"), told("bob")), (vec![user("bob")], vec![]));
}

#[test]
fn the_interpreter_is_part_of_the_digest() {
    let function = version(asked());
    let digest = |runtime: Option<[u8; 32]>| function.reference("f", 1, runtime.map(Digest::new)).digest;
    assert_eq!(digest(None), Digest::new([7; 32]));
    assert_ne!(digest(Some([1; 32])), digest(None));
    assert_ne!(digest(Some([1; 32])), digest(Some([2; 32])));
}
