//! Training objectives with their gradients, for tests and teaching.

use candle_core::{Tensor, Var};
use micse::losses::{
    AmiSampler, InfoNce, InfoNceForm, MiForm, Pool, Scaling, Slicing, ami_loss, check_finite,
};
use micse::random::Stream;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arrays::{array, variable};
use crate::errors::raise;

/// A value and the gradient of each input.
type Gradients<'py> = (f64, Vec<Bound<'py, PyAny>>);

/// InfoNCE of two views `[B, D]` and an optional queue `[Q, D]`.
#[pyfunction]
#[pyo3(signature = (z1, z2, temperature, queue=None))]
pub(crate) fn info_nce<'py>(
    py: Python<'py>,
    z1: &Bound<'py, PyAny>,
    z2: &Bound<'py, PyAny>,
    temperature: f64,
    queue: Option<&Bound<'py, PyAny>>,
) -> PyResult<Gradients<'py>> {
    let views = [variable("z1", z1)?, variable("z2", z2)?];
    let queue = queue.map(|queue| variable("queue", queue)).transpose()?;
    let queue = queue.as_ref().map(Var::as_tensor);
    let objective = InfoNce { temperature, form: InfoNceForm::Standard };
    let loss = objective.loss(&views[0], &views[1], queue).map_err(raise)?;
    gradients(py, "InfoNCE", &loss, &views)
}

/// AMI of the attention maps `[B, L, H, n, n]` of two views.
#[pyfunction]
#[pyo3(signature = (maps1, maps2, lengths, samples, heads, layers, seed))]
#[allow(clippy::too_many_arguments)] // as many as the Python function has
pub(crate) fn ami<'py>(
    py: Python<'py>,
    maps1: &Bound<'py, PyAny>,
    maps2: &Bound<'py, PyAny>,
    lengths: Option<Vec<usize>>,
    samples: usize,
    heads: usize,
    layers: usize,
    seed: u64,
) -> PyResult<Gradients<'py>> {
    let views = [variable("maps1", maps1)?, variable("maps2", maps2)?];
    let &[sentences, depth, all_heads, tokens, keys] = views[0].dims() else {
        return Err(PyValueError::new_err(format!(
            "maps1 has the shape {:?}; it must be [sentences, layers, heads, tokens, tokens]",
            views[0].dims()
        )));
    };
    if tokens != keys || views[0].dims() != views[1].dims() {
        return Err(PyValueError::new_err(format!(
            "maps1 has the shape {:?} and maps2 {:?}; both must be [sentences, layers, heads, tokens, tokens]",
            views[0].dims(),
            views[1].dims()
        )));
    }
    let lengths = lengths.unwrap_or_else(|| vec![tokens; sentences]);
    if lengths.len() != sentences || lengths.iter().any(|&length| length > tokens) {
        return Err(PyValueError::new_err(format!(
            "lengths must be {sentences} numbers of at most {tokens} tokens"
        )));
    }
    let all: Vec<usize> = (0..depth).collect();
    let slices = Slicing::Adjacent { heads, layers }.slices(&all, all_heads).map_err(raise)?;
    let sampler = AmiSampler { samples, replacement: false, pool: Pool::All, scaling: Scaling::Mean };
    let selection = sampler.draw(&slices, &lengths, None, &|_| true, Stream::new(seed)).map_err(raise)?;
    let values = [&views[0], &views[1]].map(|maps| selection.gather(maps));
    let [x, y] = values;
    let loss = ami_loss(&x.map_err(raise)?, &y.map_err(raise)?, &selection, MiForm::Eq4).map_err(raise)?;
    gradients(py, "AMI", &loss, &views)
}

/// The value of a loss, and its gradient for each variable.
fn gradients<'py>(py: Python<'py>, name: &str, loss: &Tensor, inputs: &[Var]) -> PyResult<Gradients<'py>> {
    let value = check_finite(loss, name).map_err(raise)?;
    let store = loss.backward().map_err(raise)?;
    let arrays = inputs.iter().map(|input| match store.get(input) {
        Some(gradient) => array(py, gradient),
        None => array(py, &input.zeros_like().map_err(raise)?),
    });
    Ok((value, arrays.collect::<PyResult<_>>()?))
}
