//! Comparisons with published scores, and with rows of other encoders and corpora.

mod common;
mod known;

use common::Sweep;
use known::{around, line, sweep};
use micse_report::{Against, Paper, TableOptions};

/// Changes the number of sentences in the results of a method at a size.
fn with_sentences(sweep: &Sweep, method: &str, size: &str, sentences: usize) {
    let cells = sweep.grid.cells.iter();
    for cell in cells.filter(|cell| cell.method == method && cell.size.as_deref() == Some(size)) {
        let path = sweep.folder.path().join(&cell.folder).join("result.json");
        let text = std::fs::read_to_string(&path).unwrap();
        let changed = text.replace("\"sentences\": 1000", &format!("\"sentences\": {sentences}"));
        assert_ne!(text, changed);
        std::fs::write(&path, changed).unwrap();
    }
}

#[test]
fn published_figures_stand_beside_ours_with_what_differs() {
    let mut sweep = sweep();
    sweep.cell("bert-cls", None, None, &around(31.0));
    sweep.cell("simcse-baseline", Some("10%"), Some(1), &around(60.0));
    for cell in &mut sweep.grid.cells {
        cell.changed = cell.size.is_some();
    }
    with_sentences(&sweep, "simcse", "100%", 600_000);
    let markdown = sweep.tables(&TableOptions { baseline: None, against: Some(Against::Paper) }, "tables.md");
    let row = |start| line(&markdown, "Against published scores", start);
    // Table 2 has a size of 1,000 sentences, Table 1 only 10^6. The other sizes of Table 2 are omitted.
    assert_eq!(
        row("| simcse | 2 | BERT-base, Wikipedia, 1000 |"),
        "| simcse | 2 | BERT-base, Wikipedia, 1000 | 67.94±1.16 | 10% | 61.00±1.00 | -6.94 | encoder, settings |"
    );
    assert_eq!(
        row("| micse | 1 |"),
        "| micse | 1 | BERT-base, Wikipedia, 1000000 | 78.13 | 10% | 64.00±0.95 | -14.13 | \
         encoder, sentences (1000 instead of 1000000), settings |"
    );
    assert_eq!(row("| bert-cls |"), "| bert-cls | 1 | BERT-base | 31.40 | - | 31.00 | -0.40 | encoder |");
    // A size that has the name of a column of Table 2 stands for it, unless it has the sentences of another column.
    assert_eq!(markdown.matches("| simcse | 2 |").count(), 2, "{markdown}");
    assert!(row("| simcse | 2 | BERT-base, Wikipedia, 1000000 |").contains("| 76.15 | 100% | 70.00 |"));
    assert!(!markdown.contains("| simcse | 2 | BERT-base, Wikipedia, 100000 |"), "{markdown}");
    assert!(row("| simcse-baseline | 2 | BERT-base, Wikipedia, 1000 |").ends_with("| encoder, settings |"));
    // Table 3 has other scores of the same runs, and says so.
    assert!(row("| simcse | 3 | BERT-base, Wikipedia, 1000 |").contains("| 66.69±1.03 |"));
    assert!(row("- Table 3, SimCSE (with negatives), 0.1%").ends_with("Table 2 has 67.94"));
    assert!(row("- this sweep: encoder").contains("models/small"));
    assert!(Paper::load().unwrap().figures.len() > 30);

    sweep.grid.notes = vec!["encoder: models/bert-base-uncased (--model)".into()];
    let markdown = sweep.tables(&TableOptions { baseline: None, against: Some(Against::Paper) }, "tables.md");
    assert!(
        line(&markdown, "Against published scores", "| bert-cls |").ends_with("| nothing detected |"),
        "{markdown}"
    );
}

#[test]
fn published_scores_by_task_have_differences() {
    let mut sweep = Sweep::new();
    for (seed, average) in [(1, 70.0), (2, 72.0)] {
        sweep.cell("simcse", Some("100%"), Some(seed), &around(average));
    }
    with_sentences(&sweep, "simcse", "100%", 600_000);
    let options = TableOptions { baseline: None, against: Some(Against::Table(1)) };
    let markdown = sweep.tables(&options, "tables.md");
    let row = |start| line(&markdown, "Against published scores by task", start);
    assert_eq!(row("| method"), "| method | scores | SICK-R | STS-B | Avg. |");
    assert_eq!(row("| simcse"), "| simcse | Table 1 | 70.93 | 77.93 | 76.15 |");
    assert_eq!(row("|  |"), "|  | this sweep | 72.00±1.41 | 70.00±1.41 | 71.00±1.41 |");
    assert_eq!(row("|   difference"), "|   difference |  | +1.07 | -7.93 | -5.15 |");
    // Only the requested table is compared, though Table 2 has the method too.
    assert!(!markdown.contains("| simcse | 2 |"), "{markdown}");
    let table_2 =
        sweep.tables(&TableOptions { baseline: None, against: Some(Against::Table(2)) }, "tables.md");
    // The size has the name of the paper's, though not its number of sentences.
    assert!(
        line(&table_2, "Against published scores", "| simcse | 2 | BERT-base, Wikipedia, 1000000 |")
            .contains(
                "| 76.15 | 100% | 71.00±1.41 | -5.15 | encoder, sentences (600000 instead of 1000000) |"
            ),
        "{table_2}"
    );
    assert!(!table_2.contains("by task: Spearman"), "Table 2 has averages only: {table_2}");
}

