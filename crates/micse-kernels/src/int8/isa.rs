//! The instruction sets of the product.

/// Proofs that the CPU has an instruction set; only [`Isa::best`] creates them.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2(());
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(super) struct AvxVnni(());
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx512Vnni(());
#[cfg(target_arch = "aarch64")]
#[derive(Clone, Copy, Debug)]
pub(super) struct Dot(());

/// The instruction set of a product.
#[derive(Clone, Copy, Debug)]
pub(super) enum Isa {
    /// `vpdpbusd` on 512 bits: four 8-bit products, summed in 32 bits.
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni(Avx512Vnni),
    /// `vpdpbusd` on 256 bits.
    #[cfg(target_arch = "x86_64")]
    AvxVnni(AvxVnni),
    /// `vpmaddwd`: pairs of 16-bit products, summed in 32 bits.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// `sdot`: four 8-bit products, summed in 32 bits.
    #[cfg(target_arch = "aarch64")]
    Dot(Dot),
    /// Plain Rust.
    Portable,
}

impl Isa {
    /// The fastest instruction set of this CPU.
    pub(super) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni") {
                return Self::Avx512Vnni(Avx512Vnni(()));
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("avxvnni") {
                return Self::AvxVnni(AvxVnni(()));
            }
            if is_x86_feature_detected!("avx2") {
                return Self::Avx2(Avx2(()));
            }
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("dotprod") {
            return Self::Dot(Dot(()));
        }
        Self::Portable
    }

    /// Weights per word: those of adjacent inputs.
    pub(super) const fn depth(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => 2,
            _ => 4,
        }
    }

    /// A word that has the weight at one place, and zeros elsewhere.
    pub(super) const fn word(self, weight: i8, place: usize) -> u32 {
        let bits = 32 / self.depth();
        (weight as u32 & (u32::MAX >> (32 - bits))) << (bits * place)
    }

    /// The weight at one place of a word.
    pub(super) const fn weight(self, word: u32, place: usize) -> i8 {
        (word >> (32 / self.depth() * place)) as i8
    }
}
