//! `cargo xtask bench encode --matrix`: encoding in all shapes of use, next to other libraries.
//!
//! Every measurement is a process of its own, so that its peak memory is its own too. The programs alternate, and the
//! best round of each counts.

mod child;
mod part;
mod programs;
mod report;
mod texts;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use micse_cli::model::locate_model;
use micse_cli::options::ComputeOptions;
use micse_cli::{note, print};
use micse_data::{Corpus, Locator};
use micse_files::{Hash, write_whole};
use micse_model::{Compute, ModelFolder, Pooling, SentenceModel};

use part::Kind;
pub(super) use part::Part;
use programs::{Measured, Program};
use report::{Cell, Report};
use texts::Texts;

/// Options of the matrix.
#[derive(Args)]
pub(super) struct Matrix {
    /// Measure single sentences, long passages and a file of short strings instead, each in a process of its own, in f32,
    /// bf16 (if the CPU has it) and int8
    #[arg(id = "matrix", long, conflicts_with_all = ["arch", "sts", "tokenizer"])]
    pub(super) requested: bool,
    /// Short strings in the file
    #[arg(long, value_name = "N", default_value_t = 20_000, requires = "matrix")]
    strings: usize,
    /// Passages of 512 tokens
    #[arg(long, value_name = "N", default_value_t = 64, requires = "matrix")]
    passages: usize,
    /// Rounds of each measurement; the best one counts
    #[arg(long, value_name = "N", default_value_t = 2, requires = "matrix")]
    rounds: usize,
    /// Seconds that a single sentence is repeated in each round
    #[arg(long, default_value_t = 3.0, requires = "matrix")]
    seconds: f64,
    /// Python with sentence-transformers, onnx, onnxruntime and tokenizers, to measure them too [default: MICSE_PYTHON,
    /// else only micse is measured]
    #[arg(long, requires = "matrix")]
    python: Option<PathBuf>,
    /// Folder for the model in int8 and ONNX, which later runs reuse
    #[arg(long, value_name = "FOLDER", default_value = "runs/bench-matrix", requires = "matrix")]
    out: PathBuf,
}

/// A row of the matrix.
struct Work<'a> {
    name: &'static str,
    kind: WorkKind,
    texts: &'a Path,
    count: usize,
    /// Maximum tokens per text.
    limit: usize,
    /// Texts per batch of the other libraries.
    batch: usize,
    threads: usize,
    seconds: f64,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WorkKind {
    /// Inside a process.
    Inside(Kind),
    /// A whole process, from a text file to a file of embeddings.
    File,
}

/// Texts per batch of the other libraries.
const BATCH: usize = 64;
/// The same for passages, where larger batches are no faster and need gigabytes.
const BATCH_OF_PASSAGES: usize = 8;

impl Matrix {
    /// Measures `model`, or the shipped encoder.
    pub(super) fn run(
        &self,
        model: Option<&str>,
        corpus: &[String],
        options: &ComputeOptions,
        as_json: bool,
    ) -> Result<()> {
        ensure!(self.rounds > 0, "--rounds must be at least 1");
        let compute = options.start()?;
        let plain = Compute::cpu();
        if (compute.engine, compute.precision) != (plain.engine, plain.precision) || !compute.device.is_cpu()
        {
            bail!("the matrix measures all precisions on the CPU; omit --device, --engine and --precision");
        }
        let locator = Locator::from_env()?;
        let folder = locate_model(&locator, Some(model.unwrap_or("demo")))?.place;
        let folder = folder.canonicalize().with_context(|| format!("cannot open {}", folder.display()))?;
        let text = super::corpus(&locator, corpus)?;
        let programs = self.programs(&folder)?;
        let files = tempfile::tempdir()?;
        let works = self.works(&folder, &compute, &text, files.path())?;
        let mut report = Report::new(&folder, micse_model::threads());
        for work in &works.list() {
            let takes_part: Vec<&Program> = programs.iter().filter(|p| p.does(work.kind)).collect();
            let mut rounds: Vec<Vec<Measured>> = takes_part.iter().map(|_| Vec::new()).collect();
            for _ in 0..self.rounds {
                for (program, measured) in takes_part.iter().zip(&mut rounds) {
                    measured.push(program.measure(work, files.path())?);
                }
            }
            for (program, measured) in takes_part.iter().zip(rounds) {
                let cell = Cell::best(work, program, &measured)?;
                note(format_args!("{}", cell.line()));
                let loaded = (work.kind == WorkKind::File).then(|| cell.after_loading(&measured)).flatten();
                report.push(cell)?;
                loaded.map(|loaded| report.push(loaded)).transpose()?;
            }
        }
        if as_json { print(&report.json().to_string()) } else { print(&report.text()) }
    }

