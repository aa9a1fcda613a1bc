//! Tiles of AMX (Advanced Matrix Extensions; Intel servers since Sapphire Rapids): products of 16 rows and 16 columns
//! in one instruction, on Linux.
//!
//! Tile registers hold up to 16 rows of 64 bytes. A step of [`Tiles`] multiplies two tiles of the left operand, each of
//! 16 rows, by two tiles of the right one, each of 16 columns: 64 bytes of every row and column along the depth. The
//! order of a tile of the right operand in memory is that of lines of words ([`Line`]), as `vpdpbusd` and `vdpbf16ps`
//! need it too.

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, _MM_HINT_T0, _mm_prefetch, _xgetbv};
use std::marker::PhantomData;
use std::sync::OnceLock;

use crate::line::{Line, WORDS};

/// Rows per tile.
pub(crate) const ROWS: usize = 16;

/// Bytes per row of a tile, and of a step along the depth.
pub(crate) const STEP: usize = 64;

/// Proof that the CPU has tiles with products of int8 and bfloat16, and that Linux lets the process use them; only
/// [`Amx::detect`] creates one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amx(());

impl Amx {
    /// Asks the CPU and, once per process, Linux, which reserves 8 KiB more per thread for the registers.
    pub(crate) fn detect() -> Option<Self> {
        static ALLOWED: OnceLock<bool> = OnceLock::new();
        ALLOWED.get_or_init(|| has_tiles() && request_tiles()).then_some(Self(()))
    }
}

/// The operand of `ldtilecfg`.
#[repr(C, align(64))]
struct Config {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

impl Config {
    /// Tiles 0 to 5, sums and the left operand, have `height` rows; 6 and 7, the right operand, have all.
    fn new(height: u8) -> Self {
        let (mut row_bytes, mut rows) = ([0; 16], [0; 16]);
        row_bytes[..8].fill(STEP as u16);
        rows[..6].fill(height);
        rows[6..8].fill(ROWS as u8);
        Self { palette: 1, start_row: 0, reserved: [0; 14], row_bytes, rows }
    }
}

/// Whether the CPU has tiles, int8 and bfloat16 products, and the system saves their registers.
#[allow(unsafe_code)]
fn has_tiles() -> bool {
    const SAVED: u64 = 0b11 << 17;
    let has = |register: u32, bit: u32| register >> bit & 1 == 1;
    if __cpuid(0).eax < 7 || !has(__cpuid(1).ecx, 27) {
        return false;
    }
    let extensions = __cpuid_count(7, 0).edx;
    // SAFETY: bit 27 above says that `xgetbv` exists.
    [22, 24, 25].into_iter().all(|bit| has(extensions, bit))
        && unsafe { enabled_registers() } & SAVED == SAVED
}

/// The registers that the system saves and restores.
#[allow(unsafe_code)]
#[target_feature(enable = "xsave")]
fn enabled_registers() -> u64 {
    // SAFETY: register 0 always exists.
    unsafe { _xgetbv(0) }
}

/// Linux saves the registers only for processes that ask for them.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn request_tiles() -> bool {
    /// From Linux's `asm/prctl.h`, and the number of the registers.
    const ARCH_REQ_XCOMP_PERM: libc::c_int = 0x1023;
    const TILES: libc::c_ulong = 18;
    // SAFETY: the call changes nothing but the size of the area in which registers are saved.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILES) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn request_tiles() -> bool {
    false
}

/// The thread's tile registers, prepared for a product of some rows.
pub(crate) struct Tiles {
    rows: usize,
    /// Rows per tile: 16, or all if there are fewer.
    height: usize,
    sums: [[Line; 2]; 2 * ROWS],
    /// Not to be moved to another thread.
    thread: PhantomData<*const ()>,
}

/// Rows of bytes.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a> {
    pub(crate) bytes: &'a [u8],
    /// Bytes from one row to the next.
    pub(crate) stride: usize,
}

/// Two times 16 columns, as lines of words: the same word of all columns.
#[derive(Clone, Copy)]
pub(crate) struct Right<'a> {
    pub(crate) lines: [&'a [Line]; 2],
    /// Lines from one word to the next.
    pub(crate) stride: usize,
}

