//! Models and images that other programs made.

use executor::Output;
use image::{DynamicImage, GenericImageView};

use crate::figures::{call, close, expected, file, numbers};

/// Both compute in 32 bits; orders of sums differ.
#[test]
fn onnx_predict() {
    let found = call("onnx_predict", "{}", &[file("rows.onnx"), file("iris_rows.csv")]);
    let outputs: Vec<f64> =
        found.rows(Output::Owner(1)).iter().flatten().map(|number| number.parse().unwrap()).collect();
    close(&outputs, &numbers(&expected("onnx_rows", "outputs")), 1e-5);
    assert_eq!((found.result["rows"].as_u64(), found.result["outputs"].as_u64()), (Some(150), Some(3)));
    let found = call("onnx_predict", "{}", &[file("picture.onnx"), file("picture.png")]);
    let outputs: Vec<f64> =
        found.rows(Output::Owner(1)).iter().flatten().map(|number| number.parse().unwrap()).collect();
    close(&outputs, &numbers(&expected("onnx_picture", "outputs")), 1e-4);
}

/// Mean difference of samples, 0 to 255.
fn difference(left: &DynamicImage, right: &DynamicImage) -> f64 {
    assert_eq!(left.dimensions(), right.dimensions());
    let (left, right) = (left.to_rgb8().into_raw(), right.to_rgb8().into_raw());
    let sum: f64 = left.iter().zip(&right).map(|(left, right)| f64::from(left.abs_diff(*right))).sum();
    sum / left.len() as f64
}

/// Both use the same kernels; one works in 32-bit floats, the other in fixed point with 8 bits between the passes, so
/// samples differ by rounding alone.
#[test]
fn image_resize() {
    for (name, width, height) in [("small", 24, 16), ("large", 90, 50)] {
        for filter in ["Triangle", "CatmullRom", "Lanczos3"] {
            let payload = format!(r#"{{"width":{width},"height":{height},"filter":"{filter}"}}"#);
            let found = call("image_resize", &payload, &[file("photo.png")]);
            let ours = image::load_from_memory(found.output(Output::Owner(0))).unwrap();
            let theirs = image::load_from_memory(&file(&format!("photo_{name}_{filter}.png"))).unwrap();
            let off = difference(&ours, &theirs);
            assert!(off < 1.0, "{name} {filter}: {off}");
        }
    }
}

#[test]
fn images_come_in_every_format() {
    for format in ["PNG", "JPEG", "GIF", "BMP", "ICO"] {
        let payload = format!(r#"{{"nwidth":60,"nheight":40,"output_format":"{format}","filter_type":"Nearest"}}"#);
        for source in ["photo.png", "photo.jpg"] {
            let found = call("image_resize", &payload, &[file(source)]);
            let bytes = found.output(Output::Owner(0));
            let guessed = format!("{:?}", image::guess_format(bytes).unwrap()).to_uppercase();
            assert_eq!(guessed, format);
            // Palettes of 256 colours and JPEG lose some; nothing else does.
            let most = if matches!(format, "GIF" | "JPEG") || source == "photo.jpg" { 10.0 } else { 0.0 };
            let ours = image::load_from_memory(bytes).unwrap();
            let off = difference(&ours, &image::load_from_memory(&file("photo.png")).unwrap());
            assert!(off <= most, "{format} of {source}: {off}");
        }
    }
}
