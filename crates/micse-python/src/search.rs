//! Exact nearest neighbours among embeddings.

use micse::search::Index;
use numpy::{PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors::raise;
use crate::threads;

/// The `top` rows of `corpus` with the largest cosine for each row of `queries`: (row, cosine), best first.
#[pyfunction]
pub(crate) fn search(
    py: Python<'_>,
    corpus: PyReadonlyArray2<'_, f32>,
    queries: PyReadonlyArray2<'_, f32>,
    top: usize,
) -> PyResult<Vec<Vec<(usize, f64)>>> {
    let (dimension, queries_dimension) = (corpus.shape()[1], queries.shape()[1]);
    let other =
        |_| PyValueError::new_err("the embeddings must be contiguous; pass numpy.ascontiguousarray(rows)");
    let (corpus, queries) = (corpus.as_slice().map_err(other)?, queries.as_slice().map_err(other)?);
    if dimension == 0 || dimension != queries_dimension {
        return Err(PyValueError::new_err(format!(
            "the corpus has {dimension} entries per row and the queries {queries_dimension}; both must come from one \
             model"
        )));
    }
    let rows =
        |values: &[f32]| -> Vec<Vec<f32>> { values.chunks_exact(dimension).map(<[f32]>::to_vec).collect() };
    let queries = rows(queries);
    let corpus: Vec<&[f32]> = corpus.chunks_exact(dimension).collect();
    py.detach(|| {
        threads::install(|| {
            let index = Index::from_rows(&corpus).map_err(raise)?;
            let hits = index.search(&queries, top).map_err(raise)?;
            Ok(hits
                .into_iter()
                .map(|hits| hits.into_iter().map(|hit| (hit.row, hit.cosine)).collect())
                .collect())
        })
    })?
}
