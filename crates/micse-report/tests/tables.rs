//! Checks the tables of made-up sweeps with known numbers.

mod common;
mod known;

use common::Sweep;
use known::{around, line, sweep};
use micse_report::{Against, Comparisons, Error, Results, TableOptions, Tables};

#[test]
fn means_stars_and_holes() {
    let markdown = sweep().tables(&TableOptions::default(), "tables.md");
    let title =
        "Methods by training-set size: Spearman x 100, average of 2 tasks, mean±std over 1 to 3 seeds";
    let row = |start| line(&markdown, title, start);
    assert_eq!(row("| method"), "| method | 10% | 100% |");
    assert_eq!(row("| simcse"), "| simcse | 61.00±1.00 | 70.00 |");
    // std([63, 64.1, 64.9], ddof=1) = 0.954
    assert_eq!(row("| micse"), "| micse | 64.00±0.95\\* | - |");
    assert_eq!(row("| untrained"), "| untrained (cls) | 50.00\\* | 50.00 |");
    // Too much noise, no common seed, one common seed.
    assert_eq!(row("| scd"), "| scd | 61.83±1.89 | - |");
    assert_eq!(row("| ct"), "| ct | 58.00 | - |");
    assert_eq!(row("| mocose"), "| mocose | 66.00 | - |");
    assert!(row("- \\*: differs from simcse").contains("Holm"), "{markdown}");
    assert_eq!(row("- corpus"), "- corpus (all trained methods): wiki_1.txt");
    assert_eq!(row("- selected on"), "- selected on (all trained methods): last step");

    let title = "Methods by task, trained on 10%";
    let row = |start| line(&markdown, title, start);
    assert_eq!(row("| method"), "| method | SICK-R | STS-B | Avg. | cost |");
    assert_eq!(row("| micse"), "| micse | 65.00±0.95 | 63.00±0.95 | 64.00±0.95\\* | 1.5 |");
    assert_eq!(row("| untrained"), "| untrained (cls) | 51.00 | 49.00 | 50.00\\* | - |");
    assert!(row("- cost").contains("differs between machines"));
}

/// ```python
/// scipy.stats.ttest_rel([63, 64.1, 64.9], [60, 61, 62])          # p 0.000370165, [2.751586, 3.248414]
/// scipy.stats.ttest_1samp([50 - 60, 50 - 61, 50 - 62], 0)        # p 0.002743489, [-13.484138, -8.515862]
/// scipy.stats.ttest_rel([60.5, 61, 64], [60, 61, 62])            # p 0.299859958, [-1.752239, 3.418906]
/// statsmodels.stats.multitest.multipletests([0.002743489, 0.000370165, 0.299859958], method="holm")
/// # [0.005486979, 0.001110494, 0.299859958]
/// ```
#[test]
fn comparisons_are_those_of_scipy() {
    let comparisons = Comparisons::new(&sweep().results(), None).unwrap().unwrap();
    assert_eq!(comparisons.baseline, "simcse");
    let close =
        |found: f64, expected: f64| assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
    for (method, difference, interval, p, holm) in [
        ("untrained (cls)", -11.0, (-13.484_138, -8.515_862), 0.002_743_489, 0.005_486_979),
        ("micse", 3.0, (2.751_586, 3.248_414), 0.000_370_165, 0.001_110_494),
        ("scd", 0.833_333, (-1.752_239, 3.418_906), 0.299_859_958, 0.299_859_958),
    ] {
        // Each task differs from the average by a constant, so its differences are the same.
        for task in ["Avg.", "STSBenchmark"] {
            let found = comparisons.get(method, "10%", task).unwrap();
            close(found.difference, difference);
            close(found.interval.unwrap().low, interval.0);
            close(found.interval.unwrap().high, interval.1);
            close(found.p.unwrap(), p);
            close(found.p_holm.unwrap(), holm);
            assert_eq!((found.n, found.pairs), (3, None));
        }
    }
    let single = comparisons.get("mocose", "10%", "Avg.").unwrap();
    assert_eq!((single.n, single.interval, single.p_holm, single.is_significant()), (1, None, None, false));
    close(single.difference, 5.0);
    assert_eq!(comparisons.get("ct", "10%", "Avg."), None);
    assert_eq!(comparisons.get("simcse", "10%", "Avg."), None);
    // At the other size the baseline has one seed.
    assert_eq!(comparisons.get("untrained (cls)", "100%", "Avg.").unwrap().p, None);
    let all = ["untrained (cls)", "simcse", "micse", "scd", "ct", "mocose"];
    assert_eq!(comparisons.without_cosines, all);
}

