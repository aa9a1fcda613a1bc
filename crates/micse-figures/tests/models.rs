//! Figures of a small model: which passes they compare, and that threads do not matter.

use micse_data::{Corpus, Parsed, TreeEquality, Word};
use micse_figures::{
    DROPOUT, Figure, Grouped, Lengths, Subject, TreePairs, compare, joint_attention, random_pairs, tree_pairs,
};
use micse_model::{Compute, Dropout, ModelFolder, Pooling, SentenceModel};
use micse_random::Stream;

const SEED: u64 = 3;

fn model(pooling: Pooling) -> SentenceModel<'static> {
    let folder = tempfile::tempdir().expect("a folder");
    micse_tests::write_small_model(folder.path());
    let folder = ModelFolder::open(folder.path()).expect("a model");
    SentenceModel::load(&folder, Some(pooling), &Compute::cpu()).expect("a model")
}

fn grouped() -> Grouped {
    let (cls, mean) = (model(Pooling::Cls), model(Pooling::Mean));
    let subjects = [Subject { name: "cls", model: &cls }, Subject { name: "mean", model: &mean }];
    let corpus = Corpus::from_sentences("small", micse_tests::sentences(30));
    random_pairs(subjects, &corpus, 10, SEED).expect("pairs")
}

/// Sentences with as many different tokens as heads: all with one tree, or every second one with another.
fn treebank(trees: usize) -> Vec<Parsed> {
    let parse = |(i, text): (usize, String)| {
        let head =
            |place: usize| if place == 0 { 0 } else { 1 + (place as u32 - 1) * (i % trees) as u32 % 2 };
        let word = |(place, form): (usize, &str)| Word {
            form: form.into(),
            head: head(place),
            relation: if place == 0 { "root" } else { "dep" }.into(),
        };
        let words = text.split(' ').take(6).enumerate().map(word).collect();
        Parsed { words, text }
    };
    micse_tests::sentences(40).into_iter().enumerate().map(parse).collect()
}

#[test]
fn pairs_are_view_one_and_view_two() {
    let figure = grouped();
    let [positives, negatives] = &figure.pairs;
    assert_eq!((positives.len(), negatives.len()), (10, 10));
    assert!(positives.iter().all(|pair| pair.first == pair.second));
    let mut used: Vec<&str> = negatives.iter().flat_map(|pair| [&*pair.first, &*pair.second]).collect();
    used.sort_unstable();
    used.dedup();
    assert_eq!(used.len(), 20, "each sentence is in one negative pair");

    // The same numbers, pass by pass: sentence i of the first half is number i, its partner number 10 + i.
    let model = model(Pooling::Cls);
    let view = |sentence: &str, stream: u64, number: usize| {
        let ids = model.pipeline().tokenize(&[sentence], 32).expect("tokens").remove(0);
        let stream = Stream::new(SEED).with(stream);
        let dropout = Dropout { hidden: DROPOUT, attention: DROPOUT, stream };
        model.view(&ids, dropout, number).expect("a view")
    };
    for (group, offset) in [(0, 0), (1, 10)] {
        for (i, pair) in figure.pairs[group].iter().enumerate() {
            let expected = compare(&view(&pair.first, 1, i), &view(&pair.second, 2, offset + i));
            assert_eq!(figure.panels[0].similarities[group][i], expected.expect("a pair"));
        }
    }
    // The network is the same in both panels, so the attention is; the pooling is not.
    let [cls, mean] = &figure.panels;
    for (a, b) in cls.similarities.iter().flatten().zip(mean.similarities.iter().flatten()) {
        assert_eq!(a.mutual_information, b.mutual_information);
        assert_ne!(a.cosine, b.cosine);
    }
    assert!(cls.separation.parts.iter().all(|part| part.value > 0.0), "positive pairs are more similar");
}

