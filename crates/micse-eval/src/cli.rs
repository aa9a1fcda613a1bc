//! The command that scores a model: `micse-eval`, and `micse eval`.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use micse_cli::model::{load_model, locate_model};
use micse_cli::options::ComputeOptions;
use micse_cli::output::check_differs;
use micse_cli::progress::Progress;
use micse_cli::{note, print};
use micse_data::locate::DEMO;
use micse_data::sts::SENTEVAL_TASKS;
use micse_data::transfer::{TRANSFER_TASKS, is_transfer_task};
use micse_data::{Locator, Suite, Task, TransferSuite, TransferTask};
use micse_files::WholeFile;
use micse_model::{Model, ModelFolder, Pooling, StaticFolder, WORD_TABLE};
use micse_vectors::{Selection, WordVectors};

use crate::mteb::{self, MtebFacts, MtebModel};
use crate::{
    Embedder, Evaluation, HubSnapshot, TransferStage, VectorEmbedder, check_transfer, evaluate,
    score_transfer,
};

/// Score a model on STS sets (Spearman and Pearson x 100, alignment, uniformity) and transfer tasks (accuracy x 100)
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  micse eval --model all-MiniLM-L6-v2/ --sts my-data/senteval\n  \
                        micse eval --model demo --sts demo --transfer")]
pub struct Eval {
    /// Model folder, run folder, Hub model ID, or `demo` for the shipped encoder [default: demo]
    #[arg(long)]
    model: Option<String>,
    /// Word vectors in GloVe's or word2vec's format, instead of a model
    #[arg(long, value_name = "FILE", conflicts_with_all = ["model", "pooling", "truncate_dim"])]
    vectors: Option<PathBuf>,
    /// With --vectors: average all tokens, including function words and punctuation
    #[arg(long, requires = "vectors")]
    all_tokens: bool,
    /// Evaluation sets: a folder in SentEval's layout, or `demo` [default: `MICSE_DATA`/senteval, else demo]
    #[arg(long, value_name = "FOLDER")]
    sts: Option<String>,
    /// Also score transfer tasks: train a classifier on the embeddings, by SentEval's protocol
    #[arg(long)]
    transfer: bool,
    /// Score only these tasks, separated by commas. STS: STS12, STS13, STS14, STS15, STS16, STSBenchmark,
    /// SICKRelatedness; transfer: MR, CR, SUBJ, MPQA, SST2, TREC, MRPC [default: all STS tasks]
    #[arg(long, value_delimiter = ',', num_args = 1..)]
    tasks: Option<Vec<String>>,
    /// cls, mean, first-last-avg, emb-last-avg or top2-avg [default: the model folder's, else mean]
    #[arg(long)]
    pooling: Option<Pooling>,
    /// Score only the first N entries of each embedding, after all modules [default: the model folder's, else all]
    #[arg(long, value_name = "N")]
    truncate_dim: Option<NonZeroUsize>,
    /// Format of the result; --json is short for --format json [default: table]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Result file; - is standard output [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Also write MTEB result files: FOLDER/OWNER__NAME/REVISION/TASK.json, scores between -1 and 1
    #[arg(long, value_name = "FOLDER", conflicts_with = "vectors")]
    mteb: Option<PathBuf>,
    /// Model name in the MTEB files; required with --pooling and --truncate-dim [default: its ID, if the model is in the
    /// Hub cache]
    #[arg(long, value_name = "OWNER/NAME", requires = "mteb")]
    mteb_name: Option<String>,
    /// Model revision in the MTEB files [default: its commit, if the model is in the Hub cache; else none]
    #[arg(long, value_name = "REVISION", requires = "mteb")]
    mteb_revision: Option<String>,
    #[command(flatten, next_help_heading = "Computation")]
    compute: ComputeOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
    Csv,
}