#[test]
fn the_sheet_against_the_baseline_says_what_it_shows() {
    let sweep = sweep();
    let markdown = sweep.tables(&TableOptions::default(), "tables.md");
    let row = |start| line(&markdown, "Against simcse, trained on 10%", start);
    assert_eq!(row("| method"), "| method | Avg. | 95 % interval | p | Holm's p | n | SICK-R | STS-B |");
    assert_eq!(row("| micse"), "| micse | +3.00\\* | [+2.75, +3.25] | <0.001 | 0.001 | 3 | +3.00 | +3.00 |");
    assert_eq!(row("| mocose"), "| mocose | +5.00 | - | - | - | 1 | +5.00 | +5.00 |");
    assert!(!markdown.contains("| ct | -8") && !markdown.contains("| simcse | +0.00"), "{markdown}");
    assert!(row("- no †").contains("stored no cosines (every method)"), "{markdown}");

    let csv = sweep.read("comparisons.csv");
    let mut lines = csv.lines();
    assert_eq!(
        lines.next(),
        Some(
            "baseline,method,size,task,difference,n,low,high,p,p_holm,pairs_low,pairs_high,pairs_p,resamples,differs_in"
        )
    );
    let micse = lines.find(|line| line.starts_with("simcse,micse,10%,Avg.,")).unwrap();
    assert!(micse.ends_with(",,,,,"), "the average must have no bootstrap: {micse}");
    for name in ["results", "summary", "comparisons"] {
        assert!(sweep.folder.path().join(format!("{name}.parquet")).is_file(), "{name}");
    }
    let summary = sweep.read("summary.csv");
    assert!(summary.starts_with("method,size,task,mean,std,n,min,max\n"), "{summary}");
    assert!(summary.contains("\nsimcse,10%,Avg.,61.0,1.0,3,60.0,62.0\n"), "{summary}");
}

