//! Figures that compare two models: what is drawn where, the files, and which cells of a sweep are compared.

mod compared;
#[allow(dead_code, reason = "other tests use the rest")]
mod made_up;

use std::path::Path;

use compared::figures;
use made_up::{grid, trained, untrained, write};
use micse_figures::Figure;
use micse_report::{ComparedCell, write_figures, write_report, write_report_with};
use roxmltree::{Document, Node, ParsingOptions};

const NAMES: [&str; 2] =
    ["simcse", "<micse> with a name that is far too long for the half of a picture it has"];

fn attribute(node: Node<'_, '_>, name: &str) -> f64 {
    node.attribute(name).expect(name).parse().expect("a number")
}

/// The value at a place, read off two tick labels. `axis` is `x` or `y`; labels have this anchor.
fn value_at(document: &Document<'_>, axis: &str, anchor: &str, shift: f64, place: f64) -> f64 {
    let number = |node: &Node<'_, '_>| node.text()?.replace('\u{2212}', "-").parse::<f64>().ok();
    let labels: Vec<(f64, f64)> = document
        .descendants()
        .filter(|n| n.attribute("class") == Some("tick") && n.attribute("text-anchor") == Some(anchor))
        .filter_map(|n| Some((attribute(n, axis) - shift, number(&n)?)))
        .collect();
    let ((p, v), (q, w)) = (labels[0], labels[1]);
    v + (place - p) / (q - p) * (w - v)
}

fn written() -> (tempfile::TempDir, Vec<Figure>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let figures = figures(NAMES, 30);
    let page = write_figures(folder.path(), NAMES, &figures, &["seed 48".into()]).expect("a page");
    assert_eq!(page.pictures.len(), 4);
    let text = std::fs::read_to_string(page.page).expect("the page");
    (folder, figures, text)
}

fn picture(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join("figures").join(name).with_extension("svg")).expect("a picture")
}

#[test]
fn points_and_centroids_are_where_their_numbers_are() {
    let (folder, figures, page) = written();
    let Figure::Grouped(pairs) = &figures[0] else { panic!("not the pairs") };
    let svg = picture(folder.path(), "pairs");
    let document = Document::parse(&svg).expect("XML");
    let circles = |class: &str| -> Vec<Node<'_, '_>> {
        document.descendants().filter(|n| n.attribute("class") == Some(class)).collect()
    };
    let dots = circles("dot");
    assert_eq!(dots.len(), 2 * 60, "one dot per pair and model");
    // The second group is drawn first; tick labels of the first panel come first.
    let point = |node: Node<'_, '_>| {
        let x = value_at(&document, "x", "middle", 0.0, attribute(node, "cx"));
        let y = value_at(&document, "y", "end", 3.8, attribute(node, "cy"));
        (x, y)
    };
    let close = |(x, y): (f64, f64), [u, v]: [f64; 2]| {
        assert!((x - u).abs() < 0.002 && (y - v).abs() < 0.002, "({x}, {y}) is not ({u}, {v})");
    };
    let first = pairs.panels[0].similarities[1][0];
    close(point(dots[0]), [first.mutual_information, first.cosine]);
    let centres = circles("centre");
    assert_eq!(centres.len(), 4 + 2, "two centroids per model, and the legend");
    let separation = &pairs.panels[0].separation;
    close(point(centres[0]), separation.centroids[1]);
    close(point(centres[1]), separation.centroids[0]);
    let distance = format!("{:.3} ({:.3} to", separation.distance.value, separation.distance.interval.low);
    assert!(svg.contains(&distance) && page.contains(&distance), "{distance}");
    assert!(page.contains("30 made-up pairs."));
    // Of trees, points are relative to the centroid of the other group.
    let svg = picture(folder.path(), "trees");
    let document = Document::parse(&svg).expect("XML");
    let Figure::Grouped(trees) = &figures[1] else { panic!("not the trees") };
    let centre = document.descendants().filter(|n| n.attribute("class") == Some("centre")).nth(1);
    let x = value_at(&document, "x", "middle", 0.0, attribute(centre.expect("a centroid"), "cx"));
    let expected = trees.panels[0].separation.parts[0].value;
    assert!((x - expected).abs() < 0.003, "{x} is not {expected}");
}

