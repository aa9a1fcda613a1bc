//! The instruction sets of the product.

/// Proof that the CPU has AVX2; only [`Isa::best`] creates one.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2(());

/// The instruction set of a product.
#[derive(Clone, Copy, Debug)]
pub(super) enum Isa {
    /// `vpmaddwd`: pairs of 16-bit products, summed in 32 bits.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// Plain Rust.
    Portable,
}

impl Isa {
    /// The fastest instruction set of this CPU.
    pub(super) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            return Self::Avx2(Avx2(()));
        }
        Self::Portable
    }
}