#[test]
fn other_encoders_and_corpora_are_marked() {
    let mut sweep = Sweep::new();
    for seed in [1, 2] {
        let more = f64::from(seed as u32);
        sweep.cell("simcse", Some("10%"), Some(seed), &around(60.0 + more));
        sweep.cell("scd", Some("10%"), Some(seed), &around(61.0 + 2.0 * more));
        sweep.grid.cells.last_mut().unwrap().corpus = Some("NLI".into());
        sweep.cell("vascl", Some("10%"), Some(seed), &around(63.0 + 3.0 * more));
        sweep.grid.cells.last_mut().unwrap().encoder = Some("roberta-base".into());
    }
    let markdown = sweep.tables(&TableOptions::default(), "tables.md");
    let title = "Methods by training-set size";
    // The files have one name, so the sweep's name of the method's own corpus tells them apart.
    assert_eq!(line(&markdown, title, "| method"), "| method | 10% | encoder | corpus |");
    assert!(line(&markdown, title, "| vascl").ends_with("| roberta-base | wiki_1.txt |"), "{markdown}");
    assert!(line(&markdown, title, "| simcse").ends_with("| small | wiki_1.txt |"));
    assert!(line(&markdown, title, "| scd").ends_with("| small | NLI |"));
    assert!(line(&markdown, title, "- \\*").ends_with("some rows also have a different encoder or corpus"));
    let row = |start| line(&markdown, "Against simcse, trained on 10%", start);
    assert!(row("| method").ends_with("| differs in |"), "{markdown}");
    assert!(row("| scd").ends_with("| corpus |") && row("| vascl").ends_with("| encoder |"), "{markdown}");
    assert!(row("- differs in").contains("not the method's alone"));
    assert!(sweep.read("comparisons.csv").contains(",encoder\n"));
}

#[test]
fn the_effect_of_ami_is_marked_where_more_differs() {
    let mut sweep = Sweep::new();
    for seed in [1, 2] {
        sweep.cell("simcse", Some("10%"), Some(seed), &around(60.0));
        sweep.cell("ami-simcse", Some("10%"), Some(seed), &around(64.0));
        sweep.grid.cells.last_mut().unwrap().encoder = Some("roberta-base".into());
    }
    let markdown = sweep.tables(&TableOptions::default(), "tables.md");
    assert!(
        line(&markdown, "What AMI adds", "- ami-simcse also differs").contains("from simcse in encoder, so")
    );
}

/// An axis that only AMI has does not apply to the method without it.
#[test]
fn points_of_an_axis_are_compared_like_the_method() {
    let mut sweep = Sweep::new();
    for seed in [1, 2] {
        sweep.cell("simcse-baseline", Some("10%"), Some(seed), &around(60.0));
        sweep.cell("ami-simcse ami.weight=0.1", Some("10%"), Some(seed), &around(64.0));
        sweep.cell("ami-simcse ami.weight=1", Some("10%"), Some(seed), &around(61.0));
    }
    let markdown = sweep.tables(&TableOptions::default(), "tables.md");
    let table = &markdown[markdown.find("What AMI adds").unwrap()..];
    assert!(
        table.contains("| ami-simcse ami.weight=0.1 | 64.00±0.00 |\n|   difference | +4.00 |"),
        "{table}"
    );
    assert!(table.contains("| ami-simcse ami.weight=1 | 61.00±0.00 |\n|   difference | +1.00 |"), "{table}");
}

/// Values of two recipes that differ in more than AMI are beside their difference.
#[test]
fn the_effect_of_ami_names_the_other_values_that_differ() {
    const AMI: &str = "[[recipe.objectives]]\nkind = \"ami\"\nweight = 1.0\n";
    let recipe = |steps: usize, dropout: f64, lr: f64, rest: &str| {
        format!(
            "[recipe]\nname = \"any\"\nsteps = {steps}\n[recipe.published]\ntext = \"{dropout}\"\n[[recipe.views]]\n\
             dropout = {dropout}\n[[recipe.objectives]]\nkind = \"infonce\"\ntemperature = 0.05\n{rest}\
             [recipe.optimizer]\nlr = {lr:?}\n"
        )
    };
    let mut sweep = Sweep::new();
    for (method, text) in [
        ("ct", recipe(150, 0.0, 3e-5, "")),
        ("simcse", recipe(100, 0.1, 3e-5, "")),
        ("simcse-baseline", recipe(150, 0.1, 3e-5, "")),
        ("ami-ct", recipe(150, 0.1, 3e-4, AMI)),
        ("ami-simcse", recipe(150, 0.1, 3e-5, AMI)),
    ] {
        let folder = sweep.cell(method, Some("10%"), Some(1), &around(60.0));
        std::fs::write(folder.join("run.toml"), text).unwrap();
    }
    let markdown = sweep.tables(&TableOptions::default(), "tables.md");
    let row = |start| line(&markdown, "What AMI adds", start);
    assert_eq!(
        row("- ami-ct"),
        "- ami-ct also differs from ct in optimizer.lr (3e-4, not 3e-5), views.0.dropout (0.1, not 0), so their \
         difference is not that of AMI alone"
    );
    // The recipe that differs in AMI alone is the one to compare with.
    let table = &markdown[markdown.find("What AMI adds").unwrap()..];
    let table = &table[..table.find("\n**").unwrap_or(table.len())];
    assert!(table.contains("| simcse-baseline | 60.00 |\n| ami-simcse | 60.00 |"), "{table}");
    assert!(!table.contains("| simcse |") && !table.contains("- ami-simcse"), "{table}");
}

#[test]
fn remarks_are_below_the_tables() {
    let mut sweep = Sweep::new();
    sweep.cell("simcse", Some("10%"), Some(1), &around(60.0));
    sweep.grid.remarks = vec!["scd: trained on other sentences".into()];
    let text = sweep.tables(&TableOptions::default(), "tables.txt");
    assert!(text.ends_with("x_y=10%\n\nscd: trained on other sentences\n"), "{text}");
    assert!(sweep.read("tables.tex").contains("% scd: trained"), "{text}");
}