    /// micse in all precisions, and the other libraries.
    fn programs(&self, folder: &Path) -> Result<Vec<Program>> {
        std::fs::create_dir_all(&self.out)
            .with_context(|| format!("cannot create {}", self.out.display()))?;
        let key = key(folder)?;
        let int8 = self.out.join(format!("int8-{key}"));
        let mut programs = vec![Program::micse(folder, "f32")?];
        if programs::has_bf16() {
            programs.push(Program::micse(folder, "bf16")?);
        } else {
            note("bf16 is not measured, because this CPU has no AVX512_BF16");
        }
        if !int8.is_dir() {
            note(format_args!("writing {} (micse export --precision int8)", int8.display()));
            programs::export_int8(folder, &int8)?;
        }
        programs.push(Program::micse(&int8, "int8")?);
        match self.python.clone().or_else(|| std::env::var_os("MICSE_PYTHON").map(PathBuf::from)) {
            Some(python) => {
                programs.extend(Program::peers(&python, folder, &self.out.join(format!("{key}.onnx")))?);
            }
            None => note("only micse is measured; pass --python PYTHON for other libraries"),
        }
        Ok(programs)
    }

    /// Writes the texts.
    fn works(&self, folder: &Path, compute: &Compute, corpus: &Corpus, files: &Path) -> Result<Works> {
        let folder = ModelFolder::open(folder)?;
        let pooling = folder.pooling()?.unwrap_or(Pooling::Mean);
        let model = SentenceModel::load(&folder, Some(pooling), compute)?;
        let positions = model.encoder().config().max_position_embeddings;
        let texts = Texts::new(corpus, model.tokenizer(), positions, (self.passages, self.strings))?;
        let write = |name: &str, lines: &[String]| -> Result<PathBuf> {
            let path = files.join(name);
            write_whole(&path, (lines.join("\n") + "\n").as_bytes())?;
            Ok(path)
        };
        Ok(Works {
            short: write("short.txt", std::slice::from_ref(&texts.short))?,
            long: write("long.txt", std::slice::from_ref(&texts.long))?,
            passages: write("passages.txt", &texts.passages)?,
            strings: write("strings.txt", &texts.strings)?,
            counts: (texts.passages.len(), texts.strings.len()),
            limit: model.max_length(),
            passage_limit: texts.passage_limit,
            seconds: self.seconds,
        })
    }
}

/// The files of texts.
struct Works {
    short: PathBuf,
    long: PathBuf,
    passages: PathBuf,
    strings: PathBuf,
    /// Passages and strings.
    counts: (usize, usize),
    /// The model's own limit of tokens.
    limit: usize,
    passage_limit: usize,
    seconds: f64,
}

impl Works {
    /// All rows of the matrix.
    fn list(&self) -> Vec<Work<'_>> {
        let all = micse_model::threads();
        let work = |name, kind, texts, count, threads| Work {
            name,
            kind,
            texts,
            count,
            limit: self.limit,
            batch: BATCH,
            threads,
            seconds: self.seconds,
        };
        let (one, many, ids) =
            (WorkKind::Inside(Kind::One), WorkKind::Inside(Kind::Many), WorkKind::Inside(Kind::Ids));
        let mut list = Vec::new();
        for threads in if all > 1 { vec![1, all] } else { vec![1] } {
            list.push(work("short sentence", one, &*self.short, 1, threads));
            list.push(work("long sentence", one, &*self.long, 1, threads));
        }
        let passages = work("passages", many, &self.passages, self.counts.0, all);
        list.push(Work { limit: self.passage_limit, batch: BATCH_OF_PASSAGES, ..passages });
        list.push(work("strings, token IDs", ids, &self.strings, self.counts.1, all));
        list.push(work("strings, file to file", WorkKind::File, &self.strings, self.counts.1, all));
        list
    }
}

/// Identifies the contents of a model folder.
fn key(folder: &Path) -> Result<String> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    let mut hash = Hash::new();
    for file in &files {
        hash.file(file)?;
    }
    Ok(hash.digits()[..12].to_owned())
}
