//! Models of every family in int8, with the modules after their pooling.

use candle_core::{Device, Tensor};
use micse_model::int8::{Rounding, quantize};
use micse_model::{Checkpoint, Family, ModelFolder, SentenceModel, TensorSource};
use micse_tests::models::write_tiny_model;

#[test]
fn every_family_is_written_and_read() {
    let texts = ["a small dog", "dogs", "a a small", "small small dogs a dog", ""];
    for family in Family::ALL {
        let (folder, int8) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        write_tiny_model(folder.path(), family);
        let base = ModelFolder::open(folder.path()).expect("a model");
        let model = SentenceModel::open(folder.path()).expect("a model");
        let ids = model.pipeline().tokenize(&texts, model.max_length()).expect("tokens");
        let quantized = quantize(model.encoder(), &ids, Rounding::Compensated).expect("a quantised encoder");
        model.save_int8(int8.path(), &base, &quantized).expect("a folder");

        let read = SentenceModel::open(int8.path()).expect("the model in int8");
        assert_eq!((read.dimension(), read.after_pooling().len()), (3, 1), "{}", family.name());
        let (wanted, got) = (model.encode(&texts).expect("rows"), read.encode(&texts).expect("rows"));
        assert!(wanted != got, "{}", family.name());
        // The values that the encoder gives are those that its file describes.
        let config = base.config().expect("a configuration");
        let mut file = Checkpoint::in_folder(int8.path(), config.names()).expect("weights");
        let copy = read.encoder().duplicate().expect("a copy");
        for (number, info) in read.encoder().parameters().iter().enumerate() {
            let values = |t: &Tensor| t.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("values");
            let described = values(&file.take(info, &Device::Cpu).expect("a tensor"));
            for encoder in [read.encoder(), copy.as_ref()] {
                assert!(values(&encoder.value(number).expect("a value")) == described, "{}", info.name);
            }
        }
        for (a, b) in wanted.iter().flatten().zip(got.iter().flatten()) {
            assert!((a - b).abs() < 0.02, "{}: {b} instead of {a}", family.name());
        }
    }
}