/// If the baseline itself is at points of an axis, each method is compared with the row at the same point. The values are
/// those of scipy: `ttest_rel([58, 60.5, 61], [57, 58, 60])` has p 0.095465966 and the interval [-0.651326, 3.651326];
/// the other pair is that of the test above.
#[test]
fn methods_at_points_of_an_axis_are_compared_with_the_baseline_at_the_same_point() {
    let mut sweep = Sweep::new();
    sweep.cell("untrained (cls)", None, None, &around(50.0));
    for (row, scores) in [
        ("simcse steps=400", [60.0, 61.0, 62.0]),
        ("simcse steps=2000", [57.0, 58.0, 60.0]),
        ("micse steps=400", [63.0, 64.1, 64.9]),
        ("micse steps=2000", [58.0, 60.5, 61.0]),
        ("scd", [60.0, 61.0, 62.0]),
    ] {
        for (seed, score) in [1, 2, 3].into_iter().zip(scores) {
            sweep.cell(row, Some("10%"), Some(seed), &around(score));
        }
    }
    let comparisons = Comparisons::new(&sweep.results(), None).unwrap().unwrap();
    assert_eq!(comparisons.baseline, "simcse");
    let close =
        |found: f64, expected: f64| assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
    for (steps, difference, interval, p, holm) in [
        (400, 3.0, (2.751_586, 3.248_414), 0.000_370_165, 0.000_740_329),
        (2000, 1.5, (-0.651_326, 3.651_326), 0.095_465_966, 0.095_465_966),
    ] {
        let found = comparisons.get(&format!("micse steps={steps}"), "10%", "Avg.").unwrap();
        assert_eq!(found.baseline, format!("simcse steps={steps}"));
        close(found.difference, difference);
        close(found.interval.unwrap().low, interval.0);
        close(found.interval.unwrap().high, interval.1);
        close(found.p.unwrap(), p);
        close(found.p_holm.unwrap(), holm);
    }
    // Without a row at the same values, or the baseline itself.
    for row in ["untrained (cls)", "scd", "simcse steps=400", "simcse steps=2000"] {
        assert_eq!(comparisons.get(row, "10%", "Avg."), None, "{row}");
    }

    let markdown = sweep.tables(&TableOptions::default(), "tables.md");
    let title = "Against simcse, trained on 10%";
    assert!(
        line(&markdown, title, "| micse steps=2000")
            .starts_with("| micse steps=2000 | +1.50 | [-0.65, +3.65]")
    );
    assert!(
        line(&markdown, title, "- mean").contains("(method minus simcse with the same values on the axes)")
    );
    let title = "Methods by task, trained on 10%";
    assert!(line(&markdown, title, "| micse steps=400").contains("| 64.00±0.95\\* | 1.0 |"), "{markdown}");
    assert!(line(&markdown, title, "| scd").ends_with("| - |"));
    let csv = sweep.read("comparisons.csv");
    assert!(
        csv.lines().any(|line| line.starts_with("simcse steps=2000,micse steps=2000,10%,Avg.,1.5")),
        "{csv}"
    );

    // A row can be named; then it is every method's.
    let named = Comparisons::new(&sweep.results(), Some("simcse steps=400")).unwrap().unwrap();
    close(named.get("micse steps=2000", "10%", "Avg.").unwrap().difference, 59.833_333 - 61.0);
    assert!(named.get("scd", "10%", "Avg.").is_some());
    let method = Comparisons::new(&sweep.results(), Some("micse")).unwrap().unwrap();
    close(method.get("simcse steps=2000", "10%", "Avg.").unwrap().difference, -1.5);
    assert!(Comparisons::check_baseline(&sweep.grid, "micse").is_ok());
    assert!(Comparisons::check_baseline(&sweep.grid, "mics").is_err());
}

#[test]
fn the_text_has_numbers_point_under_point() {
    let text = sweep().tables(&TableOptions::default(), "tables.txt");
    let place = |start| {
        let line = line(&text, "Methods by training-set size", start);
        line.chars().position(|c| c == '.').unwrap()
    };
    assert_eq!(place(" simcse"), place(" micse"), "{text}");
}

#[test]
fn the_baseline_is_chosen_by_name_or_by_rule() {
    let mut sweep = sweep();
    let of = |sweep: &Sweep, name| Comparisons::new(&sweep.results(), name).unwrap().map(|c| c.baseline);
    assert_eq!(of(&sweep, Some("micse")).as_deref(), Some("micse"));
    let against_micse = Comparisons::new(&sweep.results(), Some("micse")).unwrap().unwrap();
    assert_eq!(against_micse.get("simcse", "10%", "Avg.").unwrap().difference.round(), -3.0);
    let error = Comparisons::new(&sweep.results(), Some("simsce")).unwrap_err();
    assert!(matches!(&error, Error::Baseline { name, .. } if name == "simsce"), "{error}");
    assert!(error.to_string().contains("untrained (cls), simcse, micse"), "{error}");
    assert!(Comparisons::check_baseline(&sweep.grid, "micse").is_ok());
    let early = Comparisons::check_baseline(&sweep.grid, "simsce").unwrap_err();
    assert_eq!(early.to_string(), error.to_string());

    sweep.grid.cells.retain(|cell| cell.method != "simcse");
    assert_eq!(of(&sweep, None).as_deref(), Some("untrained (cls)"));
    sweep.grid.cells.retain(|cell| cell.size.is_some());
    assert_eq!(of(&sweep, None), None);
    assert!(!sweep.tables(&TableOptions::default(), "tables.md").contains("Against"));
    assert_eq!(sweep.read("comparisons.csv").lines().count(), 1);

    // Planned but without a result: the tables report it.
    sweep.planned("simcse", Some("10%"), Some(1));
    assert!(
        sweep.tables(&TableOptions::default(), "tables.md").contains("no method is compared with simcse")
    );
}

