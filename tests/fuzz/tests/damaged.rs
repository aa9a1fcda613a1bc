//! Valid files are read; damaged files are read or rejected, and nothing panics.
//!
//! For a longer search: `PROPTEST_CASES=100000 cargo test --release -p micse-fuzz`.

use std::cell::Cell;
use std::path::Path;

use micse_fuzz::TARGETS;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// One change of a file.
#[derive(Clone, Debug)]
enum Damage {
    Set(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize),
    Cut(prop::sample::Index),
    /// Replaces a number in the text.
    Number(prop::sample::Index, u64),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    // Bytes that matter to parsers, more often than arbitrary ones.
    let telling =
        prop::sample::select(b"\t\n\r\0 ,.:;=-+e[]{}()\"'#_0123456789\xEF\xBB\xBF\xFF\x80/".to_vec());
    let byte = prop_oneof![telling, any::<u8>()];
    let number = prop_oneof![
        Just(0_u64),
        Just(1 << 31),
        Just(1 << 40),
        Just(u64::from(u32::MAX)),
        Just(i64::MAX as u64),
        Just(u64::MAX),
        0..100_u64
    ];
    prop_oneof![
        4 => (at(), byte.clone()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        1 => (at(), vec(byte, 1..12)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        1 => (at(), 1..40_usize).prop_map(|(at, count)| Damage::Remove(at, count)),
        1 => (at(), 1..40_usize).prop_map(|(at, count)| Damage::Repeat(at, count)),
        1 => at().prop_map(Damage::Cut),
        3 => (at(), number).prop_map(|(at, number)| Damage::Number(at, number)),
    ]
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let end = |at: usize, count: usize| (at + count).min(bytes.len());
        match self {
            Self::Set(at, byte) => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Self::Insert(at, new) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, new.iter().copied());
            }
            Self::Remove(at, count) => {
                let at = at.index(bytes.len());
                bytes.drain(at..end(at, *count));
            }
            Self::Repeat(at, count) => {
                let at = at.index(bytes.len());
                let part = bytes[at..end(at, *count)].to_vec();
                bytes.splice(at..at, part);
            }
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Self::Number(at, number) => {
                let digits: Vec<usize> = (0..bytes.len()).filter(|&i| bytes[i].is_ascii_digit()).collect();
                if digits.is_empty() {
                    return;
                }
                let start = digits[at.index(digits.len())];
                let end = (start..bytes.len()).find(|&i| !bytes[i].is_ascii_digit()).unwrap_or(bytes.len());
                bytes.splice(start..end, number.to_string().into_bytes());
            }
        }
    }
}

#[test]
fn valid_files_are_read() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty());
        for (index, seed) in seeds.iter().enumerate() {
            let read = (target.read)(seed);
            assert!(read.is_ok(), "{} {index}: {read:?}", target.name);
        }
    }
}

fn survives_damage(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect(name);
    let seeds = (target.seeds)();
    let cases =
        std::env::var("PROPTEST_CASES").map_or(1000, |n| n.parse().expect("PROPTEST_CASES is a number"));
    let (read, refused) = (Cell::new(0), Cell::new(0));
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&(0..seeds.len(), vec(damage(), 1..5)), |(seed, damages)| {
            let mut bytes = seeds[seed].clone();
            for damage in &damages {
                damage.apply(&mut bytes);
            }
            let count = if (target.read)(&bytes).is_ok() { &read } else { &refused };
            count.set(count.get() + 1);
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{name}: {failure}"));
    println!("{name}: {} read, {} rejected", read.get(), refused.get());
    // Some damage is harmless and some is not; a reader that accepts or rejects everything would leave the code after
    // it untested.
    let any_text = name == "sentences";
    assert!(read.get() > 0 && (refused.get() > 0 || any_text), "{name}");
}

macro_rules! survive_damage {
    ($($name:ident)*) => {
        const TESTED: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            fn $name() {
                survives_damage(stringify!($name));
            }
        )*
    };
}

survive_damage!(model_folder model_shards model_int8 static_model config model_parts safetensors pytorch pickle tokenizer vocabulary sentences corpus corpus_zstd sts transfer treebank
    word_vectors word_vectors_binary npy recipe settings);

/// Every target has a test here and a fuzz program.
#[test]
fn every_kind_of_file_is_damaged_and_searched() {
    assert_eq!(TESTED, TARGETS.map(|target| target.name));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("Cargo.toml");
    for name in TESTED {
        let program = format!("fuzz_targets/{name}.rs");
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"{program}\"")), "{name}");
        let text = std::fs::read_to_string(folder.join(program)).expect(name);
        assert!(text.contains(&format!("micse_fuzz::run(\"{name}\", bytes)")), "{text}");
    }
}

/// Earlier findings of the fuzzer.
#[test]
fn findings_stay_mended() {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("found");
    let mut files = 0;
    for target in TARGETS {
        let Ok(folder) = std::fs::read_dir(found.join(target.name)) else { continue };
        for file in folder {
            let _ = (target.read)(&std::fs::read(file.expect("an entry").path()).expect("a file"));
            files += 1;
        }
    }
    assert!(files > 0, "{} contains no findings", found.display());
}
