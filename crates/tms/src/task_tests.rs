//! The task record under any sequence of events: what must hold, holds after every one of them.

use proptest::prelude::*;
use rpc::authn::Principal;
use types::digest::Digest;
use types::error::ErrorCode;

use super::*;
use crate::authz::{self, Permit};

fn user(name: &str) -> UserId {
    name.parse().expect("a good name")
}

fn id() -> TaskId {
    "task".parse().expect("short")
}

fn info(
    function_type: FunctionType,
    min_files: usize,
    max_files: Option<usize>,
    from_every_party: bool,
) -> FunctionInfo {
    let function = FunctionRef { name: "f".to_owned(), version: 1, digest: Digest::new([0; 32]) };
    FunctionInfo {
        function,
        function_type,
        min_files,
        max_files,
        from_every_party,
        summary: String::new(),
        payload: None,
        outputs: Vec::new(),
        schema: String::new(),
        counts: false,
    }
}

fn pinned(user_id: &UserId, files: usize) -> Vec<PinnedFile> {
    let file_id: FileId = "file".parse().expect("short");
    vec![
        PinnedFile { user_id: user_id.clone(), file_id, sha256: Digest::new([0; 32]), file_size: 0, from_task: None };
        files
    ]
}

fn task(info: &FunctionInfo, collaborators: usize, files: usize) -> Task {
    let new = NewTask {
        creator: user("creator"),
        function: info,
        code: None,
        node: SocketAddr::from(([127, 0, 0, 1], 3444)),
        collaborators: (0..collaborators).map(|number| user(&format!("collaborator{number}"))).collect(),
        token: Secret::new("token".to_owned()),
        time_limit_ms: 1000,
        terms: TaskTerms::default(),
        measurements: None,
        signs: false,
        now: UnixMillis(1),
    };
    Task::new(&id(), new, pinned(&user("creator"), files)).expect("small numbers")
}

/// What anyone can make happen to a task.
#[derive(Clone, Debug)]
enum Step {
    Approve { who: usize, files: usize },
    Update { status: Option<Status>, lease: Option<u8>, outputs: usize, result: bool, error: bool },
    LoseLease { lease: Option<u8> },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let status = proptest::option::of(proptest::sample::select(Status::ALL.to_vec()));
    let lease = || proptest::option::of(0..2_u8);
    let step = prop_oneof![
        3 => (0..4_usize, 0..4_usize).prop_map(|(who, files)| Step::Approve { who, files }),
        4 => (status, lease(), 0..3_usize, any::<bool>(), any::<bool>()).prop_map(
            |(status, lease, outputs, result, error)| Step::Update { status, lease, outputs, result, error }
        ),
        1 => lease().prop_map(|lease| Step::LoseLease { lease }),
    ];
    proptest::collection::vec(step, 0..24)
}

fn lease_id(number: u8) -> LeaseId {
    format!("lease{number}").parse().expect("short")
}

/// The task after a step; `None` when the step was refused.
fn after(task: &Task, step: &Step, now: UnixMillis) -> Option<Task> {
    match step {
        Step::Approve { who, files } => {
            let principal = Principal::danger_for_tests(user(&format!("collaborator{who}")));
            let permit = authz::approve(&principal, &id(), task).ok()?;
            let asked = Asked { manifest: None, signature: None, now };
            task.clone().approve(&permit, &id(), (&asked, pinned(permit.user(), *files))).ok()
        }
        Step::Update { status, lease, outputs, result, error } => {
            let output = TaskFile { user_id: user("creator"), file_id: "output".parse().expect("short") };
            let update = UpdateTask {
                task_id: id(),
                task_result_file_id: result.then(|| "result".parse().expect("short")),
                output_files: vec![output; *outputs],
                status: *status,
                lease_id: lease.map(lease_id),
                node: None,
                manifest_sha256: None,
                error: error.then(|| FailureReason::new(ErrorCode::FunctionFailed, "because")),
                run: None,
            };
            task.clone().update(&update, TrustLevel::Simulated, now)
        }
        Step::LoseLease { lease } => {
            let held = Lease { id: lease.map(lease_id), node: None, since: task.lease.as_ref()?.since };
            task.clone().lose_lease(&held, FailureReason::new(ErrorCode::Unavailable, "lost"), now)
        }
    }
}

/// What holds of every task at any time.
fn check_invariants(task: &Task) {
    let status = task.status();
    assert_eq!(task.lease.is_some(), status == Status::Running, "exactly the running are leased");
    let missing = task.missing(&id()).expect("small numbers").len();
    match task.function_type {
        FunctionType::Multiparty => {
            assert_eq!(status == Status::Created, missing > 0, "exactly the unapproved wait");
        }
        FunctionType::Single => assert_ne!(status, Status::Created, "nobody approves"),
        FunctionType::Either => panic!("a task is one or the other"),
    }
    assert!(task.error.is_none() || status == Status::Failed, "only the failed have a reason");
    if status != Status::Created {
        assert!(task.inputs.len() >= task.rules.min && task.rules.max.is_none_or(|max| task.inputs.len() <= max));
        for party in task.participants().filter(|_| task.rules.from_every_party) {
            assert!(task.inputs.iter().any(|input| input.user_id == *party), "{party} brought nothing");
        }
    }
}

