//! `micse-eval`: scores an encoder on STS sets by `SentEval`'s protocol.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use micse_data::locate::DEMO;
use micse_data::{Locator, Suite, Task};
use micse_eval::mteb::{self, MtebFacts, MtebModel};
use micse_eval::{Embedder, Evaluation, HubSnapshot, VectorEmbedder, evaluate};
use micse_hub::progress::folder_of_id;
use micse_model::options::ComputeOptions;
use micse_model::{ModelFolder, Pooling, SentenceModel, WORD_TABLE};
use micse_vectors::{Selection, WordVectors};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Score an encoder on STS sets: Spearman and Pearson x 100, alignment, uniformity
///
/// Without --model: the shipped encoder on the shipped demo pairs.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// A model folder (config.json, weights, tokenizer), an id of the Hub, or `demo` for the shipped encoder
    #[arg(long)]
    model: Option<String>,
    /// A file of word vectors in place of a model: GloVe's text, word2vec's text or binary
    #[arg(long, value_name = "FILE", conflicts_with_all = ["model", "pooling"])]
    vectors: Option<PathBuf>,
    /// With --vectors: average every token, function words and punctuation too
    #[arg(long, requires = "vectors")]
    all_tokens: bool,
    /// A folder in `SentEval`'s layout, or `demo` for the shipped pairs [default: $`MICSE_DATA`/senteval]
    #[arg(long)]
    sts: Option<String>,
    /// Some of STS12 STS13 STS14 STS15 STS16 STSBenchmark SICKRelatedness [default: all]
    #[arg(long, value_delimiter = ',', num_args = 1..)]
    tasks: Option<Vec<String>>,
    /// cls, mean, first-last-avg, emb-last-avg or top2-avg [default: the folder's `1_Pooling`, else mean]
    #[arg(long)]
    pooling: Option<Pooling>,
    /// The form of the result
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Where the result goes [default: standard output]
    #[arg(long)]
    output: Option<PathBuf>,
    /// Write MTEB's files too: `DIR/OWNER__NAME/REVISION/TASK.json`, scores between -1 and 1
    #[arg(long, value_name = "DIR", conflicts_with = "vectors")]
    mteb: Option<PathBuf>,
    /// The model's name in these files [default: its id, if it lies in the Hub's cache]
    #[arg(long, value_name = "OWNER/NAME", requires = "mteb")]
    mteb_name: Option<String>,
    /// Its revision in these files [default: its commit, if it lies in the Hub's cache, else none]
    #[arg(long, value_name = "REVISION", requires = "mteb")]
    mteb_revision: Option<String>,
    #[command(flatten)]
    compute: ComputeOptions,
    /// Say more on stderr; twice for details
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Json,
    Csv,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let level = ["warn", "info", "debug"][usize::from(cli.verbose.min(2))];
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(filter.unwrap_or_else(|_| level.into()))
        .without_time()
        .with_target(false)
        .init();
    match prepared().and_then(|()| cli.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl Cli {
    fn run(&self) -> Result<()> {
        let compute = self.compute.start()?;
        let locator = Locator::from_env()?;
        if let Some(vectors) = &self.vectors {
            return self.run_vectors(vectors, &locator);
        }
        // Nothing given at all: what the repository ships.
        let (model, sts) = match (&self.model, &self.sts) {
            (None, None) => (Some("demo"), Some("demo")),
            (None, Some(sts)) => (Some("demo"), Some(sts.as_str())),
            (Some(model), sts) => (Some(model.as_str()), sts.as_deref()),
        };
        let fetched = model.filter(|&name| name != DEMO).map(folder_of_id).transpose()?.flatten();
        let place = if let Some(folder) = fetched {
            eprintln!("encoder: {} (--model)", folder.display());
            folder
        } else {
            let model = locator.model(model)?;
            eprintln!("{}", model.note);
            model.place
        };
        let sts = locator.sts(sts)?;
        eprintln!("{}", sts.note);
        let folder = ModelFolder::open(&place)?;
        let own = || -> Result<Pooling> {
            Ok(folder.pooling()?.unwrap_or_else(|| {
                eprintln!(
                    "pooling: mean, since the folder has no 1_Pooling/config.json (--pooling chooses another)"
                );
                Pooling::Mean
            }))
        };
        let pooling = self.pooling.map_or_else(own, Ok)?;
        let suite = Suite::load(&sts.place, self.tasks.as_deref())?;
        // What cannot be written is refused before it is scored.
        let mteb_files = match &self.mteb {
            Some(into) => {
                mteb::check(&suite)?;
                Some((into, self.mteb_model(&folder)?))
            }
            None => None,
        };
        let model = SentenceModel::load(&folder, Some(pooling), &compute)?;
        if let Some(stage) = model.stage() {
            eprintln!("{} fitted on {}", stage.kind(), stage.fitted_on());
        }
        let evaluation = score(&model, &suite)?;
        if let Some((into, named)) = mteb_files {
            let sizes: Vec<usize> =
                model.encoder().parameters().iter().map(|info| info.shape.iter().product()).collect();
            let facts = MtebFacts {
                parameters: Some(sizes.iter().sum()),
                embedding_parameters: sizes.get(WORD_TABLE).copied(),
                max_tokens: Some(model.max_length()),
                dimension: Some(model.dimension()),
                frameworks: frameworks(&folder, model.own_modules().is_empty()),
            };
            eprintln!("MTEB's files: {}", named.write(into, &facts, &evaluation)?.display());
        }
        self.write(&evaluation.of_model(place.display().to_string(), pooling.to_string()))
    }

    /// The name that MTEB's files have for a model's folder.
    fn mteb_model(&self, folder: &ModelFolder) -> Result<MtebModel> {
        let path = folder.path();
        let (id, commit) = HubSnapshot::of(path).map(|s| (s.id, s.revision)).unzip();
        let name = self.mteb_name.clone().or(id).with_context(|| {
            format!(
                "{} does not lie in the Hub's cache: give the model a name by --mteb-name",
                path.display()
            )
        })?;
        let revision = self.mteb_revision.clone().or(commit);
        Ok(MtebModel::new(&name, revision.as_deref())?)
    }

    /// The mean of word vectors as a model.
    fn run_vectors(&self, path: &Path, locator: &Locator) -> Result<()> {
        let sts = locator.sts(self.sts.as_deref())?;
        eprintln!("word vectors: {}\n{}", path.display(), sts.note);
        let suite = Suite::load(&sts.place, self.tasks.as_deref())?;
        let bar = ProgressBar::new(0)
            .with_style(ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes}, {eta} left")?);
        let vectors = WordVectors::open_with(path, &mut |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        })?;
        bar.finish_and_clear();
        let selection = if self.all_tokens { Selection::AllTokens } else { Selection::ContentWords };
        let pairs = suite.tasks.iter().flat_map(Task::pairs);
        let coverage = vectors.coverage(pairs.flat_map(|pair| [&pair.first, &pair.second]), selection);
        eprintln!(
            "{} words ({} given again), dimension {}; {:.2} % of {} tokens known, {} of {} sentences zero",
            vectors.len(),
            vectors.duplicates(),
            vectors.dimension(),
            100.0 * coverage.share(),
            coverage.tokens,
            coverage.zero,
            coverage.sentences
        );
        let evaluation = score(&VectorEmbedder::new(&vectors, selection), &suite)?;
        self.write(&evaluation.of_model(path.display().to_string(), selection.to_string()))
    }

    fn write(&self, evaluation: &Evaluation) -> Result<()> {
        let text = match self.format {
            Format::Table => evaluation.to_table(),
            Format::Json => evaluation.to_json()?,
            Format::Csv => evaluation.to_csv(),
        };
        match &self.output {
            Some(path) => micse_files::write_whole(path, format!("{}\n", text.trim_end()).as_bytes())?,
            None => println!("{}", text.trim_end()),
        }
        Ok(())
    }
}

/// What loads a model folder, by MTEB's names; `plain`: the model has none of this project's own modules.
fn frameworks(folder: &ModelFolder, plain: bool) -> Vec<&'static str> {
    let has = |name: &str| folder.path().join(name).is_file();
    let mut frameworks = Vec::new();
    if plain && folder.root().join("modules.json").is_file() {
        frameworks.push("Sentence Transformers");
    }
    if has("model.safetensors") || has("model.safetensors.index.json") {
        frameworks.push("safetensors");
    }
    frameworks
}

/// Scores an embedder, with a bar.
fn score(embedder: &dyn Embedder, suite: &Suite) -> Result<Evaluation> {
    let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(
        "{bar:30} {human_pos}/{human_len} sentences, {per_sec}, {eta} left",
    )?);
    let evaluation = evaluate(embedder, suite, &mut |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    Ok(evaluation)
}

/// The process made ready to compute, before it has threads.
fn prepared() -> anyhow::Result<()> {
    if let Some(notice) = micse_model::prepare_process()? {
        eprintln!("notice: {notice}");
    }
    Ok(())
}
