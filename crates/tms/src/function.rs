//! A version of a user's function: its record, who may use it, and what a registration may say.

use serde::{Deserialize, Serialize};
use types::digest::Digest;
use types::file::PinnedFile;
use types::function::{Code, Declaration, FunctionInfo, FunctionRef, InputRule, OutputUse, PayloadUse, is_name};
use types::id::TaskId;
use types::time::UnixMillis;
use types::user::UserId;
use types::wire::tms_external::{CodeDetails, FunctionDetails, ListedFunction, RegisterFunction};

use crate::Error;
use crate::authz::{Permit, Use};

/// Versions of one function.
pub(crate) const MAX_VERSIONS: usize = 1000;

/// Longest summary, in characters.
const MAX_SUMMARY: usize = 200;

/// Longest schema, in bytes.
const MAX_SCHEMA: usize = 64 << 10;

/// Most names in lists of imports and of users.
const MAX_NAMES: usize = 1000;

/// Longest name of an import, in characters.
const MAX_IMPORT: usize = 200;

/// One version; only whether it is in use ever changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Version {
    /// Who registered it.
    pub(crate) author: UserId,
    /// The code.
    pub(crate) code: PinnedFile,
    /// What the tdfs holds the code for: an id that no task has.
    pub(crate) hold: TaskId,
    /// What the author declared.
    pub(crate) declaration: Declaration,
    /// One line for people.
    pub(crate) summary: String,
    /// JSON Schemas.
    pub(crate) schema: String,
    /// Whether everybody may use it.
    pub(crate) public: bool,
    /// Who else may use it.
    pub(crate) allow: Vec<UserId>,
    /// Whether it is out of use for new tasks.
    pub(crate) disabled: bool,
    /// When it was registered.
    pub(crate) registered: UnixMillis,
}

impl Version {
    /// A version as its author asks for it; [`check`] was passed.
    pub(crate) fn new(asked: RegisterFunction, code: PinnedFile, hold: TaskId, now: UnixMillis) -> Self {
        Version {
            author: asked.user_id,
            code,
            hold,
            declaration: asked.declaration,
            summary: asked.summary,
            schema: asked.schema,
            public: asked.public,
            allow: asked.allow,
            disabled: false,
            registered: now,
        }
    }

    /// Name, version and digest: what tasks pin.
    pub(crate) fn reference(&self, name: &str, version: u32, runtime: Option<Digest>) -> FunctionRef {
        let digest = crypto::code::of_user(self.code.sha256.as_bytes(), runtime.as_ref().map(Digest::as_bytes));
        FunctionRef { name: name.to_owned(), version, digest: Digest::new(digest) }
    }

    /// What tasks must know of it.
    pub(crate) fn info(&self, _: &Permit<Use>, function: FunctionRef) -> FunctionInfo {
        let Declaration { function_type, payload, inputs, outputs, .. } = &self.declaration;
        FunctionInfo {
            function,
            function_type: *function_type,
            min_files: inputs.min,
            max_files: inputs.max,
            from_every_party: inputs.from_every_party,
            summary: self.summary.clone(),
            payload: Some(*payload),
            outputs: outputs.clone(),
            schema: self.schema.clone(),
            // Nobody vouches for how a user's function counts.
            counts: false,
        }
    }

    /// What function nodes need to run it.
    pub(crate) fn code(&self, _: &Permit<Use>, runtime: Option<Digest>) -> Code {
        Code { file: self.code.clone(), runtime, declaration: self.declaration.clone() }
    }

    /// All that a user who may use it is told.
    pub(crate) fn details(
        &self,
        permit: &Permit<Use>,
        function: FunctionRef,
        runtime: Option<Digest>,
    ) -> FunctionDetails {
        let Declaration { language, imports, random, limits, .. } = &self.declaration;
        let code = CodeDetails {
            author: self.author.clone(),
            language: *language,
            sha256: self.code.sha256,
            size: self.code.file_size,
            runtime,
            imports: imports.clone(),
            random: *random,
            limits: *limits,
            public: self.public,
            allow: if self.author == *permit.user() { self.allow.clone() } else { Vec::new() },
            registered_ms: self.registered,
        };
        FunctionDetails { disabled: self.disabled, code: Some(code), ..details(self.info(permit, function)) }
    }

    /// What a list says of it to a user who may use it.
    pub(crate) fn listed(&self, permit: &Permit<Use>, function: FunctionRef) -> ListedFunction {
        ListedFunction { author: Some(self.author.clone()), ..listed(self.info(permit, function)) }
    }
}

/// What people are told of a built-in function.
pub(crate) fn details(info: FunctionInfo) -> FunctionDetails {
    FunctionDetails {
        function: info.function,
        summary: info.summary,
        function_type: info.function_type,
        payload: info.payload.unwrap_or(PayloadUse::Optional),
        inputs: InputRule { min: info.min_files, max: info.max_files, from_every_party: info.from_every_party },
        outputs: info.outputs,
        schema: info.schema,
        counts: info.counts,
        disabled: false,
        code: None,
    }
}

pub(crate) fn listed(info: FunctionInfo) -> ListedFunction {
    ListedFunction { function: info.function, function_type: info.function_type, summary: info.summary, author: None }
}

/// Checks all that can be checked of a registration without looking anything up.
pub(crate) fn check(asked: &RegisterFunction) -> Result<(), Error> {
    let rule = |ok: bool, field, rule: String| if ok { Ok(()) } else { Err(Error::Field { field, rule }) };
    let is_line = |text: &str| text.chars().count() <= MAX_SUMMARY && !text.chars().any(char::is_control);
    rule(is_name(&asked.function_name), "function_name", "1 to 64 lower-case letters, digits and _".to_owned())?;
    rule(is_line(&asked.summary), "summary", format!("one line of at most {MAX_SUMMARY} characters"))?;
    rule(asked.schema.len() <= MAX_SCHEMA, "schema", format!("at most {MAX_SCHEMA} bytes"))?;
    rule(is_schema(&asked.schema), "schema", "a JSON object, or nothing".to_owned())?;
    rule(asked.allow.len() <= MAX_NAMES, "allow", format!("at most {MAX_NAMES} users"))?;
    check_declaration(&asked.declaration)
}

fn check_declaration(declared: &Declaration) -> Result<(), Error> {
    let rule = |ok: bool, rule: &str| if ok { Ok(()) } else { Err(Error::field("declaration", rule)) };
    let InputRule { min, max, .. } = declared.inputs;
    rule(max.is_none_or(|max| min <= max), "inputs.min is larger than inputs.max")?;
    rule(declared.payload != PayloadUse::NamesInput, "payload: only built-ins take the id of a file")?;
    let repeats = |at: usize, output: &OutputUse| declared.outputs[..at].contains(output);
    rule(!declared.outputs.iter().enumerate().any(|(at, output)| repeats(at, output)), "outputs: one is named twice")?;
    let imports = declared.imports.as_deref().unwrap_or_default();
    let short = imports.len() <= MAX_NAMES && imports.iter().all(|name| name.chars().count() <= MAX_IMPORT);
    rule(short, &format!("imports: at most {MAX_NAMES}, each of at most {MAX_IMPORT} characters"))?;
    let limits = declared.limits;
    let all = [limits.memory_bytes, limits.cpu_ms, limits.wall_ms];
    rule(all.into_iter().flatten().all(|limit| limit > 0), "limits: nothing runs in no memory or no time")
}

fn is_schema(text: &str) -> bool {
    text.is_empty() || serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_ok()
}

#[cfg(test)]
#[path = "function_tests.rs"]
mod tests;