/// What holds between a task and what a step makes of it.
fn check_step(before: &Task, after: &Task) {
    let (from, to) = (before.status(), after.status());
    let legal = from == to || Event::ALL.iter().any(|event| from.after(*event) == Ok(to));
    assert!(legal, "{from} does not lead to {to}");
    assert!(!from.is_final(), "nothing happens to the {from}");
    assert!(after.inputs.starts_with(&before.inputs), "inputs are only added");
    let results = !after.outputs.is_empty() || after.result_file.is_some();
    assert!(to != Status::Failed || !results, "a task that failed has no results");
    assert!(to == Status::Failed || after.outputs.starts_with(&before.outputs), "outputs are only added");
    if from != Status::Created {
        assert_eq!(after.inputs, before.inputs, "inputs are added by approvals alone");
        assert_eq!(after.manifest(), before.manifest(), "what was approved is what runs");
    }
    for (was, is) in before.collaborators.iter().zip(&after.collaborators) {
        assert!(was.user_id == is.user_id && was.approved <= is.approved, "approvals stay");
    }
    let same = |task: &Task| (task.creator.clone(), task.function.clone(), task.rules.clone(), task.time_limit_ms);
    assert_eq!(same(before), same(after), "what was agreed stays");
    assert!(before.token == after.token && before.node == after.node && before.created == after.created);
}

proptest! {
    #[test]
    fn any_sequence_of_events_keeps_the_invariants(
        steps in steps(),
        collaborators in 1..4_usize,
        files in 1..3_usize,
        max in proptest::option::of(4..7_usize),
        multiparty: bool,
    ) {
        let function_type = if multiparty { FunctionType::Multiparty } else { FunctionType::Single };
        let info = info(function_type, 1, max, multiparty);
        let mut task = task(&info, collaborators, files);
        prop_assume!(check_new(&info, &task.creator, &users(&task), files).is_ok());
        check_invariants(&task);
        for (now, step) in steps.iter().enumerate() {
            if let Some(next) = after(&task, step, UnixMillis(now as u64)) {
                check_step(&task, &next);
                check_invariants(&next);
                task = next;
            }
        }
    }

    /// A running task moves on for whoever shows its lease, and for nobody else.
    #[test]
    fn a_lease_is_exclusive(steps in steps()) {
        let lease = Step::Update { status: Some(Status::Running), lease: Some(9), outputs: 0, result: false, error: false };
        let running = after(&task(&info(FunctionType::Single, 0, None, false), 0, 0), &lease, UnixMillis(1));
        let running = running.expect("ready tasks are leased");
        for step in steps {
            prop_assert!(after(&running, &step, UnixMillis(2)).is_none(), "{step:?}");
        }
    }
}

/// A node whose report's answer was lost sends it again, and learns that it counted; nobody else can claim so.
#[test]
fn an_end_is_reported_twice_under_its_own_lease_only() {
    let update = |status, lease: Option<u8>| UpdateTask {
        task_id: id(),
        task_result_file_id: None,
        output_files: Vec::new(),
        status: Some(status),
        lease_id: lease.map(lease_id),
        node: None,
        manifest_sha256: None,
        error: None,
        run: None,
    };
    let ready = task(&info(FunctionType::Single, 0, None, false), 0, 0);
    let finish = update(Status::Finished, Some(1));
    assert!(!ready.is_repeated(&finish));
    let running = ready
        .update(&update(Status::Running, Some(1)), TrustLevel::Simulated, UnixMillis(1))
        .expect("ready tasks are leased");
    assert!(!running.is_repeated(&finish));
    let ended = running.update(&finish, TrustLevel::Simulated, UnixMillis(2)).expect("under its lease");
    assert!(ended.is_repeated(&finish));
    for other in [update(Status::Failed, Some(1)), update(Status::Finished, Some(2)), update(Status::Finished, None)] {
        assert!(!ended.is_repeated(&other), "{other:?}");
    }
}

fn users(task: &Task) -> Vec<UserId> {
    task.collaborators.iter().map(|collaborator| collaborator.user_id.clone()).collect()
}

#[test]
fn a_single_partys_task_is_ready_at_once() {
    let single = task(&info(FunctionType::Single, 0, None, false), 2, 0);
    assert_eq!(single.status(), Status::Ready);
    assert_eq!(task(&info(FunctionType::Multiparty, 0, None, false), 2, 0).status(), Status::Created);
}

