//! Poolings, taps, paddings and activations of a BERT.

use micse_model::{
    Activation, AttentionStage, AttentionValues, BertConfig, Mode, Padding, Pass, Pooling, Taps,
};

use crate::common::*;

#[test]
fn every_pooling_and_odd_sizes() {
    let shapes = [(1, 4, 1, 8), (2, 24, 3, 40), (3, 32, 2, 96), (2, 20, 5, 7), (4, 64, 4, 256)];
    for (i, (layers, hidden, heads, inner)) in shapes.into_iter().enumerate() {
        let config = config(layers, hidden, heads, inner);
        let batch = batch([&[5, 1, 17, 9][..], &[1], &[33, 2]][i % 3], Padding::Drop);
        for pooling in Pooling::ALL {
            for mode in [Mode::Evaluation, training(0.3)] {
                compare(&config, &batch, &Pass { mode, gradients: true, taps: pooled(pooling) });
            }
        }
    }
}

#[test]
fn attention_values_before_and_after_dropout() {
    let config = config(3, 24, 4, 48);
    let batch = batch(&[6, 3, 18], Padding::Drop);
    for stage in [AttentionStage::BeforeDropout, AttentionStage::AfterDropout] {
        let at = positions(&batch, &config, 300);
        for taps in [pooled(Pooling::Cls), Taps::default(), pooled(Pooling::Mean)] {
            let attention_values = Some(AttentionValues { stage, at: at.clone() });
            let taps = Taps { attention_values, ..taps };
            compare(&config, &batch, &Pass { mode: training(0.2), gradients: true, taps });
        }
        let taps = Taps { attention_maps: Some(stage), ..pooled(Pooling::Cls) };
        // Values outside the tokens are meaningless, so use sentences of equal length.
        let even = self::batch(&[7, 7], Padding::Drop);
        compare(&config, &even, &Pass { mode: training(0.2), gradients: true, taps });
    }
}

#[test]
fn states_and_tokens() {
    let config = config(3, 32, 2, 64);
    let batch = batch(&[6, 3, 18], Padding::Drop);
    for taps in [
        Taps { states: vec![0, 2, 3, 0], ..pooled(Pooling::Cls) },
        Taps { states: vec![1], tokens: vec![26, 0, 7, 7, 3], ..Taps::default() },
        Taps { tokens: vec![1, 5, 20], ..pooled(Pooling::Cls) },
        Taps { tokens: vec![1, 5, 20], ..pooled(Pooling::FirstLastAvg) },
    ] {
        compare(&config, &batch, &Pass { mode: training(0.1), gradients: true, taps });
    }
}

#[test]
fn every_padding() {
    let config = config(2, 32, 4, 64);
    for padding in [Padding::Keep, Padding::Attend] {
        let batch = batch(&[6, 3, 11], padding);
        for pooling in [Pooling::Cls, Pooling::Mean] {
            let at = positions(&batch, &config, 50);
            let attention_values = Some(AttentionValues { stage: AttentionStage::BeforeDropout, at });
            let taps = Taps { attention_values, states: vec![2], ..pooled(pooling) };
            compare(&config, &batch, &Pass { mode: training(0.1), gradients: true, taps });
            compare(&config, &batch, &Pass { mode: training(0.1), gradients: true, taps: pooled(pooling) });
        }
    }
}

#[test]
fn every_activation() {
    for activation in [Activation::Gelu, Activation::GeluNew, Activation::Relu, Activation::Silu] {
        let config = BertConfig { hidden_act: activation, ..config(2, 32, 4, 50) };
        let pass = Pass { mode: Mode::Evaluation, gradients: true, taps: pooled(Pooling::Mean) };
        compare(&config, &batch(&[4, 9], Padding::Drop), &pass);
    }
}
