//! A function as a person chooses it.

use std::io::{self, Write};

use client::{FunctionError, Teehouse};
use executor::Interface;
use serde::Serialize;
use types::function::{FunctionType, InputRule, OutputUse, PayloadUse, RunLimits};
use types::user::UserId;
use types::wire::tms_external::{CodeDetails, FunctionDetails, ListedFunction};

use crate::utc::utc;

/// What there is to know of a function.
#[derive(Serialize)]
pub(super) struct Described {
    pub(super) name: String,
    pub(super) version: u32,
    pub(super) summary: String,
    pub(super) function_type: FunctionType,
    /// Who registered it; nobody in a built-in's case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) author: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(flatten)]
    shape: Option<Shape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<CodeDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    disabled: bool,
}

/// What it takes and gives.
#[derive(Serialize)]
struct Shape {
    inputs: String,
    payload: &'static str,
    outputs: Vec<&'static str>,
    /// Whether tasks can have a minimum group.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    counts: bool,
}

/// Every function that a user may use.
pub(super) async fn of_user(user: &Teehouse) -> Result<Vec<Described>, FunctionError> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = user.functions(cursor).await?;
        all.extend(page.list.into_iter().map(Described::from));
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(all);
        }
    }
}

impl From<ListedFunction> for Described {
    fn from(listed: ListedFunction) -> Self {
        Described {
            name: listed.function.name,
            version: listed.function.version,
            summary: listed.summary,
            function_type: listed.function_type,
            author: listed.author,
            digest: Some(listed.function.digest.to_string()),
            shape: None,
            code: None,
            schema: None,
            disabled: false,
        }
    }
}

impl From<FunctionDetails> for Described {
    fn from(details: FunctionDetails) -> Self {
        Described {
            name: details.function.name,
            version: details.function.version,
            summary: details.summary,
            function_type: details.function_type,
            author: details.code.as_ref().map(|code| code.author.clone()),
            digest: Some(details.function.digest.to_string()),
            shape: Some(Shape {
                inputs: inputs(&details.inputs),
                payload: payload(details.payload),
                outputs: details.outputs.into_iter().map(receives).collect(),
                counts: details.counts,
            }),
            code: details.code,
            schema: serde_json::from_str(&details.schema).ok(),
            disabled: details.disabled,
        }
    }
}

impl From<&Interface> for Described {
    fn from(interface: &Interface) -> Self {
        let rule = InputRule {
            min: interface.inputs.min,
            max: Some(interface.inputs.max).filter(|max| *max != usize::MAX),
            from_every_party: interface.inputs.from_every_party,
        };
        Described {
            name: interface.name.clone().into_owned(),
            version: interface.version,
            summary: interface.summary.clone().into_owned(),
            function_type: interface.function_type,
            author: None,
            digest: None,
            shape: Some(Shape {
                inputs: inputs(&rule),
                payload: payload(interface.payload.into()),
                outputs: interface.outputs.iter().map(|kind| receives((*kind).into())).collect(),
                counts: interface.counts,
            }),
            code: None,
            schema: serde_json::from_str(&interface.schema).ok(),
            disabled: false,
        }
    }
}

fn inputs(rule: &InputRule) -> String {
    let max = rule.max.unwrap_or(usize::MAX);
    let inputs = executor::Inputs { min: rule.min, max, from_every_party: rule.from_every_party };
    match rule.from_every_party {
        true => format!("{inputs}, at least one from every party"),
        false => inputs.to_string(),
    }
}

fn payload(rule: PayloadUse) -> &'static str {
    match rule {
        PayloadUse::Refused => "none",
        PayloadUse::Optional => "optional",
        PayloadUse::Required => "required",
        PayloadUse::NamesInput => "optional: the id of a file to read",
    }
}

fn receives(output: OutputUse) -> &'static str {
    match output {
        OutputUse::Owner => "a private file for each input's owner",
        OutputUse::Creator => "a private file for the task's creator",
        OutputUse::Shared => "a file for all participants",
    }
}

impl Described {
    /// For people.
    pub(super) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let disabled = if self.disabled { ", disabled" } else { "" };
        writeln!(out, "function   {}, version {}{disabled}", self.name, self.version)?;
        if !self.summary.is_empty() {
            writeln!(out, "what       {}", self.summary)?;
        }
        writeln!(out, "parties    {:?}", self.function_type)?;
        if let Some(shape) = &self.shape {
            writeln!(out, "reads      {}", shape.inputs)?;
            writeln!(out, "payload    {}", shape.payload)?;
            writeln!(out, "gives      a result text")?;
            shape.outputs.iter().try_for_each(|output| writeln!(out, "           {output}"))?;
            if shape.counts {
                writeln!(out, "group      a task can have a minimum: `task create --minimum-group N`")?;
            }
        }
        if let Some(code) = &self.code {
            print_code(out, code)?;
        }
        if let Some(digest) = &self.digest {
            writeln!(out, "digest     {digest}")?;
        }
        match &self.schema {
            Some(schema) => writeln!(out, "schema     {}", indented(schema)),
            None => Ok(()),
        }
    }
}

fn print_code(out: &mut dyn Write, code: &CodeDetails) -> io::Result<()> {
    writeln!(out, "author     {}", code.author)?;
    writeln!(out, "code       {:?}, {} bytes, SHA-256 {}", code.language, code.size, code.sha256)?;
    if let Some(runtime) = &code.runtime {
        writeln!(out, "runtime    SHA-256 {runtime}")?;
    }
    for import in code.imports.iter().flatten() {
        writeln!(out, "imports    {import}")?;
    }
    if code.random {
        writeln!(out, "randomness real: two runs may differ")?;
    }
    print_limits(out, &code.limits)?;
    let who = match (code.public, code.allow.is_empty()) {
        (true, _) => "everybody".to_owned(),
        // Only the author is told whom.
        (false, true) => format!("{0}, and whom {0} names", code.author),
        (false, false) => {
            std::iter::once(&code.author).chain(&code.allow).map(UserId::as_str).collect::<Vec<_>>().join(", ")
        }
    };
    writeln!(out, "for        {who}")?;
    writeln!(out, "since      {}", utc(code.registered_ms))
}

fn print_limits(out: &mut dyn Write, limits: &RunLimits) -> io::Result<()> {
    let RunLimits { memory_bytes, cpu_ms, wall_ms, output_bytes, outputs } = *limits;
    for (what, limit) in [
        ("bytes of memory", memory_bytes),
        ("ms of processor time", cpu_ms),
        ("ms", wall_ms),
        ("bytes of outputs", output_bytes),
        ("outputs", outputs),
    ] {
        if let Some(limit) = limit {
            writeln!(out, "limit      {limit} {what}")?;
        }
    }
    Ok(())
}

/// JSON below a first line that begins eleven characters further right.
fn indented(schema: &serde_json::Value) -> String {
    let text = serde_json::to_string_pretty(schema).unwrap_or_default();
    text.lines().collect::<Vec<_>>().join("\n           ")
}
