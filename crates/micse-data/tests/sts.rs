//! STS folders: the real sets, and files broken in each way.

use std::fs::{create_dir_all, write};
use std::io::Write;
use std::path::{Path, PathBuf};

use micse_data::sts::{SENTEVAL_TASKS, Suite};
use micse_data::{Error, StsCorpus};

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

/// A folder in `SentEval`'s layout with only STS13, whose subsets have two pairs each.
fn sts13() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let year = folder.path().join("STS/STS13-en-test");
    create_dir_all(&year).unwrap();
    for subset in ["FNWN", "headlines", "OnWN"] {
        write(year.join(format!("STS.input.{subset}.txt")), "a  b \tc\td\ne f\tg\nh\ti\r\n").unwrap();
        write(year.join(format!("STS.gs.{subset}.txt")), "5.0\n\n2.25\n").unwrap();
    }
    (folder, year)
}

fn load13(folder: &Path) -> micse_data::Result<Suite> {
    Suite::load(folder, Some(&names(&["sts13"])))
}

#[test]
fn years_are_read_line_by_line() {
    let (folder, _) = sts13();
    let suite = load13(folder.path()).unwrap();
    assert_eq!((suite.name.as_str(), suite.dev), ("SentEval", None));
    let [task] = &suite.tasks[..] else { panic!("{} tasks", suite.tasks.len()) };
    assert_eq!((task.name.as_str(), task.len(), task.is_empty()), ("STS13", 6, false));
    let subsets: Vec<_> = task.subsets.iter().map(|subset| subset.name.as_str()).collect();
    assert_eq!(subsets, ["FNWN", "headlines", "OnWN"]);
    // White space is joined, the unscored pair is skipped, a third column is ignored.
    let pairs: Vec<_> =
        task.pairs().take(2).map(|p| (p.first.as_str(), p.second.as_str(), p.score)).collect();
    assert_eq!(pairs, [("a b", "c", 5.0), ("h", "i", 2.25)]);
}

/// ConSERT trains on all sentences, of scored and unscored pairs.
#[test]
fn sentences_of_the_sets_are_a_corpus() {
    let folder = tempfile::tempdir().unwrap();
    for (year, subsets) in [
        ("STS12", &["MSRpar", "MSRvid", "SMTeuroparl", "surprise.OnWN", "surprise.SMTnews"][..]),
        ("STS13", &["FNWN", "headlines", "OnWN"]),
        ("STS14", &["deft-forum", "deft-news", "headlines", "images", "OnWN", "tweet-news"]),
        ("STS15", &["answers-forums", "answers-students", "belief", "headlines", "images"]),
        ("STS16", &["answer-answer", "headlines", "plagiarism", "postediting", "question-question"]),
    ] {
        let year = folder.path().join(format!("STS/{year}-en-test"));
        create_dir_all(&year).unwrap();
        for subset in subsets {
            write(year.join(format!("STS.input.{subset}.txt")), format!("{subset}  a\tb\tc\nd\te\n"))
                .unwrap();
        }
    }
    create_dir_all(folder.path().join("STS/STSBenchmark")).unwrap();
    create_dir_all(folder.path().join("SICK")).unwrap();
    for part in ["train", "dev", "test"] {
        let line = format!("g\tf\ty\t1\t3.0\t{part} 1\t{part} 2\n");
        write(folder.path().join(format!("STS/STSBenchmark/sts-{part}.csv")), line).unwrap();
    }
    for part in ["train", "trial", "test_annotated"] {
        let text = format!("pair_ID\tA\tB\tscore\tjudgment\n1\t{part} A\t{part} B\t3.5\tNEUTRAL\n");
        write(folder.path().join(format!("SICK/SICK_{part}.txt")), text).unwrap();
    }
    let read = |part: StsCorpus| -> Vec<String> {
        part.read(folder.path()).unwrap().iter().map(str::to_owned).collect()
    };
    let all = read(StsCorpus::All);
    assert_eq!(all[..4], ["MSRpar a", "b", "d", "e"]);
    assert_eq!(all.len(), 24 * 4 + 6 + 6);
    assert_eq!(all[all.len() - 2..], ["test_annotated A", "test_annotated B"]);
    assert_eq!(read(StsCorpus::Benchmark), ["train 1", "train 2", "dev 1", "dev 2", "test 1", "test 2"]);
    assert_eq!(read(StsCorpus::BenchmarkTrain), ["train 1", "train 2"]);
    std::fs::remove_file(folder.path().join("SICK/SICK_trial.txt")).unwrap();
    let error = StsCorpus::All.read(folder.path()).unwrap_err().to_string();
    assert!(error.contains("SICK_trial.txt"), "{error}");
    for part in StsCorpus::ALL {
        assert_eq!(StsCorpus::named(part.name()), Some(part));
    }
}

