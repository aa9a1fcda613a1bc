//! Renders SVG to PNG with a bundled font.

use std::path::Path;
use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

use crate::{Error, Result};

/// Pixels per user unit.
const SCALE: f32 = 2.0;

/// Renders SVG with the bundled font.
pub(crate) struct Renderer {
    fonts: Arc<fontdb::Database>,
    family: String,
}

impl Renderer {
    pub(crate) fn new() -> Self {
        let mut fonts = fontdb::Database::new();
        fonts.load_font_data(epaint_default_fonts::UBUNTU_LIGHT.to_vec());
        let family =
            fonts.faces().next().and_then(|face| face.families.first().map(|(name, _)| name.clone()));
        let family = family.unwrap_or_default();
        fonts.set_sans_serif_family(family.as_str());
        Self { fonts: Arc::new(fonts), family }
    }

    /// Renders a picture at two pixels per user unit; errors name `path`.
    pub(crate) fn render(&self, path: &Path, svg: &str) -> Result<Vec<u8>> {
        let failed = |reason: String| Error::file(path, format!("cannot render the picture: {reason}"));
        let options = Options {
            fontdb: Arc::clone(&self.fonts),
            font_family: self.family.clone(),
            ..Options::default()
        };
        let tree = Tree::from_str(svg, &options).map_err(|e| failed(e.to_string()))?;
        let size = tree.size();
        let (width, height) = ((size.width() * SCALE).ceil(), (size.height() * SCALE).ceil());
        let mut pixels = Pixmap::new(width as u32, height as u32)
            .ok_or_else(|| failed(format!("{width} x {height} pixels is too large")))?;
        resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
        pixels.encode_png().map_err(|e| failed(e.to_string()))
    }
}
