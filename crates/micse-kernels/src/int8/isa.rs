//! The instruction sets of the product.

#[cfg(target_arch = "x86_64")]
use super::product::TILE_PANELS;
#[cfg(target_arch = "x86_64")]
use crate::amx::{self, Amx};

/// Proofs that the CPU has an instruction set; only [`Isa::usable`] creates them.
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
    /// Tiles of AMX, and `vpdpbusd` on 512 bits for what tiles leave.
    #[cfg(target_arch = "x86_64")]
    Amx(Amx, Avx512Vnni),
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
        Self::usable().next().unwrap_or(Self::Portable)
    }

    /// The instruction sets of this CPU, the fastest first.
    pub(super) fn usable() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let found = {
            use std::arch::is_x86_feature_detected as has;
            let vnni = (has!("avx512f") && has!("avx512vnni")).then_some(Avx512Vnni(()));
            let avx_vnni = (has!("avx2") && has!("avxvnni")).then_some(AvxVnni(()));
            [
                vnni.and_then(|vnni| Some(Self::Amx(Amx::detect()?, vnni))),
                vnni.map(Self::Avx512Vnni),
                avx_vnni.map(Self::AvxVnni),
                has!("avx2").then_some(Self::Avx2(Avx2(()))),
            ]
        };
        #[cfg(target_arch = "aarch64")]
        let found = [std::arch::is_aarch64_feature_detected!("dotprod").then_some(Self::Dot(Dot(())))];
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let found: [Option<Self>; 0] = [];
        found.into_iter().flatten().chain([Self::Portable])
    }

    /// Rows per task of a product of `rows` rows. Tiles are so fast that they wait for the panels' memory unless many rows
    /// share it, as long as there are tasks for all threads.
    pub(super) fn task_rows(self, rows: usize) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx(..) => {
                rows.div_ceil(rayon::current_num_threads()).next_multiple_of(amx::ROWS).clamp(48, 96)
            }
            _ => {
                let _ = rows;
                48
            }
        }
    }

    /// Panels per task of a product of `rows` rows: the task's activations and panels stay in the second-level cache.
    pub(super) fn task_panels(self, rows: usize) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx(..) if rows.div_ceil(self.task_rows(rows)) >= 2 * rayon::current_num_threads() => {
                TILE_PANELS
            }
            _ => {
                let _ = rows;
                4
            }
        }
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