impl Eval {
    /// Scores the model, and writes the result; `json` prints it as JSON.
    ///
    /// # Errors
    /// The model or the sets cannot be loaded, scoring fails, or the result cannot be written.
    pub fn run(&self, json: bool) -> Result<ExitCode> {
        let format = match (json, self.format) {
            (true, Some(Format::Table | Format::Csv)) => {
                bail!("--json and --format ask for different formats; remove one")
            }
            (true, _) => Format::Json,
            (false, format) => format.unwrap_or(Format::Table),
        };
        let compute = self.compute.start()?;
        let locator = Locator::from_env()?;
        if let Some(vectors) = &self.vectors {
            return self.run_vectors(vectors, &locator, format);
        }
        let located = locate_model(&locator, Some(self.model.as_deref().unwrap_or(DEMO)))?;
        note(&located.note);
        let place = located.place;
        let Sets { suite, transfer } = self.sets(&locator)?;
        let model = load_model(&place, self.pooling, self.truncate_dim, &compute)?;
        // Fails before the model is scored if the files cannot be written.
        self.check_output()?;
        let mteb_files = match &self.mteb {
            Some(into) => {
                let named = self.mteb_model(&place)?;
                mteb::check(&suite)?;
                std::fs::create_dir_all(into).with_context(|| {
                    format!("{}: cannot write to this folder; pass another --mteb", into.display())
                })?;
                if transfer.is_some() {
                    note(
                        "MTEB files: without the transfer tasks, because MTEB scores its tasks by another protocol",
                    );
                }
                Some((into, named))
            }
            None => None,
        };
        if let Some(stage) = model.as_encoder().and_then(|model| model.stage()) {
            note(format_args!("{}: fitted on {}", stage.kind(), stage.fitted_on()));
        }
        let evaluation = score(&model, &suite, transfer.as_ref())?;
        let mteb_files: Option<Result<PathBuf>> =
            mteb_files.map(|(into, named)| Ok(named.write(into, &facts(&model, &place)?, &evaluation)?));
        let evaluation = evaluation.of_model(place.display().to_string(), model.pooling().to_string());
        // The scores are written even if the MTEB files could not be.
        self.write(&evaluation, format)?;
        if let Some(written) =
            mteb_files.transpose().context("the scores are written, but not the MTEB files")?
        {
            note(format_args!("MTEB files: {}", written.display()));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The file for the result; `None`: standard output.
    fn file(&self) -> Option<&Path> {
        self.output.as_deref().filter(|path| path.as_os_str() != "-")
    }

    /// Fails if the result could not be written.
    fn check_output(&self) -> Result<()> {
        Ok(self.file().map_or(Ok(()), |path| WholeFile::create(path).map(drop))?)
    }

    /// Reads the requested tasks of both kinds.
    fn sets(&self, locator: &Locator) -> Result<Sets> {
        let (labelled, pairs): (Vec<String>, Vec<String>) =
            self.tasks.iter().flatten().cloned().partition(|name| is_transfer_task(name));
        let named = self.tasks.is_some();
        let suite = if named && pairs.is_empty() && !labelled.is_empty() {
            // Only transfer tasks were named.
            Suite { name: String::new(), tasks: Vec::new(), dev: None, sick_dev: None }
        } else {
            let sts = micse_cli::data::sts(locator, self.sts.as_deref())?;
            Suite::load(&sts.place, named.then_some(&pairs[..])).with_context(|| {
                format!("tasks: {}, {}", SENTEVAL_TASKS.join(", "), TRANSFER_TASKS.join(", "))
            })?
        };
        if labelled.is_empty() && !self.transfer {
            return Ok(Sets { suite, transfer: None });
        }
        let located = micse_cli::data::transfer(locator, self.sts.as_deref())?;
        let tasks = (!labelled.is_empty()).then_some(&labelled[..]);
        let transfer = TransferSuite::load(&located.place, tasks)?;
        check_transfer(&transfer)?;
        Ok(Sets { suite, transfer: Some(transfer) })
    }

    /// The name and revision of a model in the MTEB files.
    fn mteb_model(&self, path: &Path) -> Result<MtebModel> {
        if let Some(entries) = self.truncate_dim.filter(|_| self.mteb_name.is_none()) {
            bail!(
                "--mteb with --truncate-dim needs a name of its own, so that the files do not replace the whole \
                 embeddings' files; pass --mteb-name OWNER/NAME-{entries}d"
            );
        }
        if let Some(pooling) = self.pooling.filter(|_| self.mteb_name.is_none()) {
            bail!(
                "--mteb with --pooling needs a name of its own, so that the files do not replace those of the folder's \
                 pooling; pass --mteb-name OWNER/NAME-{pooling}"
            );
        }
        let (id, commit) = HubSnapshot::of(path).map(|s| (s.id, s.revision)).unzip();
        let name = self.mteb_name.clone().or(id).with_context(|| {
            format!("{} is not in the Hub cache; pass --mteb-name OWNER/NAME", path.display())
        })?;
        let revision = self.mteb_revision.clone().or(commit);
        Ok(MtebModel::new(&name, revision.as_deref())?)
    }

    /// Scores the means of word vectors.
    fn run_vectors(&self, path: &Path, locator: &Locator, format: Format) -> Result<ExitCode> {
        note(format_args!("word vectors: {}", path.display()));
        let Sets { suite, transfer } = self.sets(locator)?;
        self.check_output()?;
        if let Some(output) = &self.output {
            check_differs(path, output)?;
        }
        let mut progress: Option<Progress> = None;
        let vectors = WordVectors::open_with(path, &mut |done, total| {
            let progress = progress.get_or_insert_with(|| Progress::new(Some(total), "bytes"));
            progress.set(done, done, "");
        })?;
        drop(progress);
        let selection = if self.all_tokens { Selection::AllTokens } else { Selection::ContentWords };
        let pairs = suite.tasks.iter().flat_map(Task::pairs);
        let labelled = transfer.iter().flat_map(|transfer| &transfer.tasks).flat_map(TransferTask::sentences);
        let sentences = pairs.flat_map(|pair| [pair.first.as_str(), pair.second.as_str()]).chain(labelled);
        let coverage = vectors.coverage(sentences, selection);
        note(format_args!(
            "{} words ({} duplicates), dimension {}; {:.2} % of {} tokens known, {} of {} sentences without a \
             known word",
            vectors.len(),
            vectors.duplicates(),
            vectors.dimension(),
            100.0 * coverage.share(),
            coverage.tokens,
            coverage.zero,
            coverage.sentences
        ));
        let evaluation = score(&VectorEmbedder::new(&vectors, selection), &suite, transfer.as_ref())?;
        self.write(&evaluation.of_model(path.display().to_string(), selection.to_string()), format)?;
        Ok(ExitCode::SUCCESS)
    }

    /// Writes the result into the file, or prints it.
    fn write(&self, evaluation: &Evaluation, format: Format) -> Result<()> {
        let text = match format {
            Format::Table => evaluation.to_table(),
            Format::Json => evaluation.to_json()?,
            Format::Csv => evaluation.to_csv()?,
        };
        let text = format!("{}\n", text.trim_end());
        match self.file() {
            Some(path) => Ok(micse_files::write_whole(path, text.as_bytes())?),
            None => print(&text),
        }
    }
}

/// What MTEB's files state about a model besides its name.
fn facts(model: &Model, place: &Path) -> Result<MtebFacts> {
    let (parameters, embedding_parameters, plain, weights) = match model {
        Model::Encoder(model) => {
            let sizes: Vec<usize> =
                model.encoder().parameters().iter().map(|info| info.shape.iter().product()).collect();
            let plain = model.own_modules().is_empty();
            (
                sizes.iter().sum(),
                sizes.get(WORD_TABLE).copied(),
                plain,
                ModelFolder::open(place)?.path().to_owned(),
            )
        }
        Model::Static(model) => {
            let table = model.parameter_count();
            (table, Some(table), true, StaticFolder::open(place)?.path().to_owned())
        }
    };
    let mut frameworks = Vec::new();
    if plain && place.join("modules.json").is_file() {
        frameworks.push("Sentence Transformers");
    }
    if ["model.safetensors", "model.safetensors.index.json"].iter().any(|name| weights.join(name).is_file()) {
        frameworks.push("safetensors");
    }
    Ok(MtebFacts {
        parameters: Some(parameters),
        embedding_parameters,
        max_tokens: model.max_length(),
        dimension: Some(model.dimension()),
        frameworks,
    })
}

/// The requested tasks.
struct Sets {
    /// The STS tasks; may be empty.
    suite: Suite,
    transfer: Option<TransferSuite>,
}

/// Scores an embedder, and shows the progress.
fn score(embedder: &dyn Embedder, suite: &Suite, transfer: Option<&TransferSuite>) -> Result<Evaluation> {
    let mut progress: Option<Progress> = None;
    let evaluation = evaluate(embedder, suite, &mut |done, total| {
        let progress = progress.get_or_insert_with(|| Progress::new(Some(total as u64), "sentences"));
        progress.set(done as u64, done as u64, "");
    })?;
    let Some(transfer) = transfer else { return Ok(evaluation) };
    let mut stage: Option<(String, TransferStage, Progress)> = None;
    let scores = score_transfer(embedder, transfer, &mut |task, now, done, total| {
        if stage.as_ref().is_none_or(|(of, was, _)| of != task || *was != now) {
            let unit = if now == TransferStage::Embedding { "sentences" } else { "classifiers" };
            stage = Some((task.to_owned(), now, Progress::new(Some(total as u64), unit)));
        }
        if let Some((_, _, progress)) = &mut stage {
            progress.set(done as u64, done as u64, format_args!(" ({task})"));
        }
    })?;
    Ok(Evaluation { transfer: Some(scores), ..evaluation })
}
