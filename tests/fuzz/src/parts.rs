//! Optional parts of a model folder: whitening or a flow, a convolution, a masked-LM head.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use micse_model::head::ConvolutionShape;
use micse_model::post::{FlowOptions, FlowTrainer, Stage, Whitening};
use micse_model::{BertConfig, MaskedLmHead, TokenConvolution};
use micse_random::Stream;
use tempfile::TempDir;

use crate::{choosing, chosen, told};

const ROWS: usize = 16;
const WIDTH: usize = 4;

/// The files of each part; every part has its own folder.
const FILES: [(&str, &str); 7] = [
    ("whitening", "post.json"),
    ("whitening", "post.safetensors"),
    ("flow", "post.json"),
    ("flow", "post.safetensors"),
    ("convolution", TokenConvolution::SHAPE),
    ("convolution", TokenConvolution::FILE),
    ("head", MaskedLmHead::FILE),
];

fn config() -> BertConfig {
    BertConfig::with_sizes(9, 1, WIDTH, 2, 12)
}

fn rows() -> Vec<Vec<f32>> {
    let mut draws = Stream::new(1).draws();
    (0..ROWS).map(|_| (0..WIDTH).map(|_| draws.normal() as f32).collect()).collect()
}

fn write(folder: &Path) {
    let fitted_on = "sixteen rows".to_owned();
    let whitening = Whitening::fit(&rows(), Some(2)).expect("a whitening");
    let options = FlowOptions { levels: 1, depth: 1, width: 2, ..FlowOptions::default() };
    let mut trainer = FlowTrainer::new(options, WIDTH, Stream::new(3)).expect("a flow");
    let batch = Tensor::from_vec(rows().concat(), (ROWS, WIDTH), &Device::Cpu);
    trainer.step(&batch.expect("rows")).expect("a step");
    let flow = trainer.finish().expect("a flow");
    let shape = ConvolutionShape { widths: vec![1, 3], channels: 2, relu: true };
    let convolution = TokenConvolution::new(&shape, &config(), Stream::new(4), &Device::Cpu);
    let head = MaskedLmHead::new(&config(), Stream::new(5), &Device::Cpu).expect("a head");
    for part in FILES.map(|(part, _)| part) {
        std::fs::create_dir_all(folder.join(part)).expect("a folder");
    }
    let stage = Stage::Whitening { whitening, fitted_on: fitted_on.clone() };
    stage.save(&folder.join("whitening")).expect("a whitening");
    Stage::Flow { flow, fitted_on }.save(&folder.join("flow")).expect("a flow");
    convolution.expect("a convolution").save(&folder.join("convolution")).expect("a convolution");
    head.save(&folder.join("head"), DType::F32).expect("a head");
}

thread_local! {
    static FOLDER: TempDir = {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path());
        folder
    };
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    FOLDER.with(|folder| {
        let read =
            |(part, file): (&str, &str)| std::fs::read(folder.path().join(part).join(file)).expect(file);
        FILES.into_iter().enumerate().map(|(index, file)| choosing(index, &read(file))).collect()
    })
}

/// Reads a part with one of its files replaced.
pub(crate) fn read(bytes: &[u8]) -> Result<(), String> {
    let Some((index, bytes)) = chosen(bytes, FILES.len()) else { return Err("no file".into()) };
    let (part, file) = FILES[index];
    FOLDER.with(|folder| {
        let folder = folder.path().join(part);
        let path = folder.join(file);
        let whole = std::fs::read(&path).expect("a file");
        std::fs::write(&path, bytes).expect("a file");
        let result = load(part, &folder);
        std::fs::write(&path, whole).expect("a file");
        result
    })
}

fn load(part: &str, folder: &Path) -> Result<(), String> {
    match part {
        "convolution" => {
            let convolution = told(TokenConvolution::in_folder(folder, &config(), &Device::Cpu), folder)?;
            assert!(convolution.is_some());
        }
        "head" => {
            let head = told(MaskedLmHead::in_folder(folder, &config(), &Device::Cpu), folder)?;
            assert!(head.is_some());
        }
        _ => {
            let stage = told(Stage::load(folder), folder)?.expect("two files");
            if stage.input_dimension() == WIDTH {
                let transformed = stage.transform(&rows()).map_err(|error| error.to_string())?;
                assert_eq!((transformed.len(), transformed[0].len()), (ROWS, stage.output_dimension()));
            }
        }
    }
    Ok(())
}
