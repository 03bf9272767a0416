//! What a graph may be made of.

use executor::Failure;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::type_proto::Value;
use tract_onnx::pb::{AttributeProto, ModelProto, NodeProto, TensorProto, tensor_shape_proto};

/// Operators whose results are no larger than their inputs' shapes say: none makes a tensor as large as a number in
/// the model says, none has a graph of its own, none draws random numbers.
const OPERATORS: [&str; 60] = [
    "Abs",
    "Add",
    "ArgMax",
    "ArgMin",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Ceil",
    "Clip",
    "Concat",
    "Constant",
    "Conv",
    "Cos",
    "Div",
    "Dropout",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Flatten",
    "Floor",
    "Gather",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Greater",
    "HardSigmoid",
    "Identity",
    "InstanceNormalization",
    "LRN",
    "LayerNormalization",
    "LeakyRelu",
    "Less",
    "Log",
    "LogSoftmax",
    "MatMul",
    "Max",
    "MaxPool",
    "Min",
    "Mul",
    "Neg",
    "PRelu",
    "Pow",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Sigmoid",
    "Sin",
    "Slice",
    "Softmax",
    "Softplus",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Tanh",
    "Transpose",
    "Unsqueeze",
];
/// The most nodes; deep networks have some hundreds.
const MAX_NODES: usize = 10_000;
/// The most dimensions of a tensor.
const MAX_RANK: usize = 8;

/// Refuses what may not be in a graph, and turns `Constant` nodes into initializers.
pub(super) fn screen(proto: &mut ModelProto) -> Result<(), Failure> {
    if !proto.functions.is_empty() {
        return Err(refuse("functions of its own"));
    }
    let graph = proto.graph.as_mut().ok_or_else(|| refuse("no graph"))?;
    if !graph.sparse_initializer.is_empty() || !graph.quantization_annotation.is_empty() {
        return Err(refuse("sparse or quantised tensors"));
    }
    if graph.node.len() > MAX_NODES {
        return Err(refuse("more than 10000 nodes"));
    }
    graph.node.iter().try_for_each(screen_node)?;
    // What is declared in between is found anew, and might contradict.
    graph.value_info.clear();
    let (constants, nodes) = std::mem::take(&mut graph.node).into_iter().partition(|node| node.op_type == "Constant");
    graph.node = nodes;
    let constants: Vec<NodeProto> = constants;
    for constant in constants {
        graph.initializer.push(constant_tensor(constant)?);
    }
    graph.initializer.iter().try_for_each(screen_tensor)?;
    let initialized = |name: &String| graph.initializer.iter().any(|tensor| tensor.name == *name);
    graph.input.retain(|input| !initialized(&input.name));
    screen_names(proto)
}

fn refuse(what: &str) -> Failure {
    Failure::function(format!("input 1: the model has {what}, which is not accepted"))
}

fn screen_node(node: &NodeProto) -> Result<(), Failure> {
    let known = OPERATORS.iter().find(|known| **known == node.op_type);
    if known.is_none() || !matches!(&*node.domain, "" | "ai.onnx") {
        return Err(refuse("an operator that is not among those that docs/functions.md lists"));
    }
    node.attribute.iter().try_for_each(screen_attribute)
}

fn screen_attribute(attribute: &AttributeProto) -> Result<(), Failure> {
    if attribute.g.is_some() || !attribute.graphs.is_empty() || !attribute.tensors.is_empty() {
        return Err(refuse("graphs in its nodes"));
    }
    // Sizes, strides and paddings of windows.
    if attribute.ints.iter().chain([&attribute.i]).any(|number| number.abs() > 1 << 31) && attribute.name != "ends" {
        return Err(refuse("impossible numbers in its attributes"));
    }
    attribute.t.iter().try_for_each(screen_tensor)
}

fn constant_tensor(mut node: NodeProto) -> Result<TensorProto, Failure> {
    let name = node.output.pop().ok_or_else(|| refuse("a constant without a name"))?;
    let tensor = node.attribute.into_iter().find_map(|attribute| attribute.t);
    let tensor = tensor.ok_or_else(|| refuse("a constant that is no tensor"))?;
    Ok(TensorProto { name, ..tensor })
}

