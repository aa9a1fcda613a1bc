//! Families that are more than a BERT with other names.

use micse_model::{
    Activation, AttentionPosition, AttentionStage, AttentionValues, BertConfig, Family, Mode, Padding, Pass,
    Pooling, Taps,
};

use crate::common::*;

#[test]
fn modernbert_with_every_pooling_padding_and_tap() {
    for (layers, hidden, heads, inner, window) in [(1, 8, 2, 8, 4), (4, 24, 3, 40, 2), (3, 32, 4, 30, 7)] {
        let config = modern(layers, hidden, heads, inner, window);
        // More than one tile of queries.
        let batch = batch(&[6, 1, 75, 18], Padding::Drop);
        for pooling in Pooling::ALL {
            for mode in [Mode::Evaluation, training(0.3)] {
                compare(&config, &batch, &Pass { mode, gradients: true, taps: pooled(pooling) });
            }
        }
        for stage in [AttentionStage::BeforeDropout, AttentionStage::AfterDropout] {
            let at = positions(&batch, &config, 500);
            for taps in [pooled(Pooling::Cls), pooled(Pooling::Mean)] {
                let attention_values = Some(AttentionValues { stage, at: at.clone() });
                let taps = Taps { attention_values, ..taps };
                compare(&config, &batch, &Pass { mode: training(0.2), gradients: true, taps });
            }
            let taps = Taps { attention_maps: Some(stage), ..pooled(Pooling::Cls) };
            let even = self::batch(&[40, 40], Padding::Drop);
            compare(&config, &even, &Pass { mode: training(0.2), gradients: true, taps });
        }
        let last = batch.rows() as u32 - 1;
        for taps in [
            Taps { states: vec![0, layers, 0], ..pooled(Pooling::Cls) },
            Taps { states: vec![1], tokens: vec![26, 0, 7, 7, last, 3, 60], ..Taps::default() },
            Taps { tokens: vec![1, 5, 20, 70], ..pooled(Pooling::Cls) },
        ] {
            compare(&config, &batch, &Pass { mode: training(0.1), gradients: true, taps });
        }
        // Pads far from every token see none.
        for padding in [Padding::Keep, Padding::Attend] {
            let batch = self::batch(&[6, 3, 41], padding);
            for pooling in [Pooling::Cls, Pooling::Mean, Pooling::MeanWithPads] {
                compare(
                    &config,
                    &batch,
                    &Pass { mode: training(0.1), gradients: true, taps: pooled(pooling) },
                );
            }
        }
    }
    for activation in [Activation::GeluNew, Activation::Relu, Activation::Silu] {
        let config = BertConfig { hidden_act: activation, ..modern(2, 32, 4, 50, 4) };
        let pass = Pass { mode: Mode::Evaluation, gradients: true, taps: pooled(Pooling::Mean) };
        compare(&config, &batch(&[4, 9], Padding::Drop), &pass);
    }
}

#[test]
fn projected_embeddings() {
    let config = electra(2, 24, 3, 40);
    let batch = batch(&[5, 1, 40], Padding::Drop);
    for pooling in Pooling::ALL {
        for mode in [Mode::Evaluation, training(0.3)] {
            let taps = Taps { states: vec![0], ..pooled(pooling) };
            compare(&config, &batch, &Pass { mode, gradients: true, taps });
        }
    }
}

#[test]
fn shared_layers_and_gates_after_the_sum() {
    let (batch, sizes) = (batch(&[5, 1, 40], Padding::Drop), (3, 24, 3, 30));
    for config in [
        albert(4, 24, 3, 40),
        albert(2, 32, 4, 50),
        rotary(Family::NomicBert, 2, sizes),
        rotary(Family::Gte, 1, sizes),
        rotary(Family::Gte, 0, sizes),
    ] {
        for pooling in Pooling::ALL {
            for mode in [Mode::Evaluation, training(0.3)] {
                let taps = Taps { states: vec![0, 1], ..pooled(pooling) };
                compare(&config, &batch, &Pass { mode, gradients: true, taps });
            }
        }
        let at = positions(&batch, &config, 200);
        let values = Some(AttentionValues { stage: AttentionStage::AfterDropout, at });
        let taps = Taps { attention_values: values, ..pooled(Pooling::Cls) };
        compare(&config, &batch, &Pass { mode: training(0.2), gradients: true, taps });
        let padded = self::batch(&[6, 3, 21], Padding::Attend);
        compare(&config, &padded, &Pass { mode: training(0.1), gradients: true, taps: pooled(Pooling::Cls) });
    }
}

/// Values outside a window are zero in both engines, and do not change the gradients.
#[test]
fn attention_outside_the_window_is_zero() {
    let config = modern(2, 24, 3, 40, 2);
    let batch = batch(&[40], Padding::Drop);
    let at = |layer, query, key| AttentionPosition { sentence: 0, layer, head: 1, query, key };
    let at = vec![at(1, 5, 8), at(1, 5, 7), at(1, 39, 0), at(0, 39, 0)];
    for encoder in <[_; 2]>::from(both(&config)) {
        let attention_values = Some(AttentionValues { stage: AttentionStage::BeforeDropout, at: at.clone() });
        let taps = Taps { attention_values, ..Taps::default() };
        let leaves = encoder.forward(&batch, &Pass { taps, ..Pass::default() }).expect("leaves");
        let values = numbers(&leaves.attention_values.expect("values"));
        assert_eq!((values[0], values[2]), (0.0, 0.0));
        assert!(values[1] > 0.0 && values[3] > 0.0);
    }
}

/// Shuffled positions turn queries and keys by other angles; windows stay where they are.
#[test]
fn rotary_positions_can_be_shuffled() {
    let config = modern(3, 24, 3, 40, 2);
    let plain = batch(&[9, 40], Padding::Drop);
    let mut positions = plain.positions().to_vec();
    positions[1..40].reverse();
    let shuffled = plain.clone().with_positions(positions).expect("positions");
    let pass = Pass { mode: Mode::Evaluation, gradients: true, taps: pooled(Pooling::Mean) };
    compare(&config, &shuffled, &pass);
    let rows = [plain, shuffled].map(|batch| {
        let pass = Pass { gradients: false, ..pass.clone() };
        numbers(&both(&config).1.forward(&batch, &pass).expect("leaves").pooled.expect("rows"))
    });
    assert!(difference(&rows[0], &rows[1]) > 1e-3);
}
