//! Checks `report.html` and its pictures for a sweep with known numbers.

mod made_up;

use std::collections::BTreeSet;
use std::path::Path;

use made_up::{Cell, grid, hole, trained, untrained, write};
use micse_report::write_report;
use roxmltree::{Document, Node, ParsingOptions};

/// Writes a sweep and its report; returns the folder and the page.
fn report(cells: &[Cell], baseline: Option<&str>) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), cells);
    let report = write_report(folder.path(), baseline).expect("a report");
    let page = std::fs::read_to_string(report.page).expect("the page");
    (folder, page)
}

fn parse(text: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).expect("well-formed")
}

fn picture(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join("figures").join(format!("{name}.svg"))).expect("a picture")
}

fn attribute(node: Node<'_, '_>, name: &str) -> f64 {
    node.attribute(name).and_then(|v| v.parse().ok()).unwrap_or_else(|| panic!("{name} of {node:?}"))
}

/// The centre of the mark in the group with this title.
fn mark(document: &Document<'_>, title: &str) -> (f64, f64) {
    let title = document.descendants().find(|n| n.has_tag_name("title") && n.text() == Some(title));
    let group = title.and_then(|t| t.parent()).expect("a mark with the title");
    let shape = group.children().rfind(Node::is_element).expect("a shape");
    match shape.tag_name().name() {
        "circle" => (attribute(shape, "cx"), attribute(shape, "cy")),
        "rect" => (
            attribute(shape, "x") + attribute(shape, "width") / 2.0,
            attribute(shape, "y") + attribute(shape, "height") / 2.0,
        ),
        _ => {
            let points = shape.attribute("points").expect("corners").split(' ');
            let points: Vec<(f64, f64)> = points
                .filter_map(|p| p.split_once(','))
                .map(|(x, y)| (x.parse().expect("x"), y.parse().expect("y")))
                .collect();
            let n = points.len() as f64;
            (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n)
        }
    }
}

/// The value of an axis at a position, from two of its ticks. `along` is `x` or `y`, `anchor` the text anchor of its
/// tick labels.
fn value_at(document: &Document<'_>, along: &str, anchor: &str, place: f64) -> f64 {
    let ticks: Vec<(f64, f64)> = document
        .descendants()
        .filter(|n| n.attribute("class") == Some("tick") && n.attribute("text-anchor") == Some(anchor))
        .filter_map(|n| Some((n.text()?.replace('\u{2212}', "-").parse().ok()?, attribute(n, along))))
        .collect();
    let ((a, pa), (b, pb)) = (ticks[0], ticks[1]);
    a + (place - pa) / (pb - pa) * (b - a)
}

/// Tick labels have their baseline this far below the grid line.
const BASELINE: f64 = 3.8;

/// The first list of the page.
fn summary(page: &str) -> &str {
    page.split("<ul>").nth(2).and_then(|rest| rest.split("</ul>").next()).unwrap_or_default()
}

#[test]
fn points_stand_where_their_numbers_are() {
    // simcse: 50 ± 1; micse: 5, 6 and 7 more.
    let score = |method: &str, size: usize, seed: u64| {
        let more = if method == "micse" { 3.0 + (size as f64).log10() } else { 0.0 };
        50.0 + more + if seed == 48 { -1.0 } else { 1.0 }
    };
    let (folder, page) = report(&grid(&["simcse", "micse"], score), None);
    let svg = picture(folder.path(), "scores");
    let document = parse(&svg);
    let std = 2f64.sqrt();
    let mut places = Vec::new();
    for (method, size, mean) in
        [("simcse", 100, 50.0), ("micse", 100, 55.0), ("micse", 1000, 56.0), ("micse", 10_000, 57.0)]
    {
        let (x, y) = mark(&document, &format!("{method}, {size}: {mean:.2} ± {std:.2} (2 runs)"));
        let found = value_at(&document, "y", "end", y + BASELINE);
        assert!((found - mean).abs() < 0.01, "{method} at {size} is drawn at {found}, not {mean}");
        places.push(x);
    }
    // The axis is logarithmic.
    assert!((places[2] - places[1] - (places[3] - places[2])).abs() < 0.02, "{places:?}");
    assert_eq!(places[0], places[1]);
    // One band per method, and one dashed level.
    assert_eq!(svg.matches("class=\"band\"").count(), 2);
    let level = document.descendants().find(|n| n.attribute("class") == Some("level")).expect("a level");
    let found = value_at(&document, "y", "end", attribute(level, "y1") + BASELINE);
    assert!((found - 40.0).abs() < 0.01, "the untrained row is drawn at {found}");

    // All seeds have the same difference, and the summary states these numbers.
    for words in [
        "With 100 sentences, micse is best at 55.00 ± 1.41 (mean ± standard deviation over 2 seeds), 5.00 points above \
         simcse (the same for each of 2 seeds: no interval).",
        "With 10,000 sentences, micse is best at 57.00",
    ] {
        assert!(page.contains(words), "not in the summary: {words}\n{}", summary(&page));
    }
}

