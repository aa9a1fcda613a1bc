//! `cargo xtask methods`: generates the page about the built-in recipes.

mod describe;

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use micse_cli::print;
use micse_files::write_whole;
use micse_train::Recipe;
use micse_train::recipe::names;

/// Generate docs/methods.md from the recipes
#[derive(Args)]
pub(crate) struct Methods {
    /// Write nothing; fail if the page is out of date
    #[arg(long)]
    check: bool,
    /// The page to write or check
    #[arg(long, default_value = "docs/methods.md")]
    page: PathBuf,
}

impl Methods {
    pub(crate) fn run(&self) -> Result<()> {
        let page = page()?;
        if !self.check {
            write_whole(&self.page, page.as_bytes())?;
            return print(&format!("described {} recipes in {}", names().len(), self.page.display()));
        }
        let there =
            std::fs::read_to_string(&self.page).with_context(|| format!("{}", self.page.display()))?;
        if there != page {
            bail!(
                "{} does not match the recipes; run `cargo xtask methods` to update it",
                self.page.display()
            );
        }
        Ok(())
    }
}

fn page() -> Result<String> {
    let recipes = names().into_iter().map(|name| Recipe::load(name, &[])).collect::<Result<Vec<_>, _>>()?;
    let mut text = include_str!("intro.md").to_owned();
    text.push_str("## Structure\n\n");
    text.push_str("| recipe | views | networks | terms | pooling (train, test) |\n|---|---|---|---|---|\n");
    for r in &recipes {
        line(
            &mut text,
            &[
                code(&r.name),
                describe::views(r),
                describe::networks(r),
                describe::terms(r),
                describe::pooling(r),
            ],
        );
    }
    text.push_str("\n## Training\n\n");
    text.push_str("| recipe | optimizer | learning rate | batch | steps | tokens | selected on | source's corpus | source's selection |\n");
    text.push_str("|---|---|---|---:|---:|---:|---|---|---|\n");
    for r in &recipes {
        let mut cells = vec![code(&r.name)];
        cells.extend(describe::training(r));
        cells.extend([r.published.text.clone(), r.published.selection.clone()]);
        line(&mut text, &cells);
    }
    text.push_str("\n## Sources and differences from them\n\n");
    for r in &recipes {
        // Writing into a String cannot fail.
        let _ = write!(text, "- {}: {}.", code(&r.name), r.source);
        for note in &r.published.notes {
            let _ = write!(text, " {}.", capital(note));
        }
        text.push('\n');
    }
    Ok(text)
}

fn line(text: &mut String, cells: &[String]) {
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

fn code(name: &str) -> String {
    format!("`{name}`")
}

fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_that_of_the_recipes() {
        let page = micse_tests::root().join("docs/methods.md");
        Methods { check: true, page }
            .run()
            .expect("docs/methods.md matches the output of `cargo xtask methods`");
    }
}
