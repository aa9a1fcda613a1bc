//! bfloat16 products against f64 products of the rounded operands, for every layout and both kernels.

use micse_kernels::View;
use micse_kernels::activation::{Activation, activate, activation_backward};
use micse_kernels::bf16::{
    Bf16View, Lhs, Rhs, Start, product, product_activated, product_activated_backward, round, widen,
};
use micse_random::Stream;
use proptest::prelude::*;

/// Standard normal numbers.
fn normal(seed: u64, count: usize) -> Vec<f32> {
    let mut draws = Stream::new(seed).draws();
    (0..count).map(|_| draws.normal() as f32).collect()
}

/// The memory layout of an operand.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Layout {
    Rows,
    WideRows,
    Columns,
    WideColumns,
}

use Layout::{Columns, Rows, WideColumns, WideRows};

/// A matrix with its values and layout, in a slice that contains NaN everywhere else.
struct Matrix {
    data: Vec<f32>,
    rows: usize,
    columns: usize,
    layout: Layout,
}

impl Matrix {
    fn new(seed: u64, rows: usize, columns: usize, layout: Layout) -> Self {
        let (lines, width) = match layout {
            Rows | WideRows => (rows, columns),
            Columns | WideColumns => (columns, rows),
        };
        let stride = if matches!(layout, WideRows | WideColumns) { width + 5 } else { width };
        let mut data = vec![f32::NAN; lines * stride];
        for (line, values) in
            data.chunks_mut(stride.max(1)).zip(normal(seed, lines * width).chunks(width.max(1)))
        {
            line[..width].copy_from_slice(values);
        }
        Self { data, rows, columns, layout }
    }

    fn view(&self) -> View<'_> {
        match self.layout {
            Rows => View::new(&self.data, self.rows, self.columns, self.columns),
            WideRows => View::new(&self.data, self.rows, self.columns, self.columns + 5),
            Columns => View::new(&self.data, self.columns, self.rows, self.rows).transposed(),
            WideColumns => View::new(&self.data, self.columns, self.rows, self.rows + 5).transposed(),
        }
    }

    fn halves(&self) -> Vec<u16> {
        self.data.iter().map(|&x| round(x)).collect()
    }

    fn view_of<'a>(&self, halves: &'a [u16]) -> Bf16View<'a> {
        match self.layout {
            Rows => Bf16View::new(halves, self.rows, self.columns, self.columns),
            WideRows => Bf16View::new(halves, self.rows, self.columns, self.columns + 5),
            Columns => Bf16View::new(halves, self.columns, self.rows, self.rows).transposed(),
            WideColumns => Bf16View::new(halves, self.columns, self.rows, self.rows + 5).transposed(),
        }
    }

    fn rounded(&self, i: usize, j: usize) -> f64 {
        f64::from(widen(round(self.view().at(i, j))))
    }
}

fn packed(lhs: View<'_>, rhs: View<'_>, portable: bool) -> (Lhs, Rhs) {
    let (mut a, mut b) = if portable { (Lhs::portable(), Rhs::portable()) } else { (Lhs::new(), Rhs::new()) };
    a.pack(lhs);
    b.pack(rhs);
    (a, b)
}

/// Computes `start + lhs . rhs` into rows of stride n + 3 and compares it with the f64 product. Returns the rows.
fn check(lhs: &Matrix, rhs: &Matrix, start: &str, portable: bool) -> Vec<f32> {
    let (m, k, n) = (lhs.rows, lhs.columns, rhs.columns);
    let stride = n + 3;
    let before = normal(7, m * stride);
    let bias = normal(8, n);
    let (a, b) = packed(lhs.view(), rhs.view(), portable);
    let mut out = before.clone();
    let from = match start {
        "zero" => Start::Zero,
        "bias" => Start::Bias(&bias),
        _ => Start::Out,
    };
    product(&mut out, stride, a.view(), &b, from);
    let left: Vec<f64> = (0..m * k).map(|i| lhs.rounded(i / k, i % k)).collect();
    let right: Vec<f64> = (0..n * k).map(|i| rhs.rounded(i % k, i / k)).collect();
    for i in 0..m {
        for j in 0..n {
            let first = match start {
                "zero" => 0.0,
                "bias" => f64::from(bias[j]),
                _ => f64::from(before[i * stride + j]),
            };
            let terms = left[i * k..][..k].iter().zip(&right[j * k..][..k]).map(|(x, y)| x * y);
            let (sum, size) = terms.fold((first, first.abs()), |(sum, size), x| (sum + x, size + x.abs()));
            let got = f64::from(out[i * stride + j]);
            assert!(
                (got - sum).abs() <= 1e-6 * size,
                "{m} x {k} x {n}, {:?} {:?}, {start}, portable {portable}: ({i}, {j}) is {got}, not {sum}",
                lhs.layout,
                rhs.layout
            );
        }
        let end = (i + 1) * stride;
        assert_eq!(out[end - 3..end], before[end - 3..end], "beyond row {i}");
    }
    out
}

