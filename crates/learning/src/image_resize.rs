//! `image_resize`: an image in another size, and perhaps another format.

use std::io::{Cursor, Write};

use executor::{Failure, Function, Inputs, Interface, Invocation, Output, OutputKind};
use image::imageops::FilterType;
use image::{DynamicImage, ImageFormat};
use serde::{Deserialize, Serialize};

use crate::metrics::result;
use crate::parameters::{parameters, within};
use crate::{foreign, interface, pixels};

pub(crate) struct ImageResize;

static INTERFACE: Interface = interface::declare(
    "image_resize",
    "gives an image another size and format",
    Inputs::exactly(1),
    &[OutputKind::Owner],
    include_str!("schema/image_resize.json"),
);

parameters!(Parameters {
    #[serde(alias = "nwidth")]
    width: u32 = 0,
    #[serde(alias = "nheight")]
    height: u32 = 0,
    #[serde(alias = "filter_type")]
    filter: Filter = Filter::Lanczos3,
    #[serde(alias = "output_format")]
    format: Format = Format::Png,
});

#[derive(Clone, Copy, Debug, Deserialize)]
enum Filter {
    Nearest,
    Triangle,
    CatmullRom,
    Gaussian,
    Lanczos3,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Format {
    Png,
    Jpeg,
    Gif,
    Bmp,
    Ico,
}

/// The largest side of an icon.
const MAX_ICON_SIDE: u32 = 256;

#[derive(Serialize)]
struct Summary {
    width: u32,
    height: u32,
}

impl Function for ImageResize {
    fn interface(&self) -> &Interface {
        &INTERFACE
    }

    fn run(&self, invocation: &mut Invocation<'_>) -> Result<String, Failure> {
        let Parameters { width, height, filter, format } = invocation.parameters()?;
        let most = if matches!(format, Format::Ico) { MAX_ICON_SIDE } else { pixels::MAX_SIDE };
        within("width", width, 1..=most)?;
        within("height", height, 1..=most)?;
        pixels::refuse_large(invocation.memory_limit(), width, height)?;
        let image = pixels::decode(invocation, 0)?;
        // Between its two passes the library has the new height and the old width.
        pixels::refuse_large(invocation.memory_limit(), image.width(), height)?;
        let resized = foreign::call("the image could not be resized", || {
            Ok::<_, ()>(image.resize_exact(width, height, filter.into()))
        })?;
        invocation.checkpoint()?;
        let file = encode(resized, format)?;
        let mut output = invocation.output(Output::Owner(0))?;
        output.write_all(&file)?;
        output.finish()?;
        Ok(result(&Summary { width, height }))
    }
}

fn encode(image: DynamicImage, format: Format) -> Result<Vec<u8>, Failure> {
    foreign::call("the image could not be written in this format", || {
        let mut file = Cursor::new(Vec::new());
        let image = match format {
            Format::Jpeg => image.to_rgb8().into(),
            Format::Png => image,
            Format::Gif | Format::Bmp | Format::Ico => image.to_rgba8().into(),
        };
        image.write_to(&mut file, format.into()).map(|()| file.into_inner())
    })
}

impl From<Filter> for FilterType {
    fn from(filter: Filter) -> Self {
        match filter {
            Filter::Nearest => FilterType::Nearest,
            Filter::Triangle => FilterType::Triangle,
            Filter::CatmullRom => FilterType::CatmullRom,
            Filter::Gaussian => FilterType::Gaussian,
            Filter::Lanczos3 => FilterType::Lanczos3,
        }
    }
}

impl From<Format> for ImageFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Png => ImageFormat::Png,
            Format::Jpeg => ImageFormat::Jpeg,
            Format::Gif => ImageFormat::Gif,
            Format::Bmp => ImageFormat::Bmp,
            Format::Ico => ImageFormat::Ico,
        }
    }
}
