//! `cargo xtask report`: one page from a sweep folder.

use micse_tests::ended;
use micse_tests::sweeps::SmallSweep;

#[test]
fn a_sweep_becomes_a_page_with_pictures() {
    let small = SmallSweep::new(env!("CARGO_BIN_EXE_xtask"));
    small.run("one", &["--sizes", "20", "--steps", "2"]).output();
    let report =
        |arguments: &[&str]| ended(small.program().arg("report").arg(small.path("one")).args(arguments));
    let page = small.path("one/report.html");
    let written = report(&[]);
    // PNG is a feature of the program.
    let endings: &[&str] = if written.stderr.contains("as SVG and PNG") { &["svg", "png"] } else { &["svg"] };
    assert_eq!(
        written.output().trim(),
        page.display().to_string(),
        "the command must print the path of the page"
    );
    let text = std::fs::read_to_string(&page).expect("the page");
    for part in ["simcse and micse trained on 20 sentences", "5 of 5 cells have a result", "tanh-mlp"] {
        assert!(text.contains(part), "{part} is not in the page");
    }
    for name in ["scores", "components", "training-loss", "training-terms"] {
        for ending in endings {
            assert!(small.path("one/figures").join(name).with_extension(ending).is_file(), "{name}.{ending}");
        }
    }
    // The sweep kept its models, so two of them are compared.
    for part in ["Two models compared", "simcse (20 sentences, seed 48) and micse (20 sentences, seed 48)"] {
        assert!(text.contains(part), "{part} is not in the page");
    }
    for name in ["pairs", "trees", "human-scores", "attention"] {
        for ending in endings.iter().chain(&["csv"]) {
            assert!(small.path("one/figures").join(name).with_extension(ending).is_file(), "{name}.{ending}");
        }
    }
    report(&["--baseline", "simces"]).refused(&["simces", "simcse, micse"]);
    ended(small.program().arg("report").arg(small.path("model"))).refused(&["sweep.json", "a sweep wrote"]);
}