#[test]
fn rows_without_training_have_scores_and_are_compared() {
    let mut sweep = Sweep::new();
    sweep.cell("bert-cls", None, None, &around(30.0));
    sweep.cell("bert-last-avg", None, None, &around(50.0));
    let markdown = sweep.tables(&TableOptions::default(), "tables.md");
    let row = |title, start| line(&markdown, title, start);
    let title = "**Methods without training: Spearman x 100, average of 2 tasks**";
    assert_eq!(row(title, "| method"), "| method | score |");
    assert_eq!(row(title, "| bert-last-avg"), "| bert-last-avg | 50.00 |");
    let title = "**Methods by task, without training: Spearman x 100**";
    assert_eq!(row(title, "| method"), "| method | SICK-R | STS-B | Avg. |");
    assert_eq!(row(title, "| bert-cls"), "| bert-cls | 31.00 | 29.00 | 30.00 |");
    let title = "**Against bert-cls, without training**";
    assert_eq!(row(title, "| method"), "| method | Avg. | SICK-R | STS-B |");
    assert_eq!(row(title, "| bert-last-avg"), "| bert-last-avg | +20.00 | +20.00 | +20.00 |");
    assert!(!markdown.contains("seeds") && !markdown.contains("t test"), "{markdown}");
    let csv = sweep.read("comparisons.csv");
    assert!(csv.contains("\nbert-cls,bert-last-avg,,Avg.,20.0,1,,,,,,,,,\n"), "{csv}");

    // A row alone has nothing to be compared with.
    sweep.grid.cells.pop();
    let markdown = sweep.tables(&TableOptions::default(), "tables.md");
    assert!(markdown.contains("| bert-cls | 30.00 |") && !markdown.contains("compared"), "{markdown}");
}

#[test]
fn a_table_of_one_row_has_plain_text() {
    let mut sweep = Sweep::new();
    sweep.cell("bert-cls", None, None, &[("STSBenchmark", 30.0)]);
    sweep.cell("bert-last-avg", None, None, &[("STSBenchmark", 50.0)]);
    sweep.tables(&TableOptions::default(), "tables.md");
    let csv = sweep.read("comparisons.csv");
    assert!(csv.ends_with("\nbert-cls,bert-last-avg,,STSBenchmark,20.0,1,,,,,,,,,\n"), "{csv}");
}

#[test]
fn a_sweep_without_results_has_empty_tables() {
    let mut sweep = Sweep::new();
    sweep.planned("simcse", Some("10%"), Some(1));
    assert!(sweep.tables(&TableOptions::default(), "tables.txt").contains("no result yet"));
}

#[test]
fn a_score_that_is_not_defined_is_no_number() {
    let mut sweep = sweep();
    let folder = sweep.cell("pcl", Some("10%"), Some(1), &around(60.0));
    let text = std::fs::read_to_string(folder.join("result.json")).unwrap();
    std::fs::write(folder.join("result.json"), text.replace("60.0", "null").replace("59.0", "null")).unwrap();
    let markdown = sweep.tables(&TableOptions::default(), "tables.md");
    assert_eq!(line(&markdown, "Methods by training-set size", "| pcl"), "| pcl | undefined | - |");
    assert_eq!(
        line(&markdown, "Against simcse", "| pcl"),
        "| pcl | undefined | - | - | - | 1 | +0.00 | undefined |"
    );
    assert!(!markdown.contains("NaN"), "{markdown}");
}

#[test]
fn a_difference_from_a_score_that_is_not_defined_is_not_either() {
    let mut sweep = Sweep::new();
    for seed in [1, 2] {
        sweep.cell("simcse", Some("10%"), Some(seed), &around(60.0));
        sweep.cell("ami-simcse", Some("10%"), Some(seed), &around(if seed == 1 { 61.0 } else { f64::NAN }));
    }
    sweep.planned("ami-simcse", Some("10%"), Some(3));
    let options = TableOptions { baseline: None, against: Some(Against::Paper) };
    let markdown = sweep.tables(&options, "tables.md");
    let row = |title, start| line(&markdown, title, start);
    assert_eq!(row("What AMI adds", "| ami-simcse"), "| ami-simcse | undefined (n=2) |");
    assert_eq!(row("What AMI adds", "|   difference"), "|   difference | undefined (n=2) |");
    assert_eq!(row("What AMI adds", "| ---"), "| --- | ---: |", "still a column of numbers");
    let published = row("Against published scores", "| ami-simcse");
    assert!(published.contains("| undefined | undefined |"), "{published}");
    assert!(!markdown.contains("NaN"), "{markdown}");
}

