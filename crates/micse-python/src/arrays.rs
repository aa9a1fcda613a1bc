//! NumPy arrays and candle tensors.

use candle_core::{Device, Tensor, Var};
use numpy::{PyArray1, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::errors::raise;

/// A variable with the values of an array of f32 or f64.
pub(crate) fn variable(name: &str, array: &Bound<'_, PyAny>) -> PyResult<Var> {
    let tensor = if let Ok(values) = array.extract::<PyReadonlyArrayDyn<'_, f32>>() {
        let shape = values.shape().to_vec();
        Tensor::from_vec(values.as_array().iter().copied().collect::<Vec<f32>>(), shape, &Device::Cpu)
    } else if let Ok(values) = array.extract::<PyReadonlyArrayDyn<'_, f64>>() {
        let shape = values.shape().to_vec();
        Tensor::from_vec(values.as_array().iter().copied().collect::<Vec<f64>>(), shape, &Device::Cpu)
    } else {
        return Err(PyTypeError::new_err(format!("{name} must be a NumPy array of float32 or float64")));
    };
    Var::from_tensor(&tensor.map_err(raise)?).map_err(raise)
}

/// The values of a tensor as an array of its shape and type.
pub(crate) fn array<'py>(py: Python<'py>, tensor: &Tensor) -> PyResult<Bound<'py, PyAny>> {
    let flat = tensor.flatten_all().map_err(raise)?;
    let shape = tensor.dims().to_vec();
    if tensor.dtype() == candle_core::DType::F64 {
        let values = flat.to_vec1::<f64>().map_err(raise)?;
        let shaped: Bound<'py, PyArrayDyn<f64>> = PyArray1::from_vec(py, values).reshape(shape)?;
        return Ok(shaped.into_any());
    }
    let values = flat.to_vec1::<f32>().map_err(raise)?;
    let shaped: Bound<'py, PyArrayDyn<f32>> = PyArray1::from_vec(py, values).reshape(shape)?;
    Ok(shaped.into_any())
}
