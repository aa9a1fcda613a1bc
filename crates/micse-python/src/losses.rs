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
use crate::threads;

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
    compute(py, "InfoNCE", &views, || {
        let objective = InfoNce { temperature, form: InfoNceForm::Standard };
        objective.loss(&views[0], &views[1], queue.as_ref().map(Var::as_tensor))
    })
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
    compute(py, "AMI", &views, || {
        let all: Vec<usize> = (0..depth).collect();
        let slices = Slicing::Adjacent { heads, layers }.slices(&all, all_heads)?;
        let sampler = AmiSampler { samples, replacement: false, pool: Pool::All, scaling: Scaling::Mean };
        let selection = sampler.draw(&slices, &lengths, None, &|_| true, Stream::new(seed))?;
        let (x, y) = (selection.gather(&views[0])?, selection.gather(&views[1])?);
        ami_loss(&x, &y, &selection, MiForm::Eq4)
    })
}

/// The value of a loss, and its gradient for each of its inputs.
fn compute<'py>(
    py: Python<'py>,
    name: &str,
    inputs: &[Var],
    loss: impl FnOnce() -> micse::losses::Result<Tensor> + Send,
) -> PyResult<Gradients<'py>> {
    let (value, gradients) = py.detach(|| {
        threads::install(|| -> PyResult<_> {
            let loss = loss().map_err(raise)?;
            let value = check_finite(&loss, name).map_err(raise)?;
            let store = loss.backward().map_err(raise)?;
            let gradient = |input: &Var| match store.get(input) {
                Some(gradient) => Ok(gradient.clone()),
                None => input.zeros_like().map_err(raise),
            };
            Ok((value, inputs.iter().map(gradient).collect::<PyResult<Vec<Tensor>>>()?))
        })
    })??;
    let arrays = gradients.iter().map(|gradient| array(py, gradient)).collect::<PyResult<_>>()?;
    Ok((value, arrays))
}