#[test]
fn odd_sizes_in_every_layout() {
    let sizes = [
        (1, 1, 1),
        (1, 7, 33),
        (5, 1, 3),
        (13, 383, 33),
        (12, 384, 32),
        (11, 385, 31),
        (25, 33, 65),
        (50, 771, 48),
        (61, 32, 100),
        (3, 1601, 17),
        (7, 16, 1),
    ];
    for (m, k, n) in sizes {
        for left in [Rows, WideRows, Columns, WideColumns] {
            for right in [Rows, WideRows, Columns, WideColumns] {
                let (lhs, rhs) = (Matrix::new(1, m, k, left), Matrix::new(2, k, n, right));
                for portable in [false, true] {
                    for start in ["zero", "bias", "out"] {
                        check(&lhs, &rhs, start, portable);
                    }
                }
            }
        }
    }
}

#[test]
fn sizes_of_an_encoder() {
    for (m, k, n, left, right) in
        [(301, 384, 384, Rows, Columns), (300, 1536, 96, Rows, Rows), (96, 1101, 384, Columns, Rows)]
    {
        let (lhs, rhs) = (Matrix::new(3, m, k, left), Matrix::new(4, k, n, right));
        check(&lhs, &rhs, "out", false);
    }
}

#[test]
fn nothing_to_sum_or_to_compute() {
    for (m, k, n) in [(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0)] {
        let (lhs, rhs) = (Matrix::new(1, m, k, Rows), Matrix::new(2, k, n, Rows));
        for start in ["zero", "bias", "out"] {
            check(&lhs, &rhs, start, false);
        }
    }
}

#[test]
fn an_exact_product() {
    // Small integers are exact in bfloat16 and in every sum, so both kernels must return the integers.
    let (m, k, n) = (29, 130, 70);
    let integers = |seed, count| -> Vec<f32> { normal(seed, count).iter().map(|x| x.round()).collect() };
    let (x, w) = (integers(1, m * k), integers(2, n * k));
    for portable in [false, true] {
        let (a, b) = packed(View::new(&x, m, k, k), View::new(&w, n, k, k).transposed(), portable);
        let mut out = vec![f32::NAN; m * n];
        product(&mut out, n, a.view(), &b, Start::Zero);
        for i in 0..m {
            for j in 0..n {
                let want: f32 = (0..k).map(|l| x[i * k + l] * w[j * k + l]).sum();
                assert_eq!(out[i * n + j], want, "({i}, {j})");
            }
        }
    }
}

#[test]
fn same_bits_on_any_number_of_threads() {
    let (lhs, rhs) = (Matrix::new(5, 700, 1000, Columns), Matrix::new(6, 1000, 130, Columns));
    let on = |threads| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
            let (a, b) = packed(lhs.view(), rhs.view(), false);
            let mut out = vec![0.0; 700 * 130];
            product(&mut out, 130, a.view(), &b, Start::Zero);
            out
        })
    };
    let one = on(1);
    assert_eq!(one, on(2));
    assert_eq!(one, on(5));
}

#[test]
fn a_row_does_not_depend_on_its_neighbours() {
    let (lhs, rhs) = (Matrix::new(5, 55, 801, Rows), Matrix::new(6, 801, 40, Rows));
    let all = check(&lhs, &rhs, "zero", false);
    for i in [0, 11, 12, 47, 48, 54] {
        let row = View::new(&lhs.data[i * 801..], 1, 801, 801);
        let (a, b) = packed(row, rhs.view(), false);
        let mut out = vec![0.0; 40];
        product(&mut out, 40, a.view(), &b, Start::Zero);
        assert_eq!(out, all[i * 43..i * 43 + 40], "row {i}");
    }
}

