//! Scores the seven real tasks with an embedder that needs no model.

use std::io::Write;
use std::path::PathBuf;

use micse_data::sts::{SENTEVAL_TASKS, Suite};
use micse_eval::{Embedder, evaluate_pairs};

/// Each word adds a vector of pseudo-random signs, so that cosines are close to those of word counts.
struct Words;

impl Embedder for Words {
    fn dimension(&self) -> usize {
        384
    }

    fn embed(&self, sentences: &[&str]) -> Result<Vec<Vec<f32>>, Box<dyn std::error::Error + Send + Sync>> {
        let embed = |sentence: &&str| {
            let mut row = vec![0_f32; 384];
            for word in
                sentence.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty())
            {
                let stream = word.bytes().fold(micse_random::Stream::new(1), |s, b| s.with(u64::from(b)));
                let lane = stream.lane();
                for (i, value) in row.iter_mut().enumerate() {
                    *value += if lane.draw(i as u32).is_multiple_of(2) { 1.0 } else { -1.0 };
                }
            }
            row
        };
        Ok(sentences.iter().map(embed).collect())
    }
}

#[test]
fn word_overlap_scores_between_chance_and_a_model() {
    let Some(data) = std::env::var_os("MICSE_DATA") else {
        // Bypasses the test harness, which hides the output of passing tests.
        let _ = writeln!(std::io::stderr(), "skipped: the real STS sets (MICSE_DATA is not set)");
        return;
    };
    let suite = Suite::load(&PathBuf::from(data).join("senteval"), None).unwrap();
    let (evaluation, pairs) = evaluate_pairs(&Words, &suite, &mut |_, _| {}).unwrap();
    let evaluation = evaluation.of_model("word counts", "sum");
    println!("{}", evaluation.to_table());
    let names: Vec<&str> = evaluation.tasks.iter().map(|(name, _)| name).collect();
    assert_eq!(names, SENTEVAL_TASKS);
    for (name, task) in evaluation.tasks.iter() {
        // In the literature, word overlap scores about 40 to 70 on these tasks; chance is 0.
        assert!((30.0..80.0).contains(&task.spearman.all), "{name}: {}", task.spearman.all);
        assert_eq!(task.pairs, task.subsets.iter().map(|(_, subset)| subset.pairs).sum::<usize>());
        // Human scores keep their order and ties as f32.
        assert_eq!(pairs.get(name).unwrap().spearman(), task.spearman.all, "{name}");
    }
    assert!(evaluation.alignment.unwrap() < 2.0 && evaluation.uniformity.unwrap() < -2.0);
}
