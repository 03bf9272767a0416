//! The shape of everything in a model, found without its numbers, so that nothing is computed or allocated for it.

use executor::{Failure, Limit};
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto};
use tract_onnx::pb::{tensor_shape_proto, type_proto};
use tract_onnx::prelude::{Datum, Framework, InferenceFact, InferenceModel, InferenceModelExt};

use crate::foreign;

/// What running a model on one batch takes.
pub(super) struct Shapes {
    /// Numbers in all intermediate tensors together.
    numbers: f64,
    /// Multiplications, or as much work as that.
    steps: f64,
    /// The shape of each output; the first dimension is the batch.
    pub(super) outputs: Vec<Vec<usize>>,
}

/// Numbers that say a shape, an axis or a bound; more than that are data.
const MAX_SETTINGS: usize = 64;
/// Bytes of a number in any type, and of its copies while operators run.
const NUMBER_BYTES: f64 = 16.0;
/// As `foreign::bounded`: some ten seconds.
const MAX_STEPS: f64 = 1e10;

/// The input of a model, of this shape.
pub(super) fn fact(shape: &[usize]) -> InferenceFact {
    InferenceFact::dt_shape(f32::datum_type(), shape)
}

impl Shapes {
    /// Finds all shapes, for an input of this one.
    pub(super) fn find(proto: &ModelProto, shape: &[usize]) -> Result<Self, Failure> {
        const UNKNOWN: &str = "input 1: the shapes in the model do not follow from its input's, or contradict each other; \
                               export it for inputs of fixed shape";
        let stripped = ModelProto { graph: proto.graph.as_ref().map(strip), ..proto.clone() };
        foreign::call(UNKNOWN, || {
            let onnx = tract_onnx::onnx().with_ignore_output_shapes(true);
            let mut model = onnx.model_for_proto_model(&stripped)?;
            model.set_input_fact(0, fact(shape))?;
            model.analyse(false)?;
            let mut shapes = Self { numbers: 0.0, steps: 0.0, outputs: Vec::new() };
            for node in model.nodes() {
                let output = shape_of(&model, node.id, 0).ok_or(())?;
                let count = volume(&output);
                shapes.numbers += count * node.outputs.len() as f64;
                let inputs = node.inputs.iter().map(|from| shape_of(&model, from.node, from.slot));
                let inputs = inputs.collect::<Option<Vec<_>>>().ok_or(())?;
                shapes.steps += count * factor(&inputs);
            }
            for output in model.output_outlets()? {
                let output = shape_of(&model, output.node, output.slot).ok_or(())?;
                let batched = output.first() == shape.first();
                shapes.outputs.push(batched.then_some(output).ok_or(())?);
            }
            Ok::<_, Unknown>(shapes)
        })
    }

    /// Refuses what takes too much memory or time.
    pub(super) fn check(&self, memory: u64) -> Result<(), Failure> {
        if self.numbers * NUMBER_BYTES > memory as f64 / 2.0 {
            return Err(Limit::Memory(memory).into());
        }
        if self.steps > MAX_STEPS {
            return Err(Failure::function("input 1: the model takes more than 10¹⁰ steps for a batch of rows"));
        }
        Ok(())
    }
}

/// Any error: what was not found is not known.
struct Unknown;

impl From<()> for Unknown {
    fn from((): ()) -> Self {
        Unknown
    }
}

impl From<tract_onnx::prelude::TractError> for Unknown {
    fn from(_: tract_onnx::prelude::TractError) -> Self {
        Unknown
    }
}

fn shape_of(model: &InferenceModel, node: usize, slot: usize) -> Option<Vec<usize>> {
    let fact = &model.nodes().get(node)?.outputs.get(slot)?.fact;
    fact.shape.as_concrete_finite().ok()?.map(|shape| shape.to_vec())
}

fn volume(shape: &[usize]) -> f64 {
    shape.iter().map(|side| *side as f64).product()
}

/// Multiplications for each number of a result, at most: as many as a weight has numbers for each of its units, or as the
/// longest side of what is multiplied.
fn factor(inputs: &[Vec<usize>]) -> f64 {
    let longest = inputs.first().into_iter().flatten().max().copied().unwrap_or(1) as f64;
    let per_unit =
        inputs.get(1).map_or(1.0, |weight| volume(weight) / weight.first().copied().unwrap_or(1).max(1) as f64);
    longest.max(per_unit)
}

/// The graph with inputs in place of all tensors but settings. Nothing in it can be computed beforehand, because the
/// first operand of every node is unknown.
fn strip(graph: &GraphProto) -> GraphProto {
    let (kept, data): (Vec<&TensorProto>, Vec<&TensorProto>) =
        graph.initializer.iter().partition(|tensor| is_setting(graph, tensor));
    let inputs = graph.input.iter().cloned().chain(data.into_iter().map(as_input));
    GraphProto { input: inputs.collect(), initializer: kept.into_iter().cloned().collect(), ..graph.clone() }
}

fn is_setting(graph: &GraphProto, tensor: &TensorProto) -> bool {
    let small = tensor.dims.iter().product::<i64>() <= MAX_SETTINGS as i64;
    let first = |node: &NodeProto| node.input.first() == Some(&tensor.name);
    let output = graph.output.iter().any(|output| output.name == tensor.name);
    small && tensor.data_type == DataType::Int64 as i32 && !output && !graph.node.iter().any(first)
}

fn as_input(tensor: &TensorProto) -> ValueInfoProto {
    let dimension = |side: &i64| tensor_shape_proto::Dimension {
        value: Some(tensor_shape_proto::dimension::Value::DimValue(*side)),
        ..Default::default()
    };
    let of = type_proto::Tensor {
        elem_type: tensor.data_type,
        shape: Some(TensorShapeProto { dim: tensor.dims.iter().map(dimension).collect() }),
    };
    let kind = TypeProto { value: Some(type_proto::Value::TensorType(of)), ..Default::default() };
    ValueInfoProto { name: tensor.name.clone(), r#type: Some(kind), ..Default::default() }
}
