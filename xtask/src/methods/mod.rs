//! `cargo xtask methods`: the page on the built-in recipes, written from the recipes.

mod describe;

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use micse_files::write_whole;
use micse_train::Recipe;
use micse_train::recipe::names;

/// Write docs/methods.md from the recipes
#[derive(Args)]
pub(crate) struct Methods {
    /// Write nothing; fail if the page is not that of the recipes
    #[arg(long)]
    check: bool,
    /// The page
    #[arg(long, default_value = "docs/methods.md")]
    page: PathBuf,
}

impl Methods {
    pub(crate) fn run(&self) -> Result<()> {
        let page = page()?;
        if !self.check {
            write_whole(&self.page, page.as_bytes())?;
            println!("{} recipes are described in {}", names().len(), self.page.display());
            return Ok(());
        }
        let there =
            std::fs::read_to_string(&self.page).with_context(|| format!("{}", self.page.display()))?;
        if there != page {
            bail!(
                "{} is not what the recipes say; write it anew by `cargo xtask methods`",
                self.page.display()
            );
        }
        Ok(())
    }
}

fn page() -> Result<String> {
    let recipes = names().into_iter().map(|name| Recipe::load(name, &[])).collect::<Result<Vec<_>, _>>()?;
    let mut text = include_str!("intro.md").to_owned();
    text.push_str("## What each is\n\n");
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
    text.push_str("\n## How each is trained\n\n");
    text.push_str("| recipe | optimizer | learning rate | batch | steps | tokens | selected here on | its source's text | its source's selection |\n");
    text.push_str("|---|---|---|---:|---:|---:|---|---|---|\n");
    for r in &recipes {
        let mut cells = vec![code(&r.name)];
        cells.extend(describe::training(r));
        cells.extend([r.published.text.clone(), r.published.selection.clone()]);
        line(&mut text, &cells);
    }
    text.push_str("\n## Sources, and what is different here\n\n");
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
        Methods { check: true, page }.run().expect("docs/methods.md as `cargo xtask methods` writes it");
    }
}
