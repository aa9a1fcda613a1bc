//! The section of a sweep's report that compares two of its models.

use micse_figures::{Figure, human_scores};
use micse_train::run::load_cosines;

use super::chosen::{ComparedCell, two_cells};
use super::data::Sweep;
use super::html::Page;
use super::models;
use crate::results::AVERAGE;
use crate::{Error, Result};

/// The task of Fig. 5 in the paper.
const TASK: &str = "STSBenchmark";

/// Computes the figures of two cells that kept their models.
pub type Compare<'a> = dyn FnMut(&[ComparedCell; 2]) -> std::result::Result<Vec<Figure>, Box<dyn std::error::Error + Send + Sync>>
    + 'a;

/// Writes the section. Returns what is missing, with the remedy.
pub(super) fn write(
    page: &mut Page,
    sweep: &Sweep,
    compare: Option<&mut Compare<'_>>,
) -> Result<Vec<String>> {
    let with_models = two_cells(sweep, &|run| run.finished_model().is_ok());
    let scored = with_models.clone().or_else(|| two_cells(sweep, &|run| run.cosines().is_file()));
    let mut missing = Vec::new();
    let mut figures = match (&with_models, compare) {
        (Some(cells), Some(compare)) => compare(cells).map_err(Error::Compare)?,
        (None, Some(_)) => {
            missing.push(
                "Syntactic against semantic similarity: needs the models of two methods with the same training-set size; \
                 delete the cells' folders and rerun the sweep with --keep-models best."
                    .to_owned(),
            );
            Vec::new()
        }
        (_, None) => Vec::new(),
    };
    match &scored {
        Some(cells) => {
            // In the order of the paper.
            let place = figures.iter().position(|figure| matches!(figure, Figure::JointAttention(_)));
            let place = place.unwrap_or(figures.len());
            figures.splice(place..place, of_cosines(sweep, cells)?.map(Figure::HumanScores));
        }
        None => missing.push(
            "Cosine against human score: needs results of two trained methods with the same training-set size."
                .to_owned(),
        ),
    }
    let Some(cells) = scored.filter(|_| !figures.is_empty()) else { return Ok(missing) };
    page.section("models", "Two models compared");
    let described = cells.each_ref().map(|cell| {
        let result = &sweep.runs[cell.place].result;
        let seed = result.seed.map_or_else(String::new, |seed| format!(", seed {seed}"));
        format!("{} ({} sentences{seed})", cell.method, super::data::thousands(result.sentences))
    });
    page.paragraph(&format!("The cells {}.", described.join(" and ")));
    models::write(page, &figures)?;
    Ok(missing)
}

/// Fig. 5 of two cells, from their saved cosines; `None` if one has none.
fn of_cosines(sweep: &Sweep, cells: &[ComparedCell; 2]) -> Result<Option<micse_figures::HumanScores>> {
    let tasks = &sweep.results.tasks;
    let named = tasks.iter().find(|task| *task == TASK);
    let Some(task) = named.or_else(|| tasks.iter().find(|task| *task != AVERAGE)) else { return Ok(None) };
    let load = |cell: &ComparedCell| load_cosines(&cell.run, [task.as_str()]);
    let (Some(one), Some(other)) = (load(&cells[0])?, load(&cells[1])?) else { return Ok(None) };
    let (Some(one), Some(other)) = (one.get(task), other.get(task)) else { return Ok(None) };
    let names = cells.each_ref().map(|cell| cell.method.as_str());
    Ok(Some(human_scores(task, names, [one, other])?))
}
