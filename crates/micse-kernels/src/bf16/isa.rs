//! The instruction sets of the kernels.

use super::product::TILE_ROWS;
#[cfg(target_arch = "x86_64")]
use crate::amx::{self, Amx};

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

    /// Rows per task of a product of `rows` rows for some threads, at least 1.
    ///
    /// A task multiplies all panels, so it has enough rows to use each of them several times while it is in the cache: the
    /// first-level cache for vectors. Tiles are so fast that they wait for the panels' memory unless more rows share it, as
    /// long as there are tasks for all threads.
    pub(super) fn task_rows(self, rows: usize, threads: usize) -> usize {
        // Rows per tile; the most rows per task; tasks wanted, if there are enough rows.
        let (tile, most, tasks) = match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx(..) => (amx::ROWS, 12 * amx::ROWS, rows.div_ceil(6 * amx::ROWS).min(8).max(threads)),
            _ => (TILE_ROWS, 4 * TILE_ROWS, 16),
        };
        #[cfg(not(target_arch = "x86_64"))]
        let _ = threads;
        let tasks = rows.div_ceil(tile).min(tasks).max(rows.div_ceil(most)).max(1);
        rows.div_ceil(tasks).max(1).next_multiple_of(tile)
    }
}
