//! Images of strangers: known by their first bytes, and measured before they are decoded.

use std::io::Cursor;

use executor::{Failure, Invocation, Limit};
use image::{DynamicImage, ImageFormat, ImageReader};

use crate::foreign;

/// The most pixels on a side.
pub(crate) const MAX_SIDE: u32 = 16_384;
/// Bytes of a pixel while it is worked on: four channels of 32 bits.
const PIXEL_BYTES: u64 = 16;
/// Formats that are read.
const READ: [ImageFormat; 5] =
    [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::Bmp, ImageFormat::Ico];

/// Whether bytes begin like an image that can be read.
pub(crate) fn is_image(start: &[u8]) -> bool {
    image::guess_format(start).is_ok_and(|format| READ.contains(&format))
}

/// Refuses pixels that a quarter of the run's memory has no room for.
pub(crate) fn refuse_large(memory: u64, width: u32, height: u32) -> Result<(), Failure> {
    if u64::from(width) * u64::from(height) * PIXEL_BYTES > memory / 4 {
        Err(Limit::Memory(memory).into())
    } else {
        Ok(())
    }
}

/// Decodes an input; the first picture, where it has several.
pub(crate) fn decode(invocation: &mut Invocation<'_>, input: usize) -> Result<DynamicImage, Failure> {
    let memory = invocation.memory_limit();
    if invocation.input_size(input) > memory / 4 {
        return Err(Limit::Memory(memory).into());
    }
    let problem =
        format!("input {}: not an image that can be read (PNG, JPEG, GIF, BMP, ICO), or a damaged one", input + 1);
    let mut stream = invocation.input(input)?;
    let file = stream.rest()?;
    let format = image::guess_format(file).ok().filter(|format| READ.contains(format));
    let format = format.ok_or_else(|| Failure::function(&*problem))?;
    let reader = || ImageReader::with_format(Cursor::new(file), format);
    let (width, height) = foreign::call(&problem, || reader().into_dimensions())?;
    if width > MAX_SIDE || height > MAX_SIDE {
        return Err(Failure::function(format!("input {}: more than {MAX_SIDE} pixels on a side", input + 1)));
    }
    refuse_large(memory, width, height)?;
    foreign::call(&problem, || {
        let mut reader = reader();
        let mut limits = image::Limits::default();
        limits.max_image_width = Some(MAX_SIDE);
        limits.max_image_height = Some(MAX_SIDE);
        limits.max_alloc = Some(memory / 2);
        reader.limits(limits);
        reader.decode()
    })
}
