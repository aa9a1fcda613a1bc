//! The instruction sets of the kernels.

/// Proof that the CPU has AVX512_BF16 and the required AVX-512 extensions; only [`Isa::best`] creates one.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx512Bf16(());

/// The instruction set for packing and product.
#[derive(Clone, Copy, Debug)]
pub(super) enum Isa {
    /// `vdpbf16ps` on 512-bit vectors.
    #[cfg(target_arch = "x86_64")]
    Avx512Bf16(Avx512Bf16),
    /// Plain Rust, compiled for the widest vectors of the CPU.
    Portable,
}

impl Isa {
    /// The fastest instruction set of this CPU.
    pub(super) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512vl")
            && std::arch::is_x86_feature_detected!("avx512bf16")
        {
            return Self::Avx512Bf16(Avx512Bf16(()));
        }
        Self::Portable
    }
}
