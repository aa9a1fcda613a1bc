//! The command `figures`: compares two models, and what it shares with `report`.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use micse_cli::model::{locate_model, pooling_of};
use micse_cli::options::ComputeOptions;
use micse_cli::{data, note, print, print_json};
use micse_data::sts::Suite;
use micse_data::{Corpus, Locator, Parsed, TreeEquality, read_treebank};
use micse_eval::evaluate_pairs;
use micse_figures::{
    DROPOUT, Figure, Lengths, Subject, TreePairs, human_scores, joint_attention, random_pairs, tree_pairs,
};
use micse_model::{Compute, ModelFolder, SentenceModel};
use micse_report::{check_figures_folder, write_figures};
use serde::Serialize;

/// The sentence whose attention is shown without `--sentence`.
const SENTENCE: &str = "A good map shows the way without hiding the hills.";

/// The STS task of Fig. 5 in the paper.
const TASK: &str = "STSBenchmark";

/// Compare two models in the figures 1, 4, 5 and 6 of the miCSE paper: syntactic against semantic similarity
///
/// Writes figures.html, and each figure as SVG and CSV.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  micse figures runs/simcse runs/micse --out figures\n\nEach model is a model folder, a \
                        run folder, a Hub model ID, or `demo` for the shipped encoder."
)]
pub struct Figures {
    /// The model on the left, usually the baseline
    #[arg(value_name = "MODEL")]
    first: String,
    /// The model on the right
    #[arg(value_name = "MODEL")]
    second: String,
    /// Folder for the page and the figures; not that of a sweep
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Names of the models in the figures [default: the last part of each path or ID]
    #[arg(long, value_name = "FIRST,SECOND", value_delimiter = ',')]
    names: Option<Vec<String>>,
    /// STS sets: a folder in SentEval's layout, or `demo` [default: `MICSE_DATA`/senteval, else demo]
    #[arg(long, value_name = "FOLDER")]
    sts: Option<String>,
    #[command(flatten)]
    what: Comparison,
    #[command(flatten, next_help_heading = "Computation")]
    compute: ComputeOptions,
}

/// What is compared, for `figures` and for `report`.
#[derive(Args, Debug)]
#[command(next_help_heading = "Comparison")]
pub(crate) struct Comparison {
    /// Text files for positive and negative pairs, one sentence per line; `demo` for generated sentences [default: the
    /// corpus in `MICSE_DATA`, else demo]
    #[arg(long, alias = "sentences", value_name = "FILE", num_args = 1..)]
    corpus: Vec<String>,
    /// Treebanks in CoNLL-U, or `demo` [default: `MICSE_DATA`/ud, else demo]
    #[arg(long, value_name = "FILE", num_args = 1..)]
    treebank: Vec<String>,
    /// Which dependency trees are equal
    #[arg(long, value_enum, default_value_t)]
    trees: Trees,
    /// Lengths of the pairs with unequal trees
    #[arg(long, value_enum, default_value_t)]
    lengths: PairLengths,
    /// Sentence whose attention is shown
    #[arg(long, value_name = "TEXT", default_value = SENTENCE)]
    sentence: String,
    /// At most this many pairs per group
    #[arg(long, value_name = "N", default_value = "500")]
    pairs: NonZeroUsize,
    /// Seed of the pairs, of dropout and of the bootstrap
    #[arg(long, value_name = "N", default_value_t = 48)]
    seed: u64,
}

/// `--trees`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Trees {
    /// Trees with the same heads and the same relations
    #[default]
    Labelled,
    /// Trees with the same heads
    Shape,
}

/// `--lengths`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum PairLengths {
    /// As many words as the pairs with equal trees
    #[default]
    Matched,
    /// Any number of words
    Any,
}

#[derive(Serialize)]
struct Written {
    page: PathBuf,
    figures: Vec<PathBuf>,
}

