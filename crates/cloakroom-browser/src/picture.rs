//! What a page looks like.

use std::collections::BTreeSet;
use std::io::Cursor;

/// A screenshot: a PNG file that was read, and found to be one.
#[derive(Clone, Debug)]
pub struct Picture {
    file: Vec<u8>,
    width: u32,
    height: u32,
    colours: usize,
}

impl Picture {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// It is no PNG file, or a broken one.
    pub fn read(file: Vec<u8>) -> Result<Self, png::DecodingError> {
        let mut decoder = png::Decoder::new(Cursor::new(&file));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info()?;
        let mut pixels = vec![0; reader.output_buffer_size().unwrap_or_default()];
        let frame = reader.next_frame(&mut pixels)?;
        let (width, height) = (frame.width, frame.height);
        let samples = frame.color_type.samples();
        let colours = pixels.chunks_exact(samples).collect::<BTreeSet<_>>().len();
        Ok(Self { file, width, height, colours })
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &[u8] {
        &self.file
    }

    /// In pixels.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// In pixels.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// How many different colours it has; text alone has some dozens, an empty page one.
    #[must_use]
    pub const fn colours(&self) -> usize {
        self.colours
    }
}

#[cfg(test)]
mod tests {
    use super::Picture;

    /// A picture of one row, grey by grey.
    fn row(greys: &[u8]) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, u32::try_from(greys.len()).expect("short"), 1);
        encoder.set_color(png::ColorType::Grayscale);
        let mut writer = encoder.write_header().expect("it can be written");
        writer.write_image_data(greys).expect("it can be written");
        writer.finish().expect("it can be written");
        file
    }

    #[test]
    fn sizes_and_colours_are_read() {
        let picture = Picture::read(row(&[1, 2, 3, 2])).expect("a picture");
        assert_eq!((picture.width(), picture.height(), picture.colours()), (4, 1, 3));
        assert_eq!(Picture::read(row(&[7; 9])).expect("a picture").colours(), 1);
    }

    #[test]
    fn what_is_no_picture_or_half_a_one_is_refused() {
        assert!(Picture::read(b"<html>".to_vec()).is_err());
        let mut half = row(&[1, 2, 3, 2]);
        half.truncate(half.len() - 20);
        assert!(Picture::read(half).is_err());
    }
}
