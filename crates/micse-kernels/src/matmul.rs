//! Matrix products in f32, by the gemm crate.
//!
//! gemm chooses AVX-512 or AVX2 at run time. It splits rows and columns over threads, but never the sum, so
//! results do not depend on the number of threads. Sums of more than 512 products are divided into blocks whose length
//! depends on the L1 data cache ([`l1_cache`]), so results depend on that too.

use crate::View;

/// The L1 data cache of a thread, as gemm sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Its size, divided by the number of hardware threads that share it.
    pub bytes: usize,
    /// Its associativity.
    pub ways: usize,
}

/// The L1 data cache of this machine.
pub fn l1_cache() -> Cache {
    let [first, ..] = *gemm_common::cache::CACHE_INFO;
    Cache { bytes: first.cache_bytes, ways: first.associativity }
}

/// What happens to the current values of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// They are overwritten and need no initialisation.
    Replace,
    /// The product is added to them.
    Add,
}

/// `out = lhs · rhs` or `out += lhs · rhs`: `[m, k] · [k, n]`; the rows of `out` are consecutive, with n elements
/// each.
///
/// # Panics
/// The sizes do not match.
#[allow(unsafe_code)] // gemm takes raw pointers
pub fn product(out: &mut [f32], lhs: View<'_>, rhs: View<'_>, write: Write) {
    let (m, k, n) = (lhs.rows(), lhs.columns(), rhs.columns());
    assert_eq!(k, rhs.rows(), "cannot multiply {m} x {k} by {} x {n}", rhs.rows());
    let size = m.checked_mul(n).filter(|&size| size <= out.len());
    assert!(size.is_some(), "{} elements for a product of {m} x {n}", out.len());
    if m == 0 || n == 0 {
        return;
    }
    if k == 0 {
        if write == Write::Replace {
            out[..m * n].fill(0.0);
        }
        return;
    }
    // SAFETY: the constructors check that views are within their slices. `out` has m * n elements by the assertion
    // above and is borrowed mutably, so it overlaps neither operand.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            write == Write::Add,
            lhs.data().as_ptr(),
            lhs.column_stride() as isize,
            lhs.row_stride() as isize,
            rhs.data().as_ptr(),
            rhs.column_stride() as isize,
            rhs.row_stride() as isize,
            1.0_f32,
            1.0_f32,
            false,
            false,
            false,
            gemm::Parallelism::Rayon(0),
        );
    }
}
