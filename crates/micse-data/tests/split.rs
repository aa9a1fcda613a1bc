//! Sizes, seeds, drawn splits and published split files.

use micse_data::{Error, Split, SplitFiles, SplitSize, parse_seeds, parse_sizes};
use proptest::prelude::*;

#[test]
fn sizes_are_parsed_and_refused() {
    assert_eq!(
        parse_sizes("1000, 1%,100%,0.0064%").unwrap(),
        [
            SplitSize::Count(1000),
            SplitSize::Fraction(0.01),
            SplitSize::Fraction(1.0),
            SplitSize::Fraction(0.000_064)
        ]
    );
    let refused = [
        "",
        "0",
        "0%",
        "0.0%",
        "-1",
        "-1%",
        "101%",
        "100.1%",
        "abc",
        "%",
        ".%",
        "1e3",
        "1.5",
        "nan%",
        "inf%",
        "1000,",
        "1%%",
        "+5",
        "99999999999999999999999",
    ];
    for text in refused {
        let error = parse_sizes(text).unwrap_err();
        assert!(error.to_string().contains("0.1%"), "{text}: {error}");
    }
    let error = parse_sizes("1%,1.0%").unwrap_err().to_string();
    assert!(error.contains("is repeated"), "{error}");
}

#[test]
fn sizes_are_written_as_text() {
    for text in ["1000", "0.1%", "0.0064%", "0.01%", "0.05%", "0.5%", "1%", "10%", "12.5%", "100%"] {
        let size: SplitSize = text.parse().unwrap();
        assert_eq!(size.to_string(), text);
        assert_eq!(serde_json::to_string(&size).unwrap(), format!("\"{text}\""));
    }
    assert!(serde_json::from_str::<SplitSize>("\"0\"").is_err());
}

#[test]
fn sizes_resolve_to_counts() {
    let resolve = |text: &str, len| text.parse::<SplitSize>().unwrap().resolve(len);
    assert_eq!(resolve("0.1%", 1_000_000).unwrap(), 1000);
    assert_eq!(resolve("0.0064%", 1_000_000).unwrap(), 64);
    assert_eq!(resolve("100%", 12_345).unwrap(), 12_345);
    assert_eq!(resolve("0.1%", 10).unwrap(), 1);
    assert_eq!(resolve("50%", 5).unwrap(), 3);
    let error = resolve("1000", 999).unwrap_err();
    assert!(error.to_string().contains("1000") && error.to_string().contains("999"), "{error}");
    assert!(resolve("1%", 0).is_err());
    assert!(SplitSize::Count(0).resolve(10).is_err());
    for part in [0.0, -0.5, 1.5, f64::NAN] {
        assert!(SplitSize::Fraction(part).resolve(10).is_err(), "{part}");
    }
}

#[test]
fn seeds_are_parsed_and_refused() {
    assert_eq!(parse_seeds("48..52").unwrap(), [48, 49, 50, 51, 52]);
    assert_eq!(parse_seeds("7, 48..49 ,3").unwrap(), [7, 48, 49, 3]);
    assert_eq!(parse_seeds("5..5").unwrap(), [5]);
    for text in [
        "",
        "a",
        "48,",
        "52..48",
        "48..",
        "48..=52",
        "-1",
        "1,1",
        "1..3,2",
        "9223372036854775808",
        "0..9223372036854775807",
    ] {
        assert!(matches!(parse_seeds(text), Err(Error::Parse { .. })), "{text}");
    }
}

#[test]
fn splits_are_pinned() {
    // A change here changes the training sentences of every published run.
    let split = Split::draw(1_000_000, SplitSize::Count(8), 48).unwrap();
    assert_eq!(split.indices, PINNED);
}
/// Computed by a separate `ChaCha20` and Fisher-Yates shuffle, written in Python from their definitions.
const PINNED: [u32; 8] = [183_393, 573_597, 246_852, 863_229, 807_343, 854_942, 634_418, 948_370];

proptest! {
    #[test]
    fn splits_are_distinct_in_range_and_nested(len in 1_usize..3000, seed: u64, small in 1_usize..3000, more in 0_usize..3000) {
        let small = small.min(len);
        let large = (small + more).min(len);
        let small = Split::draw(len, SplitSize::Count(small), seed).unwrap();
        let large = Split::draw(len, SplitSize::Count(large), seed).unwrap();
        prop_assert_eq!(&small.indices[..], &large.indices[..small.indices.len()]);
        let mut sorted = large.indices.clone();
        sorted.sort_unstable();
        sorted.dedup();
        prop_assert_eq!(sorted.len(), large.indices.len());
        prop_assert!(sorted.iter().all(|&i| (i as usize) < len));
    }

    #[test]
    fn fractions_survive_display(part in prop_oneof![f64::MIN_POSITIVE..1.0, 1e-9..1.0_f64, Just(1.0)]) {
        let size = SplitSize::Fraction(part);
        prop_assert_eq!(size.to_string().parse::<SplitSize>().unwrap(), size);
    }

    #[test]
    fn parsing_never_panics(text in "\\PC*") {
        let _ = parse_sizes(&text);
        let _ = parse_seeds(&text);
    }
}

#[test]
fn published_files_are_found_by_number() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(SplitFiles::open(folder.path()).unwrap_err(), Error::Missing { .. }));
    for percent in ["000.0064", "000.01", "000.10", "001.00", "010.00"] {
        for seed in [48, 52] {
            let name = format!("wiki_subset_1M_{percent}percent_seed{seed}.txt");
            std::fs::write(folder.path().join(name), "A sentence.\n").unwrap();
        }
    }
    std::fs::write(folder.path().join("wiki1m_for_simcse.txt"), "A sentence.\n").unwrap();
    std::fs::write(folder.path().join("notes.txt"), "").unwrap();
    let files = SplitFiles::open(folder.path()).unwrap();
    let find = |size: &str, seed| files.find(size.parse().unwrap(), seed);
    let name =
        |size: &str, seed| find(size, seed).unwrap().file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!(name("0.0064%", 48), "wiki_subset_1M_000.0064percent_seed48.txt");
    assert_eq!(name("0.1%", 52), "wiki_subset_1M_000.10percent_seed52.txt");
    assert_eq!(name("1%", 48), "wiki_subset_1M_001.00percent_seed48.txt");
    assert_eq!(name("100%", 50), "wiki1m_for_simcse.txt");
    for (size, seed) in [("0.05%", 48), ("1%", 50), ("64", 48)] {
        let error = find(size, seed).unwrap_err().to_string();
        assert!(error.contains("10% seed 52") && error.contains("100% any seed"), "{error}");
    }
    assert!(SplitFiles::open(folder.path().join("none")).is_err());
}
