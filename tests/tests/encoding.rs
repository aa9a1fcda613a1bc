//! The encoder: embeddings do not depend on batches, and agree with a second implementation.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert;
use micse_model::{Compute, ModelFolder, Pipeline, Pooling, SentenceModel};
use micse_tests::{root, sentences, write_small_model};

fn largest_difference(a: &[Vec<f32>], b: &[Vec<f32>]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().flatten().zip(b.iter().flatten()).fold(0.0, |m, (a, b)| m.max((a - b).abs()))
}

#[test]
fn a_sentence_alone_and_in_any_batch_has_the_same_embedding() {
    let folder = ModelFolder::open(&root().join("data/encoder")).expect("the shipped encoder");
    let texts: Vec<String> = micse_data::Corpus::demo().iter().take(60).map(str::to_owned).collect();
    for pooling in Pooling::ALL {
        let encoder =
            SentenceModel::load(&folder, Some(pooling), &Compute::cpu()).expect("the shipped encoder");
        let together = encoder.encode(&texts).expect("embeddings");
        let alone: Vec<Vec<f32>> =
            texts.iter().flat_map(|text| encoder.encode(&[text]).expect("an embedding")).collect();
        let reversed: Vec<&String> = texts.iter().rev().take(17).collect();
        let mut some = encoder.encode(&reversed).expect("embeddings");
        some.reverse();
        assert!(largest_difference(&together, &alone) < 1e-5, "{pooling}");
        assert!(largest_difference(&together[texts.len() - 17..], &some) < 1e-5, "{pooling}");
    }
}

/// candle-transformers' BERT cannot be trained, but its forward pass is an independent implementation.
#[test]
fn candle_transformers_agrees() {
    let folder = tempfile::tempdir().expect("a folder");
    write_small_model(folder.path());
    let model = ModelFolder::open(folder.path()).expect("the small model");
    let tokenizer = model.tokenizer().expect("the tokenizer");
    let ours = SentenceModel::load(&model, Some(Pooling::Cls), &Compute::reference()).expect("the encoder");

    let text = std::fs::read_to_string(folder.path().join("config.json")).expect("config.json");
    let config: bert::Config = serde_json::from_str(&text).expect("a configuration");
    let bytes = std::fs::read(folder.path().join("model.safetensors")).expect("weights");
    let weights = VarBuilder::from_buffered_safetensors(bytes, DType::F32, &Device::Cpu).expect("weights");
    let theirs = bert::BertModel::load(weights, &config).expect("their encoder");
    for sentence in sentences(10) {
        let ids = tokenizer.encode(&sentence, 32).expect("ids");
        let ids = Tensor::new(&ids[..], &Device::Cpu).and_then(|t| t.unsqueeze(0)).expect("ids");
        let types = ids.zeros_like().expect("types");
        let states = theirs.forward(&ids, &types, None).expect("states");
        let want: Vec<f32> = states.get(0).and_then(|s| s.get(0)?.to_vec1()).expect("a row");
        let got = ours.encode(&[&sentence]).expect("an embedding");
        assert!(largest_difference(&got, &[want]) < 1e-5, "{sentence}");
    }
}

#[test]
fn an_encoding_can_be_watched_and_stopped() {
    let model = SentenceModel::open(root().join("data/encoder")).expect("the shipped encoder");
    let sentences: Vec<String> = (0..600).map(|i| format!("Sentence number {i}.")).collect();
    let seen = AtomicUsize::new(0);
    let watched = model.encode_watched(&sentences, &|count| {
        seen.fetch_add(count, Ordering::Relaxed);
        true
    });
    assert_eq!(watched.expect("rows"), model.encode(&sentences).expect("rows"));
    assert_eq!(seen.into_inner(), sentences.len());
    assert!(matches!(model.encode_watched(&sentences, &|_| false), Err(micse_model::Error::Stopped)));
}

#[test]
fn a_pipeline_takes_another_prompt_limit_and_batch() {
    let folder = ModelFolder::open(&root().join("data/encoder")).expect("a folder");
    let model = SentenceModel::open(root().join("data/encoder")).expect("the shipped encoder");
    let rows = |pipeline: Pipeline, sentence: &str| {
        pipeline.with(model.encoder(), None).encode(&[sentence]).expect("a row")
    };
    let own = || model.pipeline().clone();
    let prompted = own().with_prompt("find: ", &folder).expect("a prompt");
    assert_eq!(rows(prompted, "a dog"), rows(own(), "find: a dog"));
    let cut = own().with_max_length(5).expect("a limit");
    assert_eq!(rows(cut, "a dog runs over the hill"), rows(own(), "a dog runs"));
    assert!(own().with_max_length(2).is_err());
    assert_eq!(rows(own().with_batch_tokens(NonZeroUsize::MIN), "a dog"), rows(own(), "a dog"));
}