#[test]
fn any_number_of_threads_gives_the_same_numbers() {
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(grouped)
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn trees_are_drawn_relative_to_the_other_group() {
    let model = model(Pooling::Mean);
    let subjects = [Subject { name: "a", model: &model }, Subject { name: "b", model: &model }];
    let how = TreePairs { equality: TreeEquality::Labelled, lengths: Lengths::Matched, count: 8, seed: SEED };
    let figure = tree_pairs(subjects, &treebank(2), how).expect("pairs");
    assert!(figure.pairs.iter().all(|pairs| pairs.len() >= 2), "{}", figure.note);
    let panel = &figure.panels[0];
    let [equal, unequal] = panel.points(figure.grouping);
    let mean = |points: &[[f64; 2]], axis: usize| {
        points.iter().map(|point| point[axis]).sum::<f64>() / points.len() as f64
    };
    for axis in 0..2 {
        let difference = panel.separation.parts[axis].value;
        assert!((mean(&equal, axis) - difference).abs() < 1e-12);
        assert!((mean(&unequal, axis) + difference).abs() < 1e-12);
    }
    let error = tree_pairs(subjects, &treebank(1), how).expect_err("one tree per length").to_string();
    assert!(error.contains("pairs with unequal trees: 0"), "{error}");
}

#[test]
fn attention_outside_a_window_is_not_compared() {
    let folder = micse_tests::root().join("tests/fixtures/architectures/modernbert");
    let folder = ModelFolder::open(&folder).expect("a model");
    let model = SentenceModel::load(&folder, Some(Pooling::Mean), &Compute::cpu()).expect("a model");
    let text = micse_tests::sentences(6).join(" ");
    let ids = model.pipeline().tokenize(&[&text], model.max_length()).expect("tokens").remove(0);
    let dropout = Dropout { hidden: DROPOUT, attention: DROPOUT, stream: Stream::new(SEED) };
    let view = model.view(&ids, dropout, 0).expect("a view");
    assert_eq!(
        view.windows,
        [None, Some(4), Some(4), None],
        "layer_types and local_attention of config.json"
    );
    let layers = view.attention.get_on_dim(1, 0).expect("a head").to_vec3::<f32>().expect("maps");
    for (layer, window) in layers.iter().zip(&view.windows) {
        for (query, row) in layer.iter().enumerate() {
            for (key, &value) in row.iter().enumerate() {
                let seen = window.is_none_or(|window| query.abs_diff(key) <= window);
                assert_eq!(value > 0.0, seen, "query {query}, key {key}");
            }
        }
    }
    // Two groups of two layers, of which one is local.
    let n = ids.len();
    let seen: usize = (0..n).map(|query| n.min(query + 5) - query.saturating_sub(4)).sum();
    let subjects = [Subject { name: "a", model: &model }, Subject { name: "b", model: &model }];
    let joint = joint_attention(subjects, &text, SEED).expect("attention");
    for slice in &joint.panels[0].slices {
        let heads = slice.heads.1 + 1 - slice.heads.0;
        assert_eq!(slice.counts.iter().sum::<u32>() as usize, heads * (seen + n * n));
        assert!(slice.rho < 0.99, "positions outside the window correlate: {}", slice.rho);
    }
}

/// Zero-width spaces, of which tokenizers leave nothing.
const EMPTY: [&str; 2] = ["\u{200b}\u{200b}", "\u{200b} \u{200b} \u{200b}"];

#[test]
fn sentences_without_word_pieces_are_left_out() {
    let model = model(Pooling::Mean);
    let subjects = [Subject { name: "a", model: &model }, Subject { name: "b", model: &model }];
    let sentences = micse_tests::sentences(8).into_iter().chain(EMPTY.map(str::to_owned));
    let corpus = Corpus::from_sentences("odd", sentences);
    let figure = random_pairs(subjects, &corpus, 10, SEED).expect("pairs");
    assert_eq!(figure.pairs.each_ref().map(Vec::len), [4, 4]);
    assert!(figure.note.ends_with(" 2 sentences of fewer than 3 tokens are left out."), "{}", figure.note);

    let how = TreePairs { equality: TreeEquality::Labelled, lengths: Lengths::Any, count: 100, seed: SEED };
    let mut treebank = treebank(2);
    let plain = tree_pairs(subjects, &treebank, how).expect("pairs");
    treebank.push(Parsed { text: EMPTY[0].into(), words: treebank[0].words.clone() });
    let figure = tree_pairs(subjects, &treebank, how).expect("pairs");
    assert_eq!(figure.pairs, plain.pairs);
    assert_eq!(figure.note, format!("{} 1 sentence of fewer than 3 tokens is left out.", plain.note));
}

#[test]
fn every_number_is_in_the_csv() {
    let figure = grouped();
    let bytes = Figure::Grouped(Box::new(figure.clone())).csv().expect("a table");
    let mut reader = csv::Reader::from_reader(&bytes[..]);
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), 40, "two models, two groups, ten pairs");
    let row = rows.iter().find(|row| &row[0] == "mean" && &row[1] == "negative" && &row[2] == "4");
    let (row, similarity) = (row.expect("a row"), figure.panels[1].similarities[1][3]);
    assert_eq!(row[4].parse(), Ok(similarity.mutual_information));
    assert_eq!(row[5].parse(), Ok(similarity.cosine));
    assert_eq!([&row[8], &row[9]], [&*figure.pairs[1][3].first, &*figure.pairs[1][3].second]);

    let model = model(Pooling::Cls);
    let subjects = [Subject { name: "a", model: &model }, Subject { name: "b", model: &model }];
    let joint = joint_attention(subjects, "the old farmer sees a red boat", SEED).expect("attention");
    let bytes = Figure::JointAttention(joint.clone()).csv().expect("a table");
    let mut reader = csv::Reader::from_reader(&bytes[..]);
    let total: u32 =
        reader.records().map(|row| row.expect("a row")[9].parse::<u32>().expect("a count")).sum();
    // Two models, 4 layers, 4 heads, and 7 words with [CLS] and [SEP].
    assert_eq!(total, 2 * 4 * 4 * 9 * 9);
    assert_eq!(joint.panels[0].slices.len(), 8, "two groups of layers, four of heads");
}

#[test]
fn what_cannot_be_compared_is_told() {
    let model = model(Pooling::Cls);
    let same = [Subject { name: "m", model: &model }, Subject { name: "m", model: &model }];
    let corpus = Corpus::from_sentences("small", micse_tests::sentences(8));
    let error = random_pairs(same, &corpus, 2, SEED).expect_err("one name").to_string();
    assert!(error.contains("\"m\"") && error.contains("--names"), "{error}");
    let two = [Subject { name: "m", model: &model }, Subject { name: "n", model: &model }];
    let few = Corpus::from_sentences("few", ["one dog", "One dog", "the dog"].map(str::to_owned));
    let error = random_pairs(two, &few, 5, SEED).expect_err("too few").to_string();
    assert!(error.contains("2 different sentences"), "{error}");
}