#[test]
fn components_at_points_of_an_axis_have_bars() {
    let mut cells = Vec::new();
    for seed in [48, 49] {
        cells.push(trained("simcse-baseline", "10%", 100, seed, 50.0));
        cells.push(trained("ami-simcse ami.weight=0.1", "10%", 100, seed, 51.5));
        cells.push(trained("ami-simcse ami.weight=1", "10%", 100, seed, 49.0));
    }
    let (folder, _) = report(&cells, None);
    let svg = picture(folder.path(), "components");
    for bar in ["ami-simcse ami.weight=0.1, 10%: +1.50", "ami-simcse ami.weight=1, 10%: -1.00"] {
        assert!(svg.replace('\u{2212}', "-").contains(bar), "no bar for {bar}: {svg}");
    }
}

#[test]
fn a_baseline_at_points_of_an_axis_is_told_with_its_point() {
    let mut cells = Vec::new();
    for seed in [48, 49] {
        for (row, score) in [
            ("simcse steps=400", 50.0),
            ("simcse steps=2000", 48.0),
            ("micse steps=400", 51.5),
            ("micse steps=2000", 53.0),
        ] {
            cells.push(trained(row, "10%", 100, seed, score));
        }
    }
    let (folder, page) = report(&cells, None);
    for words in [
        "micse steps=2000 is best at 53.00 ± 0.00 (mean ± standard deviation over 2 seeds), 5.00 points above simcse \
         steps=2000 (the same for each of 2 seeds: no interval).",
        "Of 2 other trained methods, 2 are above simcse with the same values on the axes.",
        "Against simcse, trained on 10%",
    ] {
        assert!(page.contains(words), "not in the page: {words}\n{}", summary(&page));
    }
    let svg = picture(folder.path(), "components");
    assert!(svg.contains("micse steps=400, 10%: +1.50"), "{svg}");
}

/// Means over the steps that all seeds have; undefined scores interrupt a line.
#[test]
fn development_scores_are_drawn_over_steps() {
    let mut cells = vec![untrained("untrained (cls)", 40.0)];
    for seed in [48, 49] {
        cells.push(trained("simcse", "10%", 100, seed, 50.0));
        cells.push(trained("micse", "10%", 100, seed, 51.0));
    }
    let (folder, page) = report(&cells, None);
    assert!(page.contains("Development scores over steps: needs runs"), "the report must say what it lacks");
    assert!(!folder.path().join("figures/development.svg").exists());

    let scores: [&[(usize, &str)]; 4] = [
        &[(10, "60.0"), (20, "64.0"), (30, "62.0")],
        &[(10, "61.0"), (20, "66.0"), (30, "67.0")],
        &[(10, "62.0"), (20, "65.0"), (30, "60.0")],
        &[(10, "null"), (20, "67.0"), (30, "69.0"), (40, "90.0")],
    ];
    for (cell, scores) in scores.iter().enumerate() {
        let line = |(step, score): &(usize, &str)| {
            format!(
                "{{\"step\":{step},\"loss\":1.0,\"terms\":{{\"infonce\":1.0}},\"learning_rate\":1e-4,\
                 \"gradient_norm\":1.0,\"development_spearman\":{score}}}\n"
            )
        };
        let path = folder.path().join(format!("cells/cell-{}/metrics.jsonl", cell + 1));
        std::fs::write(path, scores.iter().map(line).collect::<String>()).expect("a file");
    }
    let page = write_report(folder.path(), None).expect("a report").page;
    let page = std::fs::read_to_string(page).expect("the page");
    assert!(page.contains("while training, with 10% (100 sentences). Lines are means over seeds"));
    let svg = picture(folder.path(), "development");
    let document = parse(&svg);
    for words in [
        "simcse: best 64.50 at step 20, last 61.00 at step 30.",
        "micse: best 68.00 at step 30, last 68.00 at step 30.",
    ] {
        assert!(svg.contains(words), "{words} is not in {svg}");
    }
    let (x, y) = mark(&document, "simcse, best at step 20: 64.50");
    assert!((value_at(&document, "x", "middle", x) - 20.0).abs() < 0.1);
    assert!((value_at(&document, "y", "end", y + BASELINE) - 64.5).abs() < 0.05);
    // The mean of micse has no value at step 10, nor at step 40, which one seed lacks.
    let lines: Vec<usize> = document
        .descendants()
        .filter(|n| n.attribute("class").is_some_and(|class| class.trim() == "line"))
        .map(|n| n.attribute("points").expect("points").split(' ').count())
        .collect();
    assert_eq!(lines, [3, 2]);
}

