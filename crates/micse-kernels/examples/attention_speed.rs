//! GFLOP/s of attention's forward pass, with and without keeping the maps, for batches of sentences of one length.
//!
//! ```text
//! cargo run --release -p micse-kernels --example attention_speed [-- ROUNDS]
//! ```
//!
//! For n tokens and hidden size D, a sentence counts as 4 n^2 D operations: those of its two products; the softmax comes
//! on top. Each number is the best of ROUNDS (30 by default) on rayon's pool (`RAYON_NUM_THREADS`).

mod timing;

use micse_kernels::attention::{Layout, attention};
use timing::{best, normal, rounds};

fn main() {
    let rounds = rounds();
    println!(
        "{:>6} {:>10} {:>6} {:>10} {:>15} {:>14}",
        "tokens", "sentences", "heads", "head size", "without maps", "keeping maps"
    );
    for (heads, size) in [(12, 32), (12, 64)] {
        for (tokens, sentences) in [(25, 128), (128, 32), (512, 8)] {
            let hidden = heads * size;
            let layout = Layout::new(heads, size, None, std::iter::repeat_n((tokens, tokens), sentences));
            let qkv = normal(1, layout.rows() * 3 * hidden);
            let mut context = vec![0.0; layout.queries() * hidden];
            let mut maps = vec![0.0; layout.map_elements()];
            let operations = (4 * tokens * tokens * hidden * sentences) as f64;
            let rate = |seconds: f64| operations / seconds / 1e9;
            let without = best(rounds, || attention(&mut context, None, None, &qkv, &layout, None, None));
            let keeping =
                best(rounds, || attention(&mut context, None, Some(&mut maps), &qkv, &layout, None, None));
            println!(
                "{tokens:>6} {sentences:>10} {heads:>6} {size:>10} {:>15.0} {:>14.0}",
                rate(without),
                rate(keeping)
            );
        }
    }
}
