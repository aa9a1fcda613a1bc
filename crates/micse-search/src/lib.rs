//! Exact nearest neighbours by cosine for embeddings in a NumPy file or in memory.
//!
//! The rows of a file stay in the file: a search reads them block by block, on all threads, and memory contains only one
//! norm per row and a few blocks. Every row is compared, so the neighbours are exact, and identical for any number
//! of threads.
//!
//! ```
//! use std::fs::File;
//! use micse_search::{Index, Npy, NpyWriter};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("rows.npy");
//! let mut writer = NpyWriter::new(File::create(&path)?, 2)?;
//! for row in [[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]] {
//!     writer.push(&row)?;
//! }
//! writer.finish()?;
//!
//! let index = Index::new(Npy::open(&path)?)?;
//! let hits = &index.search(&[[1.0, 0.1]], 2)?[0];
//! assert_eq!((hits[0].row, hits[1].row), (0, 2));
//! assert!((hits[0].cosine - 1.0 / 1.01_f64.sqrt()).abs() < 1e-7);
//!
//! // The same rows in memory.
//! let index = Index::from_rows(&[[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]])?;
//! assert_eq!(index.search(&[[1.0, 0.1]], 1)?[0][0].row, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | item | subject |
//! |---|---|
//! | [`Npy`], [`NpyWriter`] | NumPy files, read by position and written row by row |
//! | [`Index`], [`Hit`] | norms, and the scan |

mod error;
mod index;
mod npy;
mod npy_writer;
mod rows;

pub use error::{Error, Result};
pub use index::{Hit, Index};
pub use npy::Npy;
pub use npy_writer::NpyWriter;
