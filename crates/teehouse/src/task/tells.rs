//! What each party of a task will be told, and roughly how much that is.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use types::consent::TaskManifest;
use types::function::OutputUse;
use types::user::UserId;

/// A file that a party gets.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Told {
    /// Who gets it.
    pub(super) party: UserId,
    /// What it is about.
    pub(super) output: OutputUse,
    /// What it holds, in the words of the function's schema.
    pub(super) description: Option<String>,
    /// Roughly its size, in bytes; none where that depends on what the inputs hold.
    pub(super) about_bytes: Option<u64>,
}

/// What a function's schema says of a size (`x-bytes`): so many bytes for each byte of the recipient's inputs, of all inputs
/// and of the smallest one, and so many more.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Size {
    own: f64,
    all: f64,
    smallest: f64,
    more: f64,
}

impl Size {
    fn said_in(schema: &Value) -> Option<Self> {
        serde_json::from_value(schema.get("x-bytes")?.clone()).ok()
    }

    fn bytes(&self, manifest: &TaskManifest, recipient: Option<&UserId>) -> u64 {
        let sizes = || manifest.inputs.iter().map(|input| input.file_size as f64);
        let own = manifest.inputs.iter().filter(|input| Some(&input.user_id) == recipient);
        let own: f64 = own.map(|input| input.file_size as f64).sum();
        let smallest = if manifest.inputs.is_empty() { 0.0 } else { sizes().fold(f64::INFINITY, f64::min) };
        // Nothing that a schema says makes more of this than a number.
        (self.own * own + self.all * sizes().sum::<f64>() + self.smallest * smallest + self.more).round() as u64
    }
}

/// Every file that somebody gets, party by party. `schema` is the function's, where it may be seen.
pub(super) fn tells(manifest: &TaskManifest, schema: Option<&Value>) -> Vec<Told> {
    let of = |party: &UserId| {
        let outputs = manifest.outputs.iter().filter(|output| output.recipients.contains(party)).map(|output| {
            let place = schema.map(|schema| &schema["outputs"][name(output.output)]);
            Told {
                party: party.clone(),
                output: output.output,
                description: place.and_then(description),
                about_bytes: place.and_then(Size::said_in).map(|size| size.bytes(manifest, Some(party))),
            }
        });
        outputs.collect::<Vec<_>>()
    };
    manifest.parties.iter().flat_map(of).collect()
}

/// What the result text holds, and roughly its size in bytes.
pub(super) fn result(manifest: &TaskManifest, schema: &Value) -> (Option<String>, Option<u64>) {
    let place = &schema["result"];
    (description(place), Size::said_in(place).map(|size| size.bytes(manifest, None)))
}

fn description(schema: &Value) -> Option<String> {
    schema["description"].as_str().map(str::to_owned)
}

/// What a schema calls an output.
fn name(output: OutputUse) -> &'static str {
    match output {
        OutputUse::Owner => "owner",
        OutputUse::Creator => "creator",
        OutputUse::Shared => "shared",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use types::consent::ManifestOutput;

    use super::*;
    use crate::task::plan::tests::manifest;

    #[test]
    fn sizes_follow_from_inputs_as_the_schema_says() {
        let mut manifest = manifest(&[("alice", 1, 3200), ("bob", 2, 640)]);
        let parties = manifest.parties.clone();
        manifest.outputs = vec![ManifestOutput { output: OutputUse::Owner, recipients: parties.clone() }];
        for (size, expected) in [
            (json!({"own": 0.03125}), [Some(100), Some(20)]),
            (json!({"all": 1, "own": -1}), [Some(640), Some(3200)]),
            (json!({"smallest": 2, "more": 5}), [Some(1285), Some(1285)]),
            (json!({"own": -1}), [Some(0), Some(0)]),
            (json!({"more": 1e300}), [Some(u64::MAX), Some(u64::MAX)]),
            (json!({"own": "much"}), [None, None]),
            (json!(7), [None, None]),
        ] {
            let schema = json!({"outputs": {"owner": {"description": "bits", "x-bytes": size}}});
            let told = tells(&manifest, Some(&schema));
            let sizes: Vec<_> = told.iter().map(|told| (&told.party, told.about_bytes)).collect();
            assert_eq!(sizes, [(&parties[0], expected[0]), (&parties[1], expected[1])], "{schema}");
            assert_eq!(told[0].description.as_deref(), Some("bits"));
        }
        assert_eq!(tells(&manifest, None)[0].about_bytes, None);
        manifest.inputs.clear();
        let schema = json!({"result": {"x-bytes": {"smallest": 1, "more": 3}}});
        assert_eq!(result(&manifest, &schema), (None, Some(3)));
    }
}
