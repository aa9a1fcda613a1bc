//! The instruction sets of the kernels.

use super::product::TILE_ROWS;
#[cfg(target_arch = "x86_64")]
use crate::amx::{self, Amx, Tiles};

/// Proof that the CPU has AVX512_BF16 and the required AVX-512 extensions; only [`Isa::usable`] creates one.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx512Bf16(());

/// The instruction set for packing and product.
#[derive(Clone, Copy, Debug)]
pub(super) enum Isa {
    /// Tiles of AMX; `vdpbf16ps` for what tiles leave.
    #[cfg(target_arch = "x86_64")]
    Amx(Amx, Avx512Bf16),
    /// `vdpbf16ps` on 512-bit vectors.
    #[cfg(target_arch = "x86_64")]
    Avx512Bf16(Avx512Bf16),
    /// Plain Rust, compiled for the widest vectors of the CPU.
    Portable,
}

impl Isa {
    /// The fastest instruction set of this CPU.
    pub(super) fn best() -> Self {
        Self::usable().next().unwrap_or(Self::Portable)
    }

    /// The instruction sets of this CPU, the fastest first.
    pub(super) fn usable() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let found = {
            use std::arch::is_x86_feature_detected as has;
            let has = has!("avx512f") && has!("avx512bw") && has!("avx512vl") && has!("avx512bf16");
            let vectors = has.then_some(Avx512Bf16(()));
            let tiles = vectors.and_then(|vectors| Some(Self::Amx(Amx::detect()?, vectors)));
            [tiles, vectors.map(Self::Avx512Bf16)]
        };
        #[cfg(not(target_arch = "x86_64"))]
        let found: [Option<Self>; 0] = [];
        found.into_iter().flatten().chain([Self::Portable])
    }

    /// The vectors that pack and round.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn vectors(self) -> Option<Avx512Bf16> {
        match self {
            Self::Amx(_, vectors) | Self::Avx512Bf16(vectors) => Some(vectors),
            Self::Portable => None,
        }
    }

    /// Tile registers for products of `rows` rows, if products need them.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn tiles(self, rows: usize) -> Option<Tiles> {
        match self {
            Self::Amx(amx, _) => Some(Tiles::new(amx, rows)),
            Self::Avx512Bf16(_) | Self::Portable => None,
        }
    }

    /// Rows per tile of the output, and maximum rows per task: enough to use each panel several times while it is in the
    /// cache, the first-level cache for products of vectors. Tiles are so fast that they wait for the panels' memory
    /// unless many rows share it.
    pub(super) const fn rows(self) -> (usize, usize) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx(..) => (amx::ROWS, 12 * amx::ROWS),
            _ => (TILE_ROWS, 4 * TILE_ROWS),
        }
    }
}
