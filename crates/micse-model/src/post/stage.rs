//! A fitted whitening or flow: applied to embeddings, saved in a folder.
//!
//! A stage has two files: `post.json` (its kind, the data and options of the fit) and `post.safetensors` (its
//! values; f64 for a whitening, f32 for a flow).

use std::path::{Path, PathBuf};

use crate::{WeightsFile, save_safetensors};
use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::post::flow::{Flow, FlowOptions, Glow};
use crate::post::{Error, Result, Whitening};

/// A post-processing stage, with a description of the data it was fitted on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Stage {
    /// A whitening.
    Whitening {
        /// The fitted whitening.
        whitening: Whitening,
        /// Description of the data of the fit.
        fitted_on: String,
    },
    /// A normalising flow.
    Flow {
        /// The fitted flow.
        flow: Flow,
        /// Description of the data of the fit.
        fitted_on: String,
    },
}

/// The contents of `post.json`.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum Record {
    Whitening { fitted_on: String, rows: usize, dimension: usize, components: usize, dropped: usize },
    Flow { fitted_on: String, steps: usize, dimension: usize, options: FlowOptions },
}

impl Stage {
    /// The module's name in `modules.json`, after `micse.`.
    pub const MODULE: &str = "PostProcessing";

    /// The kind's name: `whitening` or `flow`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Whitening { .. } => "whitening",
            Self::Flow { .. } => "flow",
        }
    }

    /// The declared description of the data of the fit.
    pub fn fitted_on(&self) -> &str {
        match self {
            Self::Whitening { fitted_on, .. } | Self::Flow { fitted_on, .. } => fitted_on,
        }
    }

    /// Dimension of the input rows.
    pub fn input_dimension(&self) -> usize {
        match self {
            Self::Whitening { whitening, .. } => whitening.input_dimension(),
            Self::Flow { flow, .. } => flow.dimension(),
        }
    }

    /// Dimension of the output rows.
    pub fn output_dimension(&self) -> usize {
        match self {
            Self::Whitening { whitening, .. } => whitening.output_dimension(),
            Self::Flow { flow, .. } => flow.dimension(),
        }
    }

    /// [`Whitening::transform`] or [`Flow::transform`].
    ///
    /// # Errors
    /// The errors of these functions.
    pub fn transform(&self, rows: &[Vec<f32>]) -> Result<Vec<Vec<f32>>> {
        match self {
            Self::Whitening { whitening, .. } => whitening.transform(rows),
            Self::Flow { flow, .. } => flow.transform(rows),
        }
    }

    /// Writes the stage's two files into `folder`, replacing those of an earlier stage. An interruption
    /// leaves the old stage, the new one, or an incomplete one that [`load`](Self::load) rejects, but never a
    /// mix.
    ///
    /// # Errors
    /// Fails if `fitted_on` is blank or the folder cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let (record, tensors) = self.parts()?;
        let (json, weights) = paths(folder);
        // Otherwise, an interruption between the two files would leave new values under the old record.
        if json.is_file() {
            std::fs::remove_file(&json).map_err(Error::io(&json))?;
        }
        save_safetensors(&weights, &tensors)?;
        micse_files::write_json(&json, &record).map_err(|e| Error::Model(e.into()))
    }

    /// Reads the stage in `folder`; `None` if the folder has no stage.
    ///
    /// # Errors
    /// Fails if the folder does not exist, if only one of the two files exists, or if a file cannot be read
    /// or is invalid.
    pub fn load(folder: &Path) -> Result<Option<Self>> {
        std::fs::read_dir(folder).map_err(Error::io(folder))?;
        let (json, weights) = paths(folder);
        match (json.is_file(), weights.is_file()) {
            (false, false) => return Ok(None),
            (true, false) => return Err(Error::Half { present: json, missing: weights }),
            (false, true) => return Err(Error::Half { present: weights, missing: json }),
            (true, true) => (),
        }
        let text = std::fs::read_to_string(&json).map_err(Error::io(&json))?;
        let record = serde_json::from_str(&text).map_err(|e| Error::damaged(&json, e.to_string()))?;
        Self::from_parts(record, &json, &WeightsFile::open(&weights)?).map(Some)
    }

    fn parts(&self) -> Result<(Record, Vec<(String, Tensor)>)> {
        if self.fitted_on().trim().is_empty() {
            return Err(Error::Undeclared);
        }
        let fitted_on = self.fitted_on().to_owned();
        Ok(match self {
            Self::Whitening { whitening, .. } => {
                let (dimension, components) = (whitening.input_dimension(), whitening.output_dimension());
                let mean = Tensor::from_slice(whitening.mean(), dimension, &Device::Cpu)?;
                let kernel = whitening.kernel_row_major();
                let kernel = Tensor::from_vec(kernel, (components, dimension), &Device::Cpu)?;
                let (rows, dropped) = (whitening.rows(), whitening.dropped());
                (
                    Record::Whitening { fitted_on, rows, dimension, components, dropped },
                    vec![("mean".into(), mean), ("kernel".into(), kernel)],
                )
            }
            Self::Flow { flow, .. } => {
                let (steps, dimension, options) = (flow.steps(), flow.dimension(), flow.options());
                (Record::Flow { fitted_on, steps, dimension, options }, flow.glow().parameters())
            }
        })
    }

    fn from_parts(record: Record, json: &Path, weights: &WeightsFile) -> Result<Self> {
        let stage = match record {
            Record::Whitening { fitted_on, rows, dimension, components, dropped } => {
                let mean = tensor(weights, "mean", &[dimension], DType::F64)?.to_vec1()?;
                let kernel = tensor(weights, "kernel", &[components, dimension], DType::F64)?;
                if dimension == 0 || components == 0 {
                    return Err(Error::damaged(
                        json,
                        format!("{components} components of dimension {dimension}"),
                    ));
                }
                let kernel = kernel.flatten_all()?.to_vec1::<f64>()?;
                Self::Whitening { whitening: Whitening::from_values(mean, &kernel, dropped, rows), fitted_on }
            }
            Record::Flow { fitted_on, steps, dimension, options } => {
                let shape = options.shape(dimension);
                shape.check().map_err(|e| Error::damaged(json, e.to_string()))?;
                let glow = Glow::build(shape, &mut |name, shape| tensor(weights, name, shape, DType::F32))?;
                Self::Flow { flow: Flow::new(glow, options, steps), fitted_on }
            }
        };
        if stage.fitted_on().trim().is_empty() {
            return Err(Error::damaged(json, "fitted_on is blank"));
        }
        Ok(stage)
    }
}

fn paths(folder: &Path) -> (PathBuf, PathBuf) {
    (folder.join("post.json"), folder.join("post.safetensors"))
}

/// The tensor of this name in the file, checked to have this shape and type and finite values.
fn tensor(weights: &WeightsFile, name: &str, shape: &[usize], dtype: DType) -> Result<Tensor> {
    let path = weights.path();
    let tensor =
        weights.get(name).ok_or_else(|| Error::damaged(path, format!("tensor `{name}` is missing")))?;
    if tensor.dims() != shape || tensor.dtype() != dtype {
        let (dims, found) = (tensor.dims(), tensor.dtype());
        let reason = format!("tensor `{name}` is {dims:?} in {found:?}, expected {shape:?} in {dtype:?}");
        return Err(Error::damaged(path, reason));
    }
    let values = tensor.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    match values.iter().find(|v| !v.is_finite()) {
        Some(value) => Err(Error::damaged(path, format!("tensor `{name}` contains {value}"))),
        None => Ok(tensor.clone()),
    }
}