#[test]
fn bars_are_differences_with_their_intervals() {
    // Differences of 1, 2 and 3 have mean 2; scipy.stats.ttest_1samp([1, 2, 3], 0).confidence_interval() gives
    // -0.484 to 4.484.
    let mut cells = Vec::new();
    for (seed, difference) in [(48, 1.0), (49, 2.0), (50, 3.0)] {
        cells.push(trained("simcse", "10%", 100, seed, 50.0 + seed as f64));
        cells.push(trained("micse", "10%", 100, seed, 50.0 + seed as f64 + difference));
    }
    let (folder, page) = report(&cells, None);
    let svg = picture(folder.path(), "components");
    let document = parse(&svg);
    let title = "micse, 10%: +2.00, 95 % interval -0.48 to +4.48";
    let title = document.descendants().find(|n| n.text() == Some(title)).expect("a bar");
    let group = title.parent().expect("a group");
    let parts = |class: &str| -> Vec<Node<'_, '_>> {
        group.children().filter(|n| n.attribute("class") == Some(class)).collect()
    };
    let value = |place: f64| value_at(&document, "y", "end", place + BASELINE);
    let bar = parts("bar")[0];
    let (top, bottom) = (attribute(bar, "y"), attribute(bar, "y") + attribute(bar, "height"));
    assert!(
        (value(top) - 2.0).abs() < 0.02 && value(bottom).abs() < 0.02,
        "{} {}",
        value(top),
        value(bottom)
    );
    let whisker = parts("interval")[0];
    let ends = (value(attribute(whisker, "y1")), value(attribute(whisker, "y2")));
    assert!((ends.0 + 0.484).abs() < 0.02 && (ends.1 - 4.484).abs() < 0.02, "{ends:?}");
    assert!(page.contains(
        "2.00 points above simcse (95 % interval \u{2212}0.48 to 4.48, which includes 0: it may be chance)"
    ));
}

#[test]
fn one_size_is_dots_from_the_best_down() {
    let cells = [
        untrained("untrained (cls)", 45.0),
        trained("scd", "100", 100, 48, 44.0),
        trained("ct", "100", 100, 48, 48.0),
        trained("simcse", "100", 100, 48, 46.0),
    ];
    let (folder, page) = report(&cells, None);
    let svg = picture(folder.path(), "scores");
    let document = parse(&svg);
    let places: Vec<(f64, f64)> = [("ct", 48.0), ("simcse", 46.0), ("scd", 44.0)]
        .map(|(m, v)| mark(&document, &format!("{m}: {v:.2} (1 run)")))
        .into();
    assert!(places.windows(2).all(|w| w[0].1 < w[1].1), "not sorted from the top down: {places:?}");
    for ((x, _), value) in places.iter().zip([48.0, 46.0, 44.0]) {
        let found = value_at(&document, "x", "middle", *x);
        assert!((found - value).abs() < 0.01, "{found} is not {value}");
    }
    assert!(!svg.contains("class=\"whisker\""), "one seed has no standard deviation");
    for words in [
        "The sweep has one size, 100 sentences, so there is no curve.",
        "One seed, so no standard deviation is shown.",
        "2.00 points above simcse (one common seed: no interval)",
        "Of 2 other trained methods, 1 is above simcse.",
    ] {
        assert!(page.contains(words), "not on the page: {words}");
    }
}