/// SG-OPT's code trains on 17,256 sentences of STS-B; ConSERT's paper counts 89,192 in all sets.
#[test]
fn sentences_of_the_real_sets() {
    let Some(data) = std::env::var_os("MICSE_DATA").filter(|value| !value.is_empty()).map(PathBuf::from)
    else {
        let _ = writeln!(
            std::io::stderr(),
            "skipped: the sentences of the real STS sets (MICSE_DATA is not set)"
        );
        return;
    };
    let count = |part: StsCorpus| part.read(&data.join("senteval")).unwrap().len();
    assert_eq!((count(StsCorpus::Benchmark), count(StsCorpus::BenchmarkTrain)), (17_256, 11_498));
    // A copy of the sets may count a few lines more.
    assert!(count(StsCorpus::All).abs_diff(89_192) < 100, "{}", count(StsCorpus::All));
}

#[test]
fn broken_years_are_placed() {
    let cases: [(&str, &[u8], &[&str]); 8] = [
        ("STS.gs.OnWN.txt", b"5.0\n1\n", &["STS.gs.OnWN.txt has 2 lines", "STS.input.OnWN.txt has 3"]),
        ("STS.gs.OnWN.txt", b"5.0\n\nfour\n", &["STS.gs.OnWN.txt:3", "'four'", "number"]),
        ("STS.gs.OnWN.txt", b"5.0\n\nnan\n", &["STS.gs.OnWN.txt:3", "'nan'"]),
        ("STS.input.OnWN.txt", b"a\tb\nc d\ne\tf\n", &["STS.input.OnWN.txt:2", "no tab"]),
        ("STS.input.OnWN.txt", b"a\tb\nc\td\n\xFF\tf\n", &["STS.input.OnWN.txt:3", "UTF-8"]),
        ("STS.input.OnWN.txt", b" \tb\nc\td\ne\tf\n", &["STS.input.OnWN.txt:1", "empty sentence"]),
        ("STS.gs.OnWN.txt", b"\n\n\n", &["STS.input.OnWN.txt", "no scored pair"]),
        ("STS.gs.FNWN.txt", b"\xFF\n\n\n", &["STS.gs.FNWN.txt:1"]),
    ];
    for (name, bytes, wanted) in cases {
        let (folder, year) = sts13();
        write(year.join(name), bytes).unwrap();
        let error = load13(folder.path()).unwrap_err().to_string();
        for part in wanted {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}

#[test]
fn missing_files_and_names_are_explained() {
    let (folder, year) = sts13();
    // Only STS13 exists.
    let error = Suite::load(folder.path(), None).unwrap_err();
    assert!(
        matches!(&error, Error::Missing { path, .. } if path.ends_with("STS.input.MSRpar.txt")),
        "{error}"
    );
    assert!(error.to_string().contains("SentEval's layout"), "{error}");
    let error = Suite::load(folder.path(), Some(&names(&["STSB"]))).unwrap_err();
    assert!(error.to_string().contains("sts-test.csv"), "{error}");
    let error = Suite::load(folder.path(), Some(&names(&["STS17"]))).unwrap_err().to_string();
    assert!(error.contains("STS17") && SENTEVAL_TASKS.iter().all(|task| error.contains(task)), "{error}");
    assert!(Suite::load(folder.path(), Some(&[])).is_err());
    let demo = tempfile::tempdir().unwrap();
    write(demo.path().join("demo-dev.csv"), "g\ta\tdemo\t0\t1.0\tone\ttwo\n").unwrap();
    let error = Suite::load(demo.path(), None).unwrap_err().to_string();
    assert!(error.contains("demo-test.csv"), "{error}");
    let error = Suite::load(demo.path(), Some(&names(&["STS12"]))).unwrap_err().to_string();
    assert!(error.contains("STS12") && error.contains("DemoSTS"), "{error}");
    std::fs::remove_file(year.join("STS.gs.FNWN.txt")).unwrap();
    assert!(matches!(load13(folder.path()).unwrap_err(), Error::Missing { .. }));
    for bad in [folder.path().join("none"), year] {
        let error = Suite::load(&bad, None).unwrap_err().to_string();
        assert!(error.contains("demo-dev.csv") && error.contains("STS12-en-test"), "{error}");
    }
}

#[test]
fn benchmark_and_sick_have_no_quoting() {
    let folder = tempfile::tempdir().unwrap();
    let benchmark = folder.path().join("STS/STSBenchmark");
    create_dir_all(&benchmark).unwrap();
    create_dir_all(folder.path().join("SICK")).unwrap();
    let row = "genre\tfile\t2012\t0001\t4.750\t\" open quote\tb  c\textra\n";
    write(benchmark.join("sts-test.csv"), [row, row].concat()).unwrap();
    let sick =
        "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment\r\n6\tA a\tB b\t3.3\tNEUTRAL\r\n";
    write(folder.path().join("SICK/SICK_test_annotated.txt"), sick).unwrap();
    let error = Suite::load(folder.path(), Some(&names(&["STSB"]))).unwrap_err();
    assert!(error.to_string().contains("sts-dev.csv"), "dev is part of the requested benchmark: {error}");
    assert_eq!(Suite::load(folder.path(), Some(&names(&["SICKR"]))).unwrap().dev, None);
    write(benchmark.join("sts-dev.csv"), row).unwrap();
    let suite = Suite::load(folder.path(), Some(&names(&["sick-r", "stsb"]))).unwrap();
    let found: Vec<_> = suite.tasks.iter().map(|task| (task.name.as_str(), task.len())).collect();
    assert_eq!(found, [("STSBenchmark", 2), ("SICKRelatedness", 1)]);
    let pair = &suite.dev.unwrap().subsets[0].pairs[0];
    assert_eq!((pair.first.as_str(), pair.second.as_str(), pair.score), ("\" open quote", "b c", 4.75));
    assert_eq!(suite.tasks[1].subsets[0].pairs[0].score, 3.3);

    assert_eq!(suite.sick_dev, None, "SICK's trial pairs are not in every folder");
    write(folder.path().join("SICK/SICK_trial.txt"), sick.replace("3.3", "4.1")).unwrap();
    let suite = Suite::load(folder.path(), Some(&names(&["stsb"]))).unwrap();
    assert_eq!(suite.sick_dev.unwrap().subsets[0].pairs[0].score, 4.1);

    write(benchmark.join("sts-test.csv"), format!("{row}too\tfew\n")).unwrap();
    let error = Suite::load(folder.path(), Some(&names(&["STSBenchmark"]))).unwrap_err().to_string();
    assert!(error.contains("sts-test.csv:2") && error.contains("2 columns"), "{error}");
}

#[test]
fn real_sets_have_their_sizes() {
    let Some(data) = std::env::var_os("MICSE_DATA").filter(|value| !value.is_empty()).map(PathBuf::from)
    else {
        // Written directly to stderr, because the test harness hides the output of tests that pass.
        let _ = writeln!(std::io::stderr(), "skipped: the real STS sets (MICSE_DATA is not set)");
        return;
    };
    let suite = Suite::load(&data.join("senteval"), None).unwrap();
    let expected: [&[usize]; 7] = [
        &[750, 750, 459, 750, 399],
        &[189, 750, 561],
        &[450, 300, 750, 750, 750, 750],
        &[375, 750, 375, 750, 750],
        &[254, 249, 230, 244, 209],
        &[1379],
        &[4927],
    ];
    for ((task, name), sizes) in suite.tasks.iter().zip(SENTEVAL_TASKS).zip(expected) {
        let found: Vec<_> = task.subsets.iter().map(|subset| subset.pairs.len()).collect();
        assert_eq!((task.name.as_str(), &found[..]), (name, sizes));
        assert!(task.pairs().all(|pair| (0.0..=5.0).contains(&pair.score)), "{name}");
    }
    assert_eq!(suite.dev.unwrap().len(), 1500);
    assert_eq!(suite.sick_dev.unwrap().len(), 500);
}
