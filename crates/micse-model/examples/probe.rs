//! probe
use candle_core::Device;
use micse_model::*;
use micse_random::Stream;
use std::time::Instant;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let (l, d, h) = match a[1].as_str() { "tiny" => (2, 128, 2), "mini" => (4, 256, 4), "minilm" => (6, 384, 12), _ => (12, 768, 12) };
    let prec: Precision = a[2].parse().unwrap();
    let config = BertConfig::with_sizes(30522, l, d, h, 512);
    let mut w = RandomWeights { deviation: 0.02, stream: Stream::new(1) };
    let mut enc = build_encoder(config, &mut w, &Compute { device: Device::Cpu, engine: Engine::Packed, precision: prec }).unwrap();
    let mut draws = Stream::new(7).draws();
    let mut step = 0;
    let mut times = vec![];
    let until = Instant::now();
    let secs: f64 = a[3].parse().unwrap();
    let mut toks = 0;
    while until.elapsed().as_secs_f64() < secs {
        let s: Vec<Vec<u32>> = (0..50).map(|_| { let n = 8 + draws.below(25) as usize; (0..n).map(|_| draws.below(30522) as u32).collect() }).collect();
        let t = Instant::now();
        let batch = Batch::new(&s).unwrap();
        toks = 2 * batch.rows();
        let mut total: Option<candle_core::Tensor> = None;
        for v in 0..2u64 {
            let dr = Dropout { hidden: 0.1, attention: 0.1, stream: Stream::new(3).with(step).with(v) };
            let pass = Pass { mode: Mode::Training(dr), gradients: true, taps: Taps { pooled: Some(Pooling::Cls), ..Taps::default() } };
            let z = enc.forward(&batch, &pass).unwrap().pooled.unwrap().sqr().unwrap().sum_all().unwrap();
            total = Some(match total { None => z, Some(x) => (x + z).unwrap() });
        }
        let g = total.unwrap().backward().unwrap();
        enc.collect_gradients(&g).unwrap();
        let n = enc.gradient_square_norm().unwrap().sqrt();
        step += 1;
        enc.step(&AdamStep { step: step as usize, learning_rate: 3e-5, betas: (0.9, 0.999), epsilon: 1e-8, weight_decay: 0.0, gradient_scale: 1.0 / n }).unwrap();
        times.push(t.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let fl = 72.0 * (d * d * l * toks) as f64;
    println!("{} steps, min {:.1} median {:.1} ms, {toks} tokens; full-op GFLOP/s at min {:.0}", times.len(), times[0], times[times.len() / 2], fl / times[0] / 1e6);
}