#[test]
fn an_encoder_that_training_spoils_is_told() {
    let cells = [untrained("untrained (cls)", 60.0), trained("ct", "100", 100, 48, 48.0)];
    let (_, page) = report(&cells, None);
    assert!(
        page.contains("12.00 points below untrained (cls)"),
        "without simcse, the untrained row is the baseline"
    );
    assert!(page.contains("Without training, untrained (cls) scores higher: 60.00."));
}

#[test]
fn holes_are_seen() {
    let mut cells = grid(&["simcse", "micse"], |_, _, seed| seed as f64);
    cells.extend([
        trained("ct", "100", 100, 48, 50.0),
        hole("ct", "1000", 1000, 48),
        trained("ct", "10000", 10_000, 48, 52.0),
    ]);
    let (folder, page) = report(&cells, None);
    let svg = picture(folder.path(), "scores");
    assert_eq!(svg.matches("<polyline class=\"line").count(), 2, "a line crosses a hole");
    assert_eq!(svg.matches("<title>ct, ").count(), 2, "the points on both sides of the hole are drawn");
    assert!(page.contains("ct 1000 seed 48: not started"), "the missing cell is not listed");
    assert!(page.contains("15 of 16 cells have a result"), "the head does not count the missing cell");
    assert!(page.contains("title=\"no result\""), "the table does not show the missing cell");
}

#[test]
fn scores_that_are_no_number_are_left_out_of_pictures() {
    let cells = grid(
        &["simcse", "micse"],
        |method, size, _| {
            if method == "micse" && size == 1000 { f64::NAN } else { 50.0 }
        },
    );
    let (folder, _) = report(&cells, None);
    for entry in std::fs::read_dir(folder.path().join("figures")).expect("figures") {
        let path = entry.expect("a file").path();
        if path.extension().is_some_and(|e| e == "svg") {
            let svg = std::fs::read_to_string(&path).expect("a picture");
            for node in parse(&svg).descendants().filter(Node::is_element) {
                for attribute in node.attributes().filter(|a| a.name() != "class") {
                    assert!(
                        !attribute.value().contains("NaN") && !attribute.value().contains("inf"),
                        "{}",
                        path.display()
                    );
                }
            }
        }
    }
}

#[test]
fn the_page_is_well_formed_and_needs_nothing_else() {
    let odd = "<img src=x onerror=\"alert(1)\">&'";
    let (folder, page) = report(&grid(&["simcse", odd], |_, _, seed| seed as f64), None);
    let document = parse(&page);
    let root = document.root_element();
    assert_eq!(root.attribute("lang"), Some("en"));
    let mut ids = BTreeSet::new();
    for node in document.descendants().filter(Node::is_element) {
        let name = node.tag_name().name();
        assert!(
            !["img", "script", "link", "iframe", "object", "image"].contains(&name),
            "<{name}> in the page"
        );
        if let Some(id) = node.attribute("id") {
            assert!(ids.insert(id), "duplicate ID {id}");
        }
        for attribute in node.attributes() {
            assert!(!attribute.name().starts_with("on") && attribute.name() != "src", "{attribute:?}");
        }
        if name == "svg" {
            assert!(
                node.children().any(|n| n.has_tag_name("title"))
                    && node.children().any(|n| n.has_tag_name("desc"))
            );
        }
    }
    for link in document.descendants().filter_map(|n| n.attribute("href")) {
        match link.strip_prefix('#') {
            Some(id) => assert!(ids.contains(id), "no element #{id}"),
            None => assert!(folder.path().join(link).is_file(), "{link} does not exist"),
        }
    }
    for label in document.descendants().filter_map(|n| n.attribute("aria-labelledby")) {
        label.split(' ').for_each(|id| assert!(ids.contains(id), "no element {id}"));
    }
    assert!(
        document.descendants().any(|n| n.is_text() && n.text().is_some_and(|t| t.contains(odd))),
        "the name must appear as text"
    );
    assert!(
        !page.contains("http://")
            && !page.contains("https://")
            && !page.contains("@import")
            && !page.contains("url(")
    );
}