#[test]
fn human_scores_have_colours_and_a_correlation() {
    let (folder, _, page) = written();
    let svg = picture(folder.path(), "human-scores");
    assert!(svg.contains("Spearman's ρ × 100: 100.00") || svg.contains("Spearman&#39;s ρ × 100: 100.00"));
    assert!(page.contains("not defined, all values are equal"), "the constant model has no correlation");
    let document = Document::parse(&svg).expect("XML");
    let dots = |colour: &str| {
        let groups = document.descendants().filter(|n| n.attribute("class") == Some(colour));
        groups.flat_map(|g| g.children()).filter(|n| n.attribute("class") == Some("dot")).count()
    };
    // 0, 0.5, ..., 5 rounded (halves away from zero), in two panels.
    assert_eq!(["s0", "s1", "s2", "s3", "s4", "s5"].map(dots), [2, 4, 4, 4, 4, 4]);
}

#[test]
fn every_bin_that_is_not_empty_is_a_square() {
    let (folder, _, page) = written();
    let svg = picture(folder.path(), "attention");
    let squares: usize = svg
        .split("class=\"heat heat")
        .skip(1)
        .map(|path| path.split('"').nth(2).expect("a path").matches('M').count())
        .sum();
    assert_eq!(squares, (12 + 8) * 24, "24 bins in each of 12 and 8 slices");
    assert_eq!(svg.matches("ρ \u{2212}0.125").count(), 20 + 20, "in each slice, and in the description");
    assert!(svg.contains("layers 9–12") && svg.contains("heads 10–12"));
    assert!(page.contains("Bread &lt;rises&gt;."));
}

#[test]
fn numbers_stand_next_to_the_pictures() {
    let (folder, figures, page) = written();
    for figure in &figures {
        let name = figure.name();
        let file = folder.path().join("figures").join(name).with_extension("csv");
        assert!(std::fs::read(file).expect("numbers") == figure.csv().expect("a table"), "{name}");
        assert!(page.contains(&format!("href=\"figures/{name}.csv\"")), "{name}");
    }
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(&page, options).expect("well-formed");
    assert!(page.contains("<th>&lt;micse&gt; with a name"));
    // Numbers of pictures that a later page does not have go with them.
    write_figures(folder.path(), NAMES, &figures[..1], &[]).expect("a page");
    assert!(folder.path().join("figures/pairs.csv").is_file());
    assert!(!folder.path().join("figures/trees.csv").exists());
}

/// Writes the sweep with a model in each of these cells, and returns the compared cells, if any, with the page.
fn compared(cells: &[made_up::Cell], kept: &[usize]) -> (Vec<String>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), cells);
    for cell in kept {
        let model = folder.path().join(format!("cells/cell-{cell}/model"));
        std::fs::create_dir_all(&model).expect("a folder");
        std::fs::write(model.join("model.safetensors"), "weights").expect("a file");
    }
    let mut found = Vec::new();
    let mut compare = |cells: &[ComparedCell; 2]| {
        found.extend(cells.each_ref().map(|cell| {
            let folder = cell.run.path().file_name().expect("a name").to_string_lossy();
            format!("{} {folder}", cell.method)
        }));
        Ok(figures(cells.each_ref().map(|cell| cell.method.as_str()), 3))
    };
    let report = write_report_with(folder.path(), None, &mut compare).expect("a report");
    (found, std::fs::read_to_string(report.page).expect("the page"))
}