/// The words of a packed right operand are private; its product with the identity recovers them.
fn through_identity(rhs: &Rhs) -> Vec<u32> {
    let (k, n) = (rhs.depth(), rhs.columns());
    let mut identity = Lhs::new();
    let ones: Vec<f32> = (0..k * k).map(|i| if i % (k + 1) == 0 { 1.0 } else { 0.0 }).collect();
    identity.pack(View::new(&ones, k, k, k));
    let mut out = vec![0.0; k * n];
    product(&mut out, n, identity.view(), rhs, Start::Zero);
    out.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn packing_bfloat16_is_packing_what_it_was_rounded_from() {
    for layout in [Rows, WideRows, Columns, WideColumns] {
        let matrix = Matrix::new(9, 77, 51, layout);
        let halves = matrix.halves();
        let (mut a, mut a16) = (Lhs::new(), Lhs::new());
        let (mut b, mut b16) = (Rhs::new(), Rhs::new());
        // Buffers that contained something larger before.
        let larger = Matrix::new(10, 200, 300, Rows);
        a16.pack(larger.view());
        b16.pack(larger.view());
        a.pack(matrix.view());
        a16.pack_bf16(matrix.view_of(&halves));
        b.pack(matrix.view());
        b16.pack_bf16(matrix.view_of(&halves));
        for i in 0..77 {
            for j in 0..51 {
                let want = round(matrix.view().at(i, j));
                assert_eq!((a.view().at(i, j), a16.view().at(i, j)), (want, want), "{layout:?} ({i}, {j})");
            }
        }
        let want: Vec<u32> =
            (0..77 * 51).map(|i| widen(round(matrix.view().at(i / 51, i % 51))).to_bits()).collect();
        assert_eq!(through_identity(&b), want, "{layout:?}");
        assert_eq!(through_identity(&b16), want, "{layout:?}");
    }
}

#[test]
fn rows_of_bfloat16_are_used_as_they_lie() {
    // The value beyond a row's odd end is NaN and must not be used.
    let (lhs, rhs) = (Matrix::new(1, 20, 37, WideRows), Matrix::new(2, 37, 40, Rows));
    let halves = lhs.halves();
    for portable in [false, true] {
        let (a, b) = packed(lhs.view(), rhs.view(), portable);
        let (mut copied, mut borrowed) = (vec![0.0; 800], vec![0.0; 800]);
        product(&mut copied, 40, a.view(), &b, Start::Zero);
        product(&mut borrowed, 40, lhs.view_of(&halves), &b, Start::Zero);
        assert_eq!(copied, borrowed);
        assert!(copied.iter().all(|x| x.is_finite()));
    }
}

#[test]
fn conversion_rounds_to_nearest_even_and_keeps_nan_and_infinity() {
    let cases = [
        (0x0000_0000, 0x0000),
        (0x8000_0000, 0x8000),
        (0x3f80_0000, 0x3f80),
        (0x3f80_8000, 0x3f80),
        (0x3f81_8000, 0x3f82),
        (0x3f80_8001, 0x3f81),
        (0x3f80_7fff, 0x3f80),
        (0x7f7f_ffff, 0x7f80),
        (0x7f80_0000, 0x7f80),
        (0xff80_0000, 0xff80),
        (0x7f80_0001, 0x7fc0),
        (0xffff_ffff, 0xffff),
        (0x007f_ffff, 0x0000),
        (0x8000_0001, 0x8000),
        (0x0080_0000, 0x0080),
    ];
    for (bits, want) in cases {
        assert_eq!(round(f32::from_bits(bits)), want, "{bits:#x}");
    }
    // All 2^16 upper halves with critical lower halves, through the vector code and the portable code.
    let values: Vec<f32> = (0..=u16::MAX)
        .flat_map(|high| {
            [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff].map(|low| f32::from_bits(u32::from(high) << 16 | low))
        })
        .collect();
    let (rows, columns) = (384, values.len() / 384);
    let want: Vec<u16> = values.iter().map(|&x| round(x)).collect();
    for mut lhs in [Lhs::new(), Lhs::portable()] {
        lhs.pack(View::new(&values, rows, columns, columns));
        for (i, want) in want.iter().enumerate() {
            assert_eq!(lhs.view().at(i / columns, i % columns), *want, "{:#x}", values[i].to_bits());
        }
        lhs.pack(View::new(&values, rows, columns, columns).transposed());
        for (i, want) in want.iter().enumerate() {
            assert_eq!(lhs.view().at(i % columns, i / columns), *want, "{:#x}", values[i].to_bits());
        }
    }
}

#[test]
fn nan_and_infinity_reach_their_own_rows_and_columns_only() {
    for portable in [false, true] {
        let (mut x, mut w) = (normal(1, 14 * 9), normal(2, 9 * 34));
        x[3 * 9 + 8] = f32::NAN;
        x[13 * 9] = f32::INFINITY;
        w[4 * 34 + 33] = f32::NAN;
        let (a, b) = packed(View::new(&x, 14, 9, 9), View::new(&w, 9, 34, 34), portable);
        let mut out = vec![0.0; 14 * 34];
        product(&mut out, 34, a.view(), &b, Start::Zero);
        for (i, row) in out.chunks(34).enumerate() {
            for (j, &value) in row.iter().enumerate() {
                if i == 3 || j == 33 {
                    assert!(value.is_nan(), "({i}, {j}) is {value}");
                } else {
                    assert_eq!(value.is_infinite(), i == 13, "({i}, {j}) is {value}");
                }
            }
        }
    }
}

/// A feed-forward layer's inner products against their parts, each tested elsewhere.
#[test]
fn activated_products_are_products_then_activations() {
    // The wide ones have several parts, and several blocks of the depth.
    let sizes =
        [(0, 3, 5), (1, 1, 1), (3, 33, 31), (50, 64, 70), (700, 50, 33), (50, 600, 300), (13, 1100, 515)];
    let activations = [Activation::Gelu, Activation::GeluTanh, Activation::Relu, Activation::Silu];
    for (case, (m, k, n)) in sizes.into_iter().enumerate() {
        let activation = activations[case % activations.len()];
        for portable in [false, true] {
            let (lhs, rhs) = (Matrix::new(1, m, k, Rows), Matrix::new(2, k, n, Columns));
            let (a, b) = packed(lhs.view(), rhs.view(), portable);
            let bias = normal(3, n);
            let empty = || if portable { Lhs::portable() } else { Lhs::new() };

            let mut want = vec![0.0; m * n];
            product(&mut want, n, a.view(), &b, Start::Bias(&bias));
            let (before, mut want_slopes) = (want.clone(), vec![1.0; m * n]);
            let (mut sums, zeros) = (vec![0.0; n], vec![0.0; n]);
            activate(activation, &mut want, &zeros);
            let parts = &mut Vec::new();
            let mut again = vec![0.0; m * n];
            activation_backward(activation, &mut again, &mut want_slopes, &before, &mut sums, parts);

            let (mut y, mut slopes, mut alone) = (empty(), empty(), empty());
            product_activated(activation, &mut y, Some(&mut slopes), a.view(), &b, &bias);
            product_activated(activation, &mut alone, None, a.view(), &b, &bias);
            for i in 0..m * n {
                let at = |matrix: &Lhs| matrix.view().at(i / n, i % n);
                assert_eq!((at(&y), at(&alone)), (round(want[i]), round(want[i])), "value {i} of {m} x {n}");
                assert_eq!(at(&slopes), round(want_slopes[i]), "slope {i} of {m} x {n}");
            }

            let mut product_alone = vec![0.0; m * n];
            product(&mut product_alone, n, a.view(), &b, Start::Zero);
            let (mut gradient, mut sums) = (empty(), normal(4, n));
            let mut want_sums: Vec<f64> = sums.iter().map(|&x| f64::from(x)).collect();
            product_activated_backward(&mut gradient, &mut sums, slopes.view(), a.view(), &b, parts);
            for i in 0..m * n {
                let want = product_alone[i] * widen(slopes.view().at(i / n, i % n));
                assert_eq!(gradient.view().at(i / n, i % n), round(want), "gradient {i} of {m} x {n}");
                want_sums[i % n] += f64::from(want);
            }
            for (sum, want) in sums.iter().zip(want_sums) {
                assert!((f64::from(*sum) - want).abs() < 1e-5 * (m as f64 + want.abs()), "{sum} {want}");
            }
        }
    }
}

#[test]
#[should_panic(expected = "columns must be the right operand's rows")]
fn depths_that_differ_are_refused() {
    let (a, b) = packed(View::new(&[0.0; 6], 2, 3, 3), View::new(&[0.0; 4], 2, 2, 2), false);
    product(&mut [0.0; 4], 2, a.view(), &b, Start::Zero);
}

#[test]
#[should_panic(expected = "does not fit into 3 elements")]
fn an_output_too_short_is_refused() {
    let (a, b) = packed(View::new(&[0.0; 4], 2, 2, 2), View::new(&[0.0; 4], 2, 2, 2), false);
    product(&mut [0.0; 3], 2, a.view(), &b, Start::Zero);
}

#[test]
#[should_panic(expected = "not contiguous")]
fn a_transposed_view_is_no_left_operand() {
    let mut b = Rhs::new();
    b.pack(View::new(&[0.0; 4], 2, 2, 2));
    product(&mut [0.0; 4], 2, Bf16View::new(&[0; 4], 2, 2, 2).transposed(), &b, Start::Zero);
}

fn layout() -> impl Strategy<Value = Layout> {
    prop::sample::select(vec![Rows, WideRows, Columns, WideColumns])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_shape(
        seed: u64, m in 0_usize..70, k in 0_usize..900, n in 0_usize..110,
        left in layout(), right in layout(), portable: bool,
        start in prop::sample::select(vec!["zero", "bias", "out"]),
    ) {
        check(&Matrix::new(seed, m, k, left), &Matrix::new(!seed, k, n, right), start, portable);
    }
}