#[test]
fn pictures_are_files_in_both_forms() {
    let (folder, page) = report(
        &grid(&["simcse", "ami-simcse", "micse"], |_, size, seed| (size as f64).ln() + seed as f64),
        None,
    );
    let mut names: Vec<String> = std::fs::read_dir(folder.path().join("figures"))
        .expect("figures")
        .map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let stems = [
        "components",
        "geometry",
        "published",
        "scores",
        "training-gradient",
        "training-loss",
        "training-rate",
        "training-terms",
    ];
    let expected: Vec<String> =
        stems.iter().flat_map(|name| [format!("{name}.png"), format!("{name}.svg")]).collect();
    assert_eq!(names, expected, "all pictures, and no partly written files");
    assert_eq!(page.matches("<figure ").count(), 8);
    for name in stems {
        let bytes = std::fs::read(folder.path().join(format!("figures/{name}.png"))).expect("a picture");
        let pixels = resvg::tiny_skia::Pixmap::decode_png(&bytes).expect("a PNG");
        assert_eq!(pixels.width(), 1440, "two pixels per unit");
        let ground = pixels.pixel(0, 0).expect("a pixel");
        assert_eq!((ground.red(), ground.alpha()), (255, 255), "{name} must have a white background");
        let inked = pixels.pixels().iter().filter(|p| **p != ground).count();
        assert!(inked > 2000, "{name} is empty: {inked} pixels");
    }
}

#[test]
fn pictures_of_an_earlier_report_go_and_those_of_others_stay() {
    let cells = |methods: &[&str]| -> Vec<Cell> {
        methods.iter().map(|method| trained(method, "100", 100, 48, 50.0)).collect()
    };
    let (folder, _) = report(&cells(&["simcse", "micse"]), None);
    let figures = folder.path().join("figures");
    let is_file = |name: &str| figures.join(name).is_file();
    assert!(is_file("components.svg") && is_file("components.png"));
    let mine = ["mine.svg", "mine.png", "mine.csv", "positives.png", "scores.csv", "my-notes.txt"];
    for name in mine {
        std::fs::write(figures.join(name), "mine").expect("a file");
    }
    write(folder.path(), &cells(&["simcse"]));
    write_report(folder.path(), None).expect("a report");
    assert!(is_file("scores.svg") && is_file("scores.png"));
    assert!(!is_file("components.svg") && !is_file("components.png"));
    for name in mine {
        let text = std::fs::read_to_string(figures.join(name)).expect("a file that no report wrote");
        assert_eq!(text, "mine", "{name}");
    }
}

#[test]
fn rows_without_training_have_a_figure_and_a_best_one() {
    let cells = [untrained("bert-cls", 31.0), untrained("glove-avg", 61.0), untrained("flat", f64::NAN)];
    let (folder, page) = report(&cells, None);
    for words in [
        "Without training, glove-avg is best at 61.00, 30.00 points above bert-cls.",
        "No row is trained, so there are neither sizes nor seeds.",
    ] {
        assert!(page.contains(words), "not on the page: {words}\n{}", summary(&page));
    }
    assert!(!page.contains("No trained method"), "{}", summary(&page));
    let svg = picture(folder.path(), "scores");
    let document = parse(&svg);
    let levels = document.descendants().filter(|n| n.attribute("class") == Some("level"));
    let levels: Vec<f64> = levels.map(|n| value_at(&document, "x", "middle", attribute(n, "x1"))).collect();
    assert!((levels[0] - 61.0).abs() < 0.01 && (levels[1] - 31.0).abs() < 0.01, "{levels:?}");
    assert_eq!(levels.len(), 2, "an undefined score has no level");
    assert!(svg.contains("flat: undefined (1 run)"), "{svg}");
    let (_, page) = report(&[untrained("bert-cls", 31.0)], None);
    assert!(page.contains("Without training, bert-cls scores 31.00."), "{}", summary(&page));
}