/// Checks the structure only, so that LaTeX need not be installed: environments are closed, rows are as long as the
/// header, and text contains no unescaped special characters.
#[test]
fn latex_is_whole() {
    let text = sweep().tables(&TableOptions { baseline: None, against: Some(Against::Paper) }, "tables.tex");
    let count = |part: &str| text.matches(part).count();
    assert!(count("\\begin{table}") >= 5);
    for part in [
        "\\end{table}",
        "\\begin{tabular}",
        "\\end{tabular}",
        "\\caption{",
        "\\toprule",
        "\\midrule",
        "\\bottomrule",
    ] {
        assert_eq!(count("\\begin{table}"), count(part), "{part}");
    }
    assert!(text.contains("$64.00 \\pm 0.95^{*}$") && text.contains("$[+2.75, +3.25]$"), "{text}");
    assert!(text.contains("wiki\\_1.txt") && text.contains("10\\%"), "{text}");
    let mut columns = 0;
    for line in text.lines().filter(|line| !line.starts_with('%')) {
        if let Some(rest) = line.strip_prefix("\\begin{tabular}{") {
            columns = rest.trim_end_matches('}').len();
        }
        if line.ends_with("\\\\") {
            assert_eq!(line.matches(" & ").count() + 1, columns, "{line}");
        }
        assert!(line.is_ascii(), "{line}");
        assert_eq!(line.matches('$').count() % 2, 0, "{line}");
        for sign in ['%', '#', '_'] {
            assert_eq!(line.matches(sign).count(), line.matches(&format!("\\{sign}")).count(), "{line}");
        }
        let depth = line.chars().fold(0, |depth, c| depth + i32::from(c == '{') - i32::from(c == '}'));
        assert_eq!(depth, 0, "{line}");
    }
}

#[test]
fn a_result_that_is_broken_is_named() {
    let mut sweep = sweep();
    let folder = sweep.cell("pcl", Some("10%"), Some(1), &around(60.0));
    std::fs::write(folder.join("result.json"), "{").unwrap();
    let error = Results::collect(sweep.folder.path(), &sweep.grid).err().unwrap();
    assert!(error.to_string().contains("result.json"), "{error}");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let sweep = sweep();
    let occupied = sweep.folder.path().join("occupied");
    std::fs::write(&occupied, "").unwrap();
    let tables = Tables::new(&sweep.results(), &sweep.grid, &TableOptions::default()).unwrap();
    let error = tables.write(&occupied).unwrap_err();
    assert!(error.to_string().contains("occupied"), "{error}");
}

/// Cells with a different encoder, pairs or precision are never averaged.
#[test]
fn cells_of_two_sweeps_are_refused() {
    let described = |encoder: &str, text: &str, cpu: &str| {
        let mut sweep = Sweep::new();
        for (seed, encoder, text, cpu) in [(1, "a", "t", "avx2"), (2, encoder, text, cpu)] {
            let folder = sweep.cell("simcse", Some("10%"), Some(seed), &around(60.0));
            let run = format!(
                "engine = \"packed\"\nencoder_sha256 = \"{encoder}\"\ncpu_features = [\"{cpu}\"]\n[text]\nsha256 = \"{text}\"\n"
            );
            std::fs::write(folder.join("run.toml"), run).unwrap();
        }
        sweep
    };
    assert_eq!(described("a", "t", "avx2").results().processors, 1);
    // Each seed may have its own corpus.
    assert_eq!(described("a", "u", "avx512f").results().processors, 2);
    let sweep = described("b", "t", "avx2");
    let Err(error) = Results::collect(sweep.folder.path(), &sweep.grid) else { panic!("two encoders") };
    let error = error.to_string();
    assert!(error.contains("encoder_sha256 is \"b\" here but \"a\" in simcse 10% seed 1"), "{error}");
}