#[test]
fn simcse_and_micse_are_compared_at_their_largest_common_size() {
    // Cell 0 is untrained; then, per seed, three sizes of each method.
    let cells = grid(&["simcse", "micse", "ct"], |_, _, seed| seed as f64);
    let (found, page) = compared(&cells, &(0..cells.len()).collect::<Vec<_>>());
    assert_eq!(found, ["simcse cell-3", "micse cell-6"], "10,000 sentences, seed 48");
    assert!(page.contains("Two models compared"));
    assert!(page.contains("simcse (10,000 sentences, seed 48) and micse (10,000 sentences, seed 48)"));
    // Of micse, only the model of 1,000 sentences and seed 49 was kept: the same cell of simcse is compared.
    let (found, _) = compared(&cells, &[1, 2, 3, 11, 14]);
    assert_eq!(found, ["simcse cell-11", "micse cell-14"]);
    // Without a common seed, each method's lowest.
    let (found, _) = compared(&cells, &[2, 14]);
    assert_eq!(found, ["simcse cell-2", "micse cell-14"]);
    // The lowest seed, whichever the sweep ran first.
    let cells: Vec<_> = [52, 48]
        .into_iter()
        .flat_map(|seed| ["simcse", "micse"].map(|method| trained(method, "100", 100, seed, 50.0)))
        .collect();
    let (found, _) = compared(&cells, &[0, 1, 2, 3]);
    assert_eq!(found, ["simcse cell-2", "micse cell-3"], "seed 48");
}

#[test]
fn else_the_baseline_and_the_best_or_the_two_best() {
    let score = |method: &str, _, _| match method {
        "scd" => 48.0,
        "ct" => 51.0,
        _ => 50.0,
    };
    let cells = grid(&["simcse", "scd", "ct"], score);
    let (found, _) = compared(&cells, &(0..cells.len()).collect::<Vec<_>>());
    assert_eq!(found, ["simcse cell-3", "ct cell-9"], "the baseline, and the best");
    // simcse kept nothing.
    let (found, _) = compared(&cells, &[4, 5, 6, 7, 8, 9]);
    assert_eq!(found, ["scd cell-6", "ct cell-9"], "the better one second");
    // A collapsed method is not the best.
    let score = |method: &str, size, seed| if method == "ct" { f64::NAN } else { score(method, size, seed) };
    let cells = grid(&["simcse", "scd", "ct"], score);
    let (found, _) = compared(&cells, &(0..cells.len()).collect::<Vec<_>>());
    assert_eq!(found, ["simcse cell-3", "scd cell-6"]);
}

#[test]
fn figures_do_not_replace_those_of_a_sweep() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &[trained("simcse", "100", 100, 48, 50.0)]);
    let error =
        write_figures(folder.path(), NAMES, &figures(NAMES, 3), &[]).expect_err("a sweep").to_string();
    assert!(error.contains("sweep.json") && error.contains("--out"), "{error}");
    assert!(!folder.path().join("figures.html").exists() && !folder.path().join("figures").exists());
}

#[test]
fn what_is_missing_has_a_remedy() {
    let cells = [untrained("untrained (cls)", 40.0), trained("simcse", "100", 100, 48, 50.0)];
    let (found, page) = compared(&cells, &[0, 1]);
    assert!(found.is_empty(), "one trained method is not two");
    for words in
        ["needs the models of two methods", "--keep-models best", "needs results of two trained methods"]
    {
        assert!(page.contains(words), "{words}");
    }
    assert!(!page.contains("Two models compared"));
    // Without a way to compute figures, nothing is said of models.
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &cells);
    let page = write_report(folder.path(), None).expect("a report").page;
    assert!(!std::fs::read_to_string(page).expect("the page").contains("--keep-models"));
}

#[test]
fn what_cannot_be_compared_fails_the_report() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &grid(&["simcse", "micse"], |_, _, seed| seed as f64));
    for cell in 1..13 {
        let model = folder.path().join(format!("cells/cell-{cell}/model"));
        std::fs::create_dir_all(&model).expect("a folder");
        std::fs::write(model.join("model.safetensors"), "weights").expect("a file");
    }
    let mut compare = |_: &[ComparedCell; 2]| Err("the weights are damaged".into());
    let error = write_report_with(folder.path(), None, &mut compare).expect_err("no figures").to_string();
    assert!(error.contains("the weights are damaged"), "{error}");
}