/// A tensor has exactly the numbers that its shape says, in the file itself.
fn screen_tensor(tensor: &TensorProto) -> Result<(), Failure> {
    if !tensor.external_data.is_empty() || tensor.data_location.unwrap_or(0) != 0 || tensor.segment.is_some() {
        return Err(refuse("tensors outside its file"));
    }
    let width = match DataType::try_from(tensor.data_type) {
        Ok(DataType::Float | DataType::Int32) => 4,
        Ok(DataType::Double | DataType::Int64) => 8,
        Ok(DataType::Bool | DataType::Uint8 | DataType::Int8) => 1,
        _ => return Err(refuse("tensors of other types than 32 and 64 bits, bytes and truth values")),
    };
    let volume = volume(&tensor.dims).ok_or_else(|| refuse("a tensor of impossible shape"))?;
    let typed = tensor.float_data.len() + tensor.int32_data.len() + tensor.int64_data.len() + tensor.double_data.len();
    let fits = if tensor.raw_data.is_empty() {
        typed == volume
    } else {
        typed == 0 && tensor.raw_data.len() == volume * width
    };
    if fits { Ok(()) } else { Err(refuse("a tensor with more or fewer numbers than its shape says")) }
}

/// How many numbers a shape holds; at least one.
fn volume(dims: &[i64]) -> Option<usize> {
    if dims.len() > MAX_RANK {
        return None;
    }
    let sides = dims.iter().map(|side| usize::try_from(*side).ok().filter(|side| (1..1 << 31).contains(side)));
    sides.into_iter().try_fold(1usize, |volume, side| volume.checked_mul(side?).filter(|volume| *volume < 1 << 40))
}

/// Everything that a node reads is there, and no name stands for two things.
fn screen_names(proto: &ModelProto) -> Result<(), Failure> {
    let graph = proto.graph.as_ref().ok_or_else(|| refuse("no graph"))?;
    let inputs = graph.input.iter().map(|input| &input.name);
    let tensors = graph.initializer.iter().map(|tensor| &tensor.name);
    let outputs = graph.node.iter().flat_map(|node| &node.output).filter(|name| !name.is_empty());
    let mut known = std::collections::HashSet::new();
    if !inputs.chain(tensors).chain(outputs).all(|name| known.insert(name)) {
        return Err(refuse("two values of one name"));
    }
    let read = graph.node.iter().flat_map(|node| &node.input).filter(|name| !name.is_empty());
    let mut read = read.chain(graph.output.iter().map(|output| &output.name));
    if read.all(|name| known.contains(name)) { Ok(()) } else { Err(refuse("a value that nothing computes")) }
}

/// The dimensions of the model's one input; `None` where it takes any number.
pub(super) fn input_shape(proto: &ModelProto) -> Result<Vec<Option<usize>>, Failure> {
    let graph = proto.graph.as_ref().ok_or_else(|| refuse("no graph"))?;
    let [input] = &graph.input[..] else {
        return Err(refuse("no input, or more than one"));
    };
    let Some(Value::TensorType(of)) = input.r#type.as_ref().and_then(|kind| kind.value.as_ref()) else {
        return Err(refuse("an input that is no tensor"));
    };
    if of.elem_type != DataType::Float as i32 {
        return Err(refuse("an input of other numbers than floats of 32 bits"));
    }
    let dims = of.shape.as_ref().map(|shape| &shape.dim[..]).unwrap_or_default();
    if !(2..=4).contains(&dims.len()) {
        return Err(refuse("an input that has not two to four dimensions"));
    }
    dims.iter()
        .map(|dim| match &dim.value {
            Some(tensor_shape_proto::dimension::Value::DimValue(side)) if *side > 0 => {
                let side = usize::try_from(*side).ok().filter(|side| *side < 1 << 24);
                side.map(Some).ok_or_else(|| refuse("an input of impossible shape"))
            }
            _ => Ok(None),
        })
        .collect()
}
