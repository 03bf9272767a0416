//! `onnx_predict`: one party's ONNX model on another party's rows or image.
//!
//! The model may be hostile, and the library folds constants and allocates by shapes as it reads. So a model goes
//! through three steps: its bytes are measured before they are decoded (`wire`), its graph may only have known operators
//! and plain tensors (`screen`), and the shape of everything in it is found without any of its numbers (`shapes`). Only
//! what fits in the run's memory and time then meets its numbers.

mod screen;
mod shapes;
mod wire;

use std::io::BufRead;
use std::sync::Arc;

use executor::{Failure, Function, Inputs, Interface, Invocation, Output, OutputKind};
use image::imageops::FilterType;
use serde::Serialize;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::{
    Framework, InferenceModelExt, IntoRunnable, RunnableModel, Tensor, TractError, TypedFact, TypedModel, TypedOp, tvec,
};

use self::shapes::Shapes;
use crate::answer::Answer;
use crate::metrics::result;
use crate::parameters::parameters;
use crate::table::{Table, Wanted};
use crate::{foreign, interface, pixels};

pub(crate) struct OnnxPredict;

static INTERFACE: Interface = interface::declare(
    "onnx_predict",
    "applies an ONNX model to rows or to an image",
    Inputs::exactly(2),
    &[OutputKind::Owner],
    include_str!("schema/onnx_predict.json"),
);

parameters!(Parameters {
    header: Option<bool> = None,
    scale: f64 = 1.0 / 255.0,
    mean: Vec<f64> = Vec::new(),
    std: Vec<f64> = Vec::new(),
});

#[derive(Serialize)]
struct Summary {
    rows: usize,
    outputs: usize,
}

const FAILED: &str = "input 1: the model can't be run on this input";
/// Rows that go through a model together, where it takes any number.
const BATCH: usize = 64;

impl Function for OnnxPredict {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let parameters: Parameters = invocation.parameters()?;
        let proto = read(invocation)?;
        let is_image = pixels::is_image(invocation.input(1)?.fill_buf()?);
        let declared = screen::input_shape(&proto)?;
        let rows = if is_image {
            image_rows(invocation, &parameters, &declared)?
        } else {
            table_rows(invocation, &parameters, &declared)?
        };
        predict(invocation, &proto, &declared, &rows)
    }
}

fn read(invocation: &mut Invocation<'_>) -> Result<ModelProto, Failure> {
    let memory = invocation.memory_limit();
    wire::refuse_large(memory, invocation.input_size(0))?;
    let mut stream = invocation.input(0)?;
    let file = stream.rest()?;
    wire::check(file, memory)?;
    let mut proto = foreign::call("input 1: not an ONNX model", || {
        tract_onnx::onnx().proto_model_for_read(&mut std::io::Cursor::new(file))
    })?;
    screen::screen(&mut proto)?;
    Ok(proto)
}

/// Rows of what goes into the model, one after the other.
struct Rows {
    values: Vec<f32>,
    count: usize,
    /// The shape of one row.
    shape: Vec<usize>,
}

fn table_rows(
    invocation: &mut Invocation<'_>,
    parameters: &Parameters,
    declared: &[Option<usize>],
) -> Result<Rows, Failure> {
    let features = match declared {
        [_, Some(features)] => Some(*features),
        [_, None] => None,
        _ => return Err(Failure::function("input 1: the model does not take rows: its input has not two dimensions")),
    };
    let wanted = Wanted { header: parameters.header, features, ..Wanted::default() };
    let table = Table::read(invocation, 1..2, wanted)?;
    // The model's numbers have 32 bits.
    let values = table.values.iter().map(|value| *value as f32).collect();
    Ok(Rows { values, count: table.len(), shape: vec![table.columns] })
}