/// Rows that are computed together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) first: usize,
    pub(crate) end: usize,
}

/// The order of bytes in a word and of the sums.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Unsigned by signed 8-bit integers, sums of 32 bits.
    Bytes,
    /// bfloat16, sums in f32.
    Halves,
}

impl Tiles {
    /// Prepares the thread's tile registers for products of `rows` rows, at least one.
    ///
    /// They belong to the thread: nothing else may use them before the result is dropped, so no work of rayon's pool
    /// may run in between.
    #[allow(unsafe_code)]
    pub(crate) fn new(_: Amx, rows: usize) -> Self {
        assert!(rows > 0, "a product of tiles has rows");
        let height = rows.min(ROWS);
        let config = Config::new(height as u8);
        // SAFETY: the token proves that there are tiles; the configuration is valid.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const config, options(nostack, readonly)) };
        Self { rows, height, sums: [[Line::ZERO; 2]; 2 * ROWS], thread: PhantomData }
    }

    /// Divides the rows into spans of up to two tiles.
    pub(crate) fn spans(&self) -> impl Iterator<Item = Span> + use<> {
        let (rows, most) = (self.rows, 2 * self.height);
        (0..rows).step_by(most).map(move |first| Span { first, end: rows.min(first + most) })
    }

    /// The sums over `steps` times 64 bytes of the depth, for each row of the span: two vectors of 16.
    ///
    /// Rows that do not fill a tile are computed together with rows before them, again.
    ///
    /// # Panics
    /// An operand is too short.
    #[allow(unsafe_code)]
    pub(crate) fn multiply(
        &mut self,
        kind: Kind,
        span: Span,
        left: Left<'_>,
        right: Right<'_>,
        steps: usize,
    ) -> &mut [[Line; 2]] {
        let (height, count) = (self.height, span.end - span.first);
        // The first rows of the tiles; the same one twice for a single tile.
        let second = span.end - height;
        let tiles = if count > height { [span.first, second] } else { [second; 2] };
        let own = span.first - tiles[0]..span.end - tiles[0];
        if steps == 0 {
            self.sums[own.clone()].fill([Line::ZERO; 2]);
            return &mut self.sums[own];
        }
        for tile in tiles {
            assert!((tile + height - 1) * left.stride + STEP * steps <= left.bytes.len());
        }
        for lines in right.lines {
            assert!((ROWS * steps - 1) * right.stride < lines.len());
        }
        let left_tiles = tiles.map(|tile| left.bytes[tile * left.stride..].as_ptr());
        let right_tiles = right.lines.map(<[Line]>::as_ptr);
        let strides = (left.stride, right.stride * size_of::<Line>());
        let sums = tiles.map(|tile| (&raw mut self.sums[tile - tiles[0]..][..height]).cast());
        // SAFETY: `Amx` proves that there are tiles and `Tiles` that they are configured; the assertions.
        unsafe {
            match (kind, count > height) {
                (Kind::Bytes, false) => narrow_bytes(left_tiles[0], right_tiles, strides, steps, sums[0]),
                (Kind::Bytes, true) => wide_bytes(left_tiles, right_tiles, strides, steps, sums),
                (Kind::Halves, false) => narrow_halves(left_tiles[0], right_tiles, strides, steps, sums[0]),
                (Kind::Halves, true) => wide_halves(left_tiles, right_tiles, strides, steps, sums),
            }
        }
        &mut self.sums[own]
    }
}

impl Drop for Tiles {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // Registers in use would be saved whenever Linux changes threads.
        // SAFETY: there are tiles.
        unsafe { asm!("tilerelease", options(nomem, nostack, preserves_flags)) };
    }
}

