//! Products of AMX's tiles on registers only.

use std::arch::asm;

/// The operand of `ldtilecfg`: eight tiles of 16 rows of 64 bytes.
#[repr(C, align(64))]
struct Config([u8; 64]);

static CONFIG: Config = {
    let mut bytes = [0; 64];
    bytes[0] = 1;
    let mut tile = 0;
    while tile < 8 {
        bytes[16 + 2 * tile] = 64;
        bytes[48 + tile] = 16;
        tile += 1;
    }
    Config(bytes)
};

macro_rules! steps {
    ($name:ident, $operations:ident, $depth:literal, $multiply:literal) => {
        /// Operations per step: of four products, each of 16 rows and columns.
        pub(crate) const $operations: usize = 4 * 16 * 16 * 2 * $depth;

        /// The caller has asked whether the process may use tiles.
        #[allow(unsafe_code)]
        pub(crate) fn $name(count: usize) {
            // SAFETY: the process may use tiles, which nothing else uses meanwhile.
            unsafe {
                asm!(
                    "ldtilecfg [{config}]",
                    "2:",
                    concat!($multiply, " tmm0, tmm4, tmm6"),
                    concat!($multiply, " tmm1, tmm4, tmm7"),
                    concat!($multiply, " tmm2, tmm5, tmm6"),
                    concat!($multiply, " tmm3, tmm5, tmm7"),
                    "dec {count}",
                    "jnz 2b",
                    "tilerelease",
                    config = in(reg) &raw const CONFIG,
                    count = inout(reg) count => _,
                    options(nostack, readonly),
                );
            }
        }
    };
}

steps!(bytes, BYTE_OPERATIONS, 64, "tdpbusd");
steps!(halves, HALF_OPERATIONS, 32, "tdpbf16ps");