fn image_rows(
    invocation: &mut Invocation<'_>,
    parameters: &Parameters,
    declared: &[Option<usize>],
) -> Result<Rows, Failure> {
    let [_, Some(channels @ (1 | 3)), Some(height), Some(width)] = *declared else {
        let problem = "input 1: the model does not take images: its input is not N × 1 or 3 × height × width";
        return Err(Failure::function(problem));
    };
    let side = |side: usize| u32::try_from(side).ok().filter(|side| (1..=pixels::MAX_SIDE).contains(side));
    let (Some(width), Some(height)) = (side(width), side(height)) else {
        return Err(Failure::function("input 1: the model takes images of impossible size"));
    };
    for (member, given) in [("mean", &parameters.mean), ("std", &parameters.std)] {
        if !given.is_empty() && given.len() != channels {
            return Err(Failure::payload(member, "must have a number for each of the model's channels"));
        }
    }
    if parameters.std.iter().any(|deviation| deviation.is_nan() || *deviation <= 0.0) {
        return Err(Failure::payload("std", "must be above 0"));
    }
    pixels::refuse_large(invocation.memory_limit(), width, height)?;
    let image = pixels::decode(invocation, 1)?;
    pixels::refuse_large(invocation.memory_limit(), image.width(), height)?;
    let samples = foreign::call("input 2: the image could not be resized", || {
        let image = image.resize_exact(width, height, FilterType::Triangle);
        Ok::<_, ()>(if channels == 1 { image.to_luma8().into_raw() } else { image.to_rgb8().into_raw() })
    })?;
    let normal = |channel: usize, sample: u8| {
        let mean = parameters.mean.get(channel).copied().unwrap_or(0.0);
        let deviation = parameters.std.get(channel).copied().unwrap_or(1.0);
        ((f64::from(sample) * parameters.scale - mean) / deviation) as f32
    };
    let of_channel =
        |channel: usize| samples.iter().skip(channel).step_by(channels).map(move |sample| normal(channel, *sample));
    let shape = vec![channels, height as usize, width as usize];
    Ok(Rows { values: (0..channels).flat_map(of_channel).collect(), count: 1, shape })
}

fn predict(
    invocation: &mut Invocation<'_>,
    proto: &ModelProto,
    declared: &[Option<usize>],
    rows: &Rows,
) -> Result<String, Failure> {
    // A model for exactly so many rows gets so many, the last time with zeros.
    let batch = declared.first().copied().flatten().unwrap_or_else(|| rows.count.min(BATCH));
    let shape: Vec<usize> = [batch].into_iter().chain(rows.shape.iter().copied()).collect();
    let shapes = Shapes::find(proto, &shape)?;
    shapes.check(invocation.memory_limit())?;
    let model = prepare(proto, &shape)?;
    let width = shapes.outputs.iter().map(|output| output.iter().skip(1).product::<usize>()).sum();
    let names: Vec<String> = (0..width).map(|number| format!("output_{number}")).collect();
    let mut answer = Answer::create(invocation, Output::Owner(1), &names)?;
    let row: usize = rows.shape.iter().product();
    for batch_of in rows.values.chunks(batch * row) {
        invocation.checkpoint()?;
        let lines = run_batch(&model, &shape, batch_of)?;
        for line in lines.iter().take(batch_of.len() / row) {
            answer.row(line)?;
        }
    }
    answer.finish()?;
    Ok(result(&Summary { rows: rows.count, outputs: width }))
}

type Model = Arc<RunnableModel<TypedFact, Box<dyn TypedOp>>>;

fn prepare(proto: &ModelProto, shape: &[usize]) -> Result<Model, Failure> {
    foreign::call(FAILED, || {
        let mut model = tract_onnx::onnx().model_for_proto_model(proto)?;
        model.set_input_fact(0, shapes::fact(shape))?;
        let model: TypedModel = model.into_optimized()?;
        model.into_runnable()
    })
}

/// A line of numbers for each row of a batch: all outputs, one after the other.
fn run_batch(model: &Model, shape: &[usize], values: &[f32]) -> Result<Vec<Vec<f32>>, Failure> {
    foreign::call(FAILED, || {
        let mut padded = values.to_vec();
        padded.resize(shape.iter().product(), 0.0);
        let outputs = model.run(tvec!(Tensor::from_shape(shape, &padded)?.into()))?;
        let mut lines = vec![Vec::new(); shape[0]];
        for output in &outputs {
            let output = output.cast_to::<f32>()?;
            let view = output.to_plain_array_view::<f32>()?;
            let numbers: Vec<f32> = view.iter().copied().collect();
            let width = numbers.len() / shape[0];
            if width * shape[0] != numbers.len() || width == 0 {
                return Err(TractError::msg("an output without rows"));
            }
            lines.iter_mut().zip(numbers.chunks(width)).for_each(|(line, of)| line.extend_from_slice(of));
        }
        Ok(lines)
    })
}