/// Defines products of one left tile (sums in tiles 0 and 1) and of two (also 2 and 3) by two right tiles.
///
/// The compiler does not use tile registers, so that they need not be named as changed.
macro_rules! products {
    ($narrow:ident, $wide:ident, $multiply:literal) => {
        /// # Safety
        /// Tiles are configured; all operands can be read over all steps, and the sums written.
        #[allow(unsafe_code)]
        unsafe fn $narrow(
            left: *const u8,
            [right, second]: [*const Line; 2],
            (left_stride, right_stride): (usize, usize),
            steps: usize,
            sums: *mut [Line; 2],
        ) {
            // SAFETY: the caller's promise.
            unsafe {
                asm!(
                    "tilezero tmm0",
                    "tilezero tmm1",
                    "2:",
                    "tileloadd tmm4, [{left} + {left_stride}]",
                    "tileloadd tmm6, [{right} + {right_stride}]",
                    "tileloadd tmm7, [{second} + {right_stride}]",
                    concat!($multiply, " tmm0, tmm4, tmm6"),
                    concat!($multiply, " tmm1, tmm4, tmm7"),
                    "add {left}, {step}",
                    "add {right}, {right_step}",
                    "add {second}, {right_step}",
                    "dec {steps}",
                    "jnz 2b",
                    "tilestored [{sums} + {sums_stride}], tmm0",
                    "tilestored [{sums} + {sums_stride} + 64], tmm1",
                    left = inout(reg) left => _,
                    right = inout(reg) right => _,
                    second = inout(reg) second => _,
                    steps = inout(reg) steps => _,
                    left_stride = in(reg) left_stride,
                    right_stride = in(reg) right_stride,
                    right_step = in(reg) ROWS * right_stride,
                    sums = in(reg) sums,
                    sums_stride = in(reg) size_of::<[Line; 2]>(),
                    step = const STEP,
                    options(nostack),
                );
            }
        }

        /// # Safety
        /// As above.
        #[allow(unsafe_code)]
        unsafe fn $wide(
            [left, below]: [*const u8; 2],
            [right, second]: [*const Line; 2],
            (left_stride, right_stride): (usize, usize),
            steps: usize,
            [sums, sums_below]: [*mut [Line; 2]; 2],
        ) {
            // SAFETY: the caller's promise.
            unsafe {
                asm!(
                    "tilezero tmm0",
                    "tilezero tmm1",
                    "tilezero tmm2",
                    "tilezero tmm3",
                    "2:",
                    "tileloadd tmm4, [{left} + {left_stride}]",
                    "tileloadd tmm6, [{right} + {right_stride}]",
                    concat!($multiply, " tmm0, tmm4, tmm6"),
                    "tileloadd tmm7, [{second} + {right_stride}]",
                    concat!($multiply, " tmm1, tmm4, tmm7"),
                    "tileloadd tmm5, [{below} + {left_stride}]",
                    concat!($multiply, " tmm2, tmm5, tmm6"),
                    concat!($multiply, " tmm3, tmm5, tmm7"),
                    "add {left}, {step}",
                    "add {below}, {step}",
                    "add {right}, {right_step}",
                    "add {second}, {right_step}",
                    "dec {steps}",
                    "jnz 2b",
                    "tilestored [{sums} + {sums_stride}], tmm0",
                    "tilestored [{sums} + {sums_stride} + 64], tmm1",
                    "tilestored [{sums_below} + {sums_stride}], tmm2",
                    "tilestored [{sums_below} + {sums_stride} + 64], tmm3",
                    left = inout(reg) left => _,
                    below = inout(reg) below => _,
                    right = inout(reg) right => _,
                    second = inout(reg) second => _,
                    steps = inout(reg) steps => _,
                    left_stride = in(reg) left_stride,
                    right_stride = in(reg) right_stride,
                    right_step = in(reg) ROWS * right_stride,
                    sums = in(reg) sums,
                    sums_below = in(reg) sums_below,
                    sums_stride = in(reg) size_of::<[Line; 2]>(),
                    step = const STEP,
                    options(nostack),
                );
            }
        }
    };
}

products!(narrow_bytes, wide_bytes, "tdpbusd");
products!(narrow_halves, wide_halves, "tdpbf16ps");

/// Fetches the cache lines of up to 32 outputs, while tiles compute them.
#[allow(unsafe_code)]
pub(crate) fn prefetch(outputs: &[f32]) {
    for at in [outputs.first(), outputs.get(WORDS), outputs.last()].into_iter().flatten() {
        // SAFETY: x86-64 has the instruction, and the address exists.
        unsafe { _mm_prefetch::<_MM_HINT_T0>((&raw const *at).cast()) };
    }
}
