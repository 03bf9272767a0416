//! From what an author declares of code to what holds a run of it to that; nodes and `function test` share it.

use std::time::Duration;

use types::function::{Declaration, FunctionRef, OutputUse, PayloadUse, RunLimits};

use crate::wasm::{Randomness, Sandbox};
use crate::{Inputs, Interface, Limits, OutputKind, PayloadRule, ResultRule};

impl Interface {
    /// The interface of a user's function.
    pub fn declared(function: &FunctionRef, declaration: &Declaration) -> Self {
        let Declaration { function_type, payload, inputs, outputs, .. } = declaration;
        Interface {
            name: function.name.clone().into(),
            version: function.version,
            summary: "".into(),
            function_type: *function_type,
            inputs: Inputs {
                min: inputs.min,
                max: inputs.max.unwrap_or(usize::MAX),
                from_every_party: inputs.from_every_party,
            },
            payload: payload_rule(*payload),
            outputs: outputs.iter().map(|output| output_kind(*output)).collect::<Vec<_>>().into(),
            result: ResultRule::Text,
            schema: "".into(),
            counts: false,
        }
    }
}

fn payload_rule(payload: PayloadUse) -> PayloadRule {
    match payload {
        PayloadUse::Refused => PayloadRule::Refused,
        PayloadUse::Optional => PayloadRule::Optional,
        PayloadUse::Required => PayloadRule::Required,
        PayloadUse::NamesInput => PayloadRule::NamesInput,
    }
}

fn output_kind(output: OutputUse) -> OutputKind {
    match output {
        OutputUse::Owner => OutputKind::Owner,
        OutputUse::Creator => OutputKind::Creator,
        OutputUse::Shared => OutputKind::Shared,
    }
}

impl From<PayloadRule> for PayloadUse {
    fn from(rule: PayloadRule) -> Self {
        match rule {
            PayloadRule::Refused => PayloadUse::Refused,
            PayloadRule::Optional => PayloadUse::Optional,
            PayloadRule::Required => PayloadUse::Required,
            PayloadRule::NamesInput => PayloadUse::NamesInput,
        }
    }
}

impl From<OutputKind> for OutputUse {
    fn from(kind: OutputKind) -> Self {
        match kind {
            OutputKind::Owner => OutputUse::Owner,
            OutputKind::Creator => OutputUse::Creator,
            OutputKind::Shared => OutputUse::Shared,
        }
    }
}

impl Sandbox {
    /// What the author asked for beside the function's own inputs.
    pub fn declared(declaration: &Declaration) -> Self {
        let randomness = if declaration.random { Randomness::Real } else { Randomness::default() };
        Sandbox { randomness, ..Sandbox::default() }
    }
}

impl Limits {
    /// The lower of these limits and those that the author declared.
    #[must_use]
    pub fn lowered(self, declared: &RunLimits) -> Self {
        let time = |limit: Duration, most: Option<u64>| most.map_or(limit, |ms| limit.min(Duration::from_millis(ms)));
        let bytes = |limit: u64, most: Option<u64>| most.map_or(limit, |bytes| limit.min(bytes));
        let outputs = declared.outputs.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
        Limits {
            wall: time(self.wall, declared.wall_ms),
            cpu: time(self.cpu, declared.cpu_ms),
            memory: bytes(self.memory, declared.memory_bytes),
            output_bytes: bytes(self.output_bytes, declared.output_bytes),
            outputs: self.outputs.min(outputs),
            ..self
        }
    }
}

/// The first import that the author did not declare, where they declared any.
pub fn undeclared<'a>(imports: &'a [String], declaration: &Declaration) -> Option<&'a String> {
    let declared = declaration.imports.as_ref()?;
    imports.iter().find(|import| !declared.contains(import))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_only_ever_lowered() {
        let node = Limits::default();
        assert_eq!(node.clone().lowered(&RunLimits::default()), node);
        let all = |most| RunLimits {
            memory_bytes: Some(most),
            cpu_ms: Some(most),
            wall_ms: Some(most),
            output_bytes: Some(most),
            outputs: Some(most),
        };
        assert_eq!(node.clone().lowered(&all(u64::MAX)), node);
        let (cpu, wall) = (Duration::from_millis(3), Duration::from_millis(3));
        let expected = Limits { memory: 3, cpu, wall, output_bytes: 3, outputs: 3, ..node.clone() };
        assert_eq!(node.lowered(&all(3)), expected);
    }
}