impl Figures {
    /// Compares the models and writes the page.
    ///
    /// # Errors
    /// A model or its data cannot be read, or the folder cannot be written.
    pub fn run(&self, json: bool) -> Result<ExitCode> {
        let names = self.names()?;
        check_figures_folder(&self.out)?;
        let compute = self.compute.start()?;
        let locator = Locator::from_env()?;
        let load = |value: &String| -> Result<SentenceModel<'static>> {
            let located = locate_model(&locator, Some(value))?;
            note(&located.note);
            load_model(&located.place, &compute)
        };
        let models = [load(&self.first)?, load(&self.second)?];
        let subjects = [0, 1].map(|i| Subject { name: &names[i], model: &models[i] });
        let suite = load_suite(&data::sts(&locator, self.sts.as_deref())?.place)?;
        let inputs = self.what.inputs(&locator)?;
        let mut figures = inputs.figures(subjects)?;
        // In the order of the paper.
        figures.insert(2, of_suite(subjects, &suite)?);
        let written =
            write_figures(&self.out, names.each_ref().map(String::as_str), &figures, &inputs.settings())?;
        if json {
            print_json(&Written { page: written.page, figures: written.pictures })?;
        } else {
            print(&written.page.display().to_string())?;
            note(format_args!(
                "wrote {} figures as {} and CSV to {}",
                written.pictures.len(),
                if written.png { "SVG, PNG" } else { "SVG (PNG needs a build with the feature `png`)" },
                self.out.join("figures").display()
            ));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn names(&self) -> Result<[String; 2]> {
        if let Some(names) = &self.names {
            return match &names[..] {
                [first, second] if !first.trim().is_empty() && !second.trim().is_empty() => {
                    Ok([first.clone(), second.clone()])
                }
                _ => bail!("--names {}: pass two names separated by a comma", names.join(",")),
            };
        }
        let name = |value: &String| {
            // `runs/micse/model` is better known as `micse`.
            let parts = Path::new(value).components().rev().map(|part| part.as_os_str().to_string_lossy());
            let name = parts.into_iter().find(|part| !["model", ".", ".."].contains(&part.as_ref()));
            name.map_or_else(|| value.clone(), std::borrow::Cow::into_owned)
        };
        let names = [name(&self.first), name(&self.second)];
        if names[0] == names[1] {
            bail!(
                "both models would be named {} in the figures; pass different names with --names FIRST,SECOND",
                names[0]
            );
        }
        Ok(names)
    }
}

/// A model with the pooling of its folder.
pub(crate) fn load_model(folder: &Path, compute: &Compute) -> Result<SentenceModel<'static>> {
    let folder = ModelFolder::open(folder)?;
    let pooling = pooling_of(&folder)?;
    Ok(SentenceModel::load(&folder, Some(pooling), compute)?)
}

/// The STS benchmark of a folder, or the only task of the demo.
fn load_suite(folder: &Path) -> Result<Suite> {
    let all = Suite::load(folder, None)?;
    let task = all.tasks.iter().find(|task| task.name == TASK).or_else(|| all.tasks.first());
    let task = task.with_context(|| format!("{}: no STS task", folder.display()))?.clone();
    Ok(Suite { tasks: vec![task], dev: None, ..all })
}

/// Fig. 5 from two models.
fn of_suite(subjects: [Subject<'_>; 2], suite: &Suite) -> Result<Figure> {
    let task = &suite.tasks[0].name;
    let score =
        |subject: Subject<'_>| evaluate_pairs(subject.model, suite, &mut |_, _| {}).map(|found| found.1);
    let scores = [score(subjects[0])?, score(subjects[1])?];
    let of_task = |i: usize| scores[i].get(task).with_context(|| format!("no scores of {task}"));
    let names = subjects.map(|subject| subject.name);
    Ok(Figure::HumanScores(human_scores(task, names, [of_task(0)?, of_task(1)?])?))
}

/// The texts of a comparison, and what is drawn from them.
pub(crate) struct Inputs<'a> {
    how: &'a Comparison,
    corpus: Corpus,
    treebank: Vec<Parsed>,
    /// Where they come from.
    notes: [String; 2],
}

impl Comparison {
    /// Reads corpus and treebank.
    pub(crate) fn inputs(&self, locator: &Locator) -> Result<Inputs<'_>> {
        let corpus = data::corpus(locator, &self.corpus)?;
        let treebank = data::treebank(locator, &self.treebank)?;
        Ok(Inputs {
            how: self,
            corpus: corpus.place.open()?,
            treebank: read_treebank(&treebank.place)?,
            notes: [corpus.note, treebank.note],
        })
    }
}

impl Inputs<'_> {
    /// Figs. 1, 4 and 6.
    pub(crate) fn figures(&self, subjects: [Subject<'_>; 2]) -> Result<Vec<Figure>> {
        let how = TreePairs {
            equality: match self.how.trees {
                Trees::Labelled => TreeEquality::Labelled,
                Trees::Shape => TreeEquality::Shape,
            },
            lengths: match self.how.lengths {
                PairLengths::Matched => Lengths::Matched,
                PairLengths::Any => Lengths::Any,
            },
            count: self.how.pairs.get(),
            seed: self.how.seed,
        };
        note(format_args!("comparing up to {} pairs per group, with two passes each", how.count));
        Ok(vec![
            Figure::Grouped(Box::new(random_pairs(subjects, &self.corpus, how.count, how.seed)?)),
            Figure::Grouped(Box::new(tree_pairs(subjects, &self.treebank, how)?)),
            Figure::JointAttention(joint_attention(subjects, &self.how.sentence, how.seed)?),
        ])
    }

    /// How the numbers were computed, for the page.
    fn settings(&self) -> Vec<String> {
        let [corpus, treebank] = &self.notes;
        vec![
            corpus.clone(),
            treebank.clone(),
            format!("seed {}; dropout {DROPOUT} in both views", self.how.seed),
            "attention: maps before their own dropout; pairs of adjacent heads in each layer of the upper third, averaged; \
             of local attention, positions within the window"
                .to_owned(),
        ]
    }
}