/// What may be asked of a function's results, and which words refuse the rest.
#[test]
fn a_minimum_group_is_for_functions_that_count() {
    let plain = info(FunctionType::Single, 0, None, false);
    let counts = FunctionInfo { counts: true, ..plain.clone() };
    let uncounted =
        "field `terms`: minimum_group: f does not count what its results are about, so it can't keep to one";
    let range = "field `terms`: minimum_group: a number from 1 to 4294967295";
    for (function, minimum_group, refused) in [
        (&plain, None, None),
        (&plain, Some(1), Some(uncounted)),
        (&counts, None, None),
        (&counts, Some(0), Some(range)),
        (&counts, Some(1), None),
        (&counts, Some(u32::MAX.into()), None),
        (&counts, Some(1 << 32), Some(range)),
    ] {
        let terms = TaskTerms { minimum_group, ..TaskTerms::default() };
        let checked = check_terms(&terms, function, &[user("creator")], UnixMillis(1));
        assert_eq!(checked.err().map(|error| error.to_string()).as_deref(), refused, "{minimum_group:?}");
    }
}

fn check_shape(info: &FunctionInfo, collaborators: &[&str], files: usize, refused_field: Option<&str>) {
    let collaborators: Vec<UserId> = collaborators.iter().map(|name| user(name)).collect();
    let field = match check_new(info, &user("creator"), &collaborators, files) {
        Ok(()) => None,
        Err(Error::Field { field, .. }) => Some(field),
        Err(other) => panic!("{other}"),
    };
    assert_eq!(field, refused_field, "{collaborators:?} {files}");
}

#[test]
fn a_new_task_has_the_shape_that_its_function_declares() {
    let (parties, files) = (Some("collaborator_list"), Some("files"));
    let psi = info(FunctionType::Multiparty, 2, Some(2), true);
    for (collaborators, count, refused) in [
        (&["a"][..], 1, None),
        (&[], 1, parties),
        (&["a", "a"], 1, parties),
        (&["creator"], 1, parties),
        (&["a"], 0, files),
        (&["a"], 2, files),
        (&["a", "b"], 1, files),
    ] {
        check_shape(&psi, collaborators, count, refused);
    }
    let concat = info(FunctionType::Multiparty, 2, None, true);
    for (collaborators, count, refused) in [(&["a"][..], 1, None), (&["a", "b"], 50, None), (&["a"], 0, files)] {
        check_shape(&concat, collaborators, count, refused);
    }
    let single = info(FunctionType::Single, 1, Some(1), false);
    for (collaborators, count, refused) in [(&[][..], 1, None), (&["a"], 1, None), (&[], 0, files), (&[], 2, files)] {
        check_shape(&single, collaborators, count, refused);
    }
}

/// With collaborators everyone agrees and brings files; without, nobody is asked.
#[test]
fn a_function_for_either_is_what_its_task_is() {
    let either = info(FunctionType::Either, 2, Some(2), false);
    check_shape(&either, &[], 2, None);
    check_shape(&either, &[], 1, Some("files"));
    check_shape(&either, &["a"], 1, None);
    check_shape(&either, &["a"], 3, Some("files"));
    let alone = task(&either, 0, 2);
    assert_eq!((alone.status(), alone.function_type), (Status::Ready, FunctionType::Single));
    let together = task(&either, 1, 1);
    assert_eq!((together.status(), together.function_type), (Status::Created, FunctionType::Multiparty));
}

/// The last approval brings what is still missing of the fewest files.
#[test]
fn the_last_approval_completes_the_files() {
    let info = info(FunctionType::Multiparty, 4, Some(5), false);
    for (first, second, refused_at) in
        [(1, 2, None), (0, 3, None), (0, 2, Some(2)), (2, 2, None), (4, 1, Some(2)), (5, 0, Some(1))]
    {
        let mut task = task(&info, 2, 1);
        let mut refused = None;
        for (who, files) in [(0, first), (1, second)] {
            match after(&task, &Step::Approve { who, files }, UnixMillis(0)) {
                Some(next) => task = next,
                None => refused = refused.or(Some(who + 1)),
            }
        }
        assert_eq!(refused, refused_at, "{first} {second}");
    }
}

/// The whole table of authorisation: principal × action.
#[test]
fn participants_see_and_collaborators_approve() {
    let task = task(&info(FunctionType::Multiparty, 0, None, false), 2, 0);
    for (who, sees, approves) in [
        ("creator", "permitted", "not an approver"),
        ("collaborator0", "permitted", "permitted"),
        ("collaborator1", "permitted", "permitted"),
        ("collaborator2", "no such task", "no such task"),
        ("Creator", "no such task", "no such task"),
        ("creator.", "no such task", "no such task"),
    ] {
        let principal = Principal::danger_for_tests(user(who));
        assert_eq!(answer(authz::view(&principal, &id(), &task), who), sees, "{who}");
        assert_eq!(answer(authz::approve(&principal, &id(), &task), who), approves, "{who}");
    }
}

fn answer<A>(decision: Result<Permit<A>, Error>, who: &str) -> &'static str {
    match decision {
        Ok(permit) => {
            assert_eq!(permit.user(), &user(who));
            "permitted"
        }
        Err(Error::NoSuchTask(_)) => "no such task",
        Err(Error::NotAnApprover(_)) => "not an approver",
        Err(other) => panic!("{other}"),
    }
}