#[test]
fn collapsed_runs_are_named() {
    // One seed of the baseline, and one of ct.
    let score = |method: &str, seed: u64| match (method, seed) {
        ("simcse" | "ct", 49) => f64::NAN,
        ("scd", _) => 40.0,
        _ => 50.0 + seed as f64,
    };
    let cells = |size: &str, sentences: usize| -> Vec<Cell> {
        let of = |method: &'static str| {
            [48, 49].map(|seed| trained(method, size, sentences, seed, score(method, seed)))
        };
        ["simcse", "ct", "micse", "scd"].into_iter().flat_map(of).collect()
    };
    let (folder, page) = report(&cells("100", 100), None);
    let best = "micse is best at 98.50 ± 0.71 (mean ± standard deviation over 2 seeds), not comparable with simcse, \
                which has an undefined score. Undefined: simcse and ct.";
    assert!(page.contains(best), "{}", summary(&page));
    // Both are in the figure, in words below the others.
    let svg = picture(folder.path(), "scores");
    for text in [">undefined<", "simcse: undefined (2 runs); ct: undefined (2 runs)", ">simcse<", ">ct<"] {
        assert!(svg.contains(text), "{text}: {svg}");
    }
    // Against a row that is defined, the others are counted.
    let mut both = cells("100", 100);
    both.extend(cells("1000", 1000));
    both.extend([48, 49].map(|seed| trained("mocose", "100", 100, seed, 45.0)));
    let (folder, page) = report(&both, Some("scd"));
    let counted = "Of 2 other trained methods, 2 are above scd at every size they were run at";
    assert!(page.contains(counted), "{}", summary(&page));
    assert!(
        page.contains(". 2 more cannot be compared, because a score is undefined."),
        "{}",
        summary(&page)
    );
    assert!(
        page.contains("Undefined, so not drawn: simcse at 100, simcse at 1000, ct at 100 and ct at 1000.")
    );
    assert!(picture(folder.path(), "scores").contains("simcse: undefined at 100, undefined at 1000."));
    let bars = picture(folder.path(), "components");
    assert!(bars.contains("micse: at 100 undefined; at 1000 undefined."), "{bars}");
    assert!(!page.contains("NaN"), "the page has a number that is none");
}

#[test]
fn text_in_png_is_drawn() {
    // Text must leave dark pixels in the picture.
    let (folder, _) = report(&[trained("simcse", "100", 100, 48, 50.0)], None);
    let bytes = std::fs::read(folder.path().join("figures/scores.png")).expect("a picture");
    let pixels = resvg::tiny_skia::Pixmap::decode_png(&bytes).expect("a PNG");
    // The name of the only row is on the left, where nothing else is drawn.
    let dark = (0..pixels.height()).flat_map(|y| (0..60).map(move |x| (x, y)));
    let dark = dark.filter(|(x, y)| pixels.pixel(*x, *y).is_some_and(|p| p.red() < 128)).count();
    assert!(dark > 50, "only {dark} dark pixels where the name should be");
}

#[test]
fn positives_stand_beside_their_counterparts() {
    let score = |method: &str, _, seed: u64| {
        if method.ends_with("-positives") { 45.0 - seed as f64 } else { seed as f64 }
    };
    let methods = ["simcse", "ami-simcse", "simcse-positives", "ami-simcse-positives"];
    let (folder, page) = report(&grid(&methods, score), None);
    assert!(page.contains("Training with positives only"));
    let svg = picture(folder.path(), "positives-change");
    assert!(svg.contains("simcse-positives, 100: -52.00, 95 % interval -64.71 to -39.29"), "{svg}");
    let (_, page) = report(&grid(&["simcse", "micse"], score), None);
    assert!(
        page.contains("needs methods NAME and NAME-positives"),
        "the page must explain the missing section"
    );
}

#[test]
fn a_report_is_of_the_asked_baseline() {
    let cells =
        grid(&["simcse", "micse"], |method, _, seed| seed as f64 + if method == "micse" { 2.0 } else { 0.0 });
    let (folder, page) = report(&cells, Some("untrained (cls)"));
    assert!(page.contains("points above untrained (cls)"));
    let error = write_report(folder.path(), Some("sbert")).expect_err("no such row").to_string();
    assert!(error.contains("sbert") && error.contains("untrained (cls), simcse, micse"), "{error}");
    let error = write_report(&folder.path().join("figures"), None).expect_err("not a sweep").to_string();
    assert!(error.contains("sweep.json"), "{error}");
}

#[test]
fn a_sweep_without_results_has_a_report() {
    let (_, page) = report(&[hole("simcse", "100", 100, 48)], None);
    parse(&page);
    assert!(page.contains("0 of 1 cells have a result") && page.contains("simcse 100 seed 48: not started"));
}

#[test]
fn the_same_sweep_gives_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), &grid(&["simcse", "micse", "ct"], |_, size, seed| (size as f64).ln() + seed as f64));
    let bytes = || {
        write_report(folder.path(), None).expect("a report");
        ["report.html", "figures/scores.png", "figures/geometry.svg"]
            .map(|name| std::fs::read(folder.path().join(name)).expect("a file"))
    };
    assert!(bytes() == bytes(), "two reports of one sweep differ");
}
