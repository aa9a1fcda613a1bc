//! `cosines.safetensors`: the values from which a run's correlations are computed, so that two runs can be compared
//! pair by pair.
//!
//! One tensor per task, f32, of shape `[2, pairs]`: the cosines, then the human scores, in the suite's order. About
//! 150 kB for SentEval's seven tasks.

use candle_core::{Device, Tensor};
use micse_eval::{Named, PairScores};
use micse_files::RunFolder;
use micse_model::{WeightsFile, save_safetensors};

use crate::{Error, Result};

/// Writes the cosines of every task into a run folder. The file is complete or absent.
///
/// # Errors
/// The folder cannot be written.
pub fn save_cosines(run: &RunFolder, tasks: &Named<PairScores>) -> Result<()> {
    let tensor = |(name, pairs): (&str, &PairScores)| {
        let rows = [pairs.cosines.as_slice(), pairs.human.as_slice()].concat();
        Ok((name.to_owned(), Tensor::from_vec(rows, (2, pairs.cosines.len()), &Device::Cpu)?))
    };
    let tensors = tasks.iter().map(tensor).collect::<Result<Vec<_>>>()?;
    Ok(save_safetensors(&run.cosines(), &tensors)?)
}

/// Reads the cosines of these tasks from a run folder; `None` if the run has no such file, like runs of older versions.
///
/// # Errors
/// The file is damaged, lacks a task, or does not contain cosines and scores.
pub fn load_cosines<'a>(
    run: &RunFolder,
    tasks: impl IntoIterator<Item = &'a str>,
) -> Result<Option<Named<PairScores>>> {
    let path = run.cosines();
    if !path.is_file() {
        return Ok(None);
    }
    let file = WeightsFile::open(&path)?;
    let task = |name: &str| {
        let wrong = |what: &str| {
            Error::run(&path, format!("{what} for the task {name}; delete the run folder to repeat the run"))
        };
        let tensor = file.get(name).ok_or_else(|| wrong("no tensor"))?;
        let rows = tensor.to_vec2::<f32>().map_err(|e| wrong(&format!("not cosines and scores ({e})")))?;
        let [cosines, human] = <[Vec<f32>; 2]>::try_from(rows).map_err(|_| wrong("not two rows"))?;
        Ok((name.to_owned(), PairScores { cosines, human }))
    };
    Ok(Some(tasks.into_iter().map(task).collect::<Result<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(cosines: &[f32], human: &[f32]) -> PairScores {
        PairScores { cosines: cosines.to_vec(), human: human.to_vec() }
    }

    #[test]
    fn cosines_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::new(folder.path());
        assert_eq!(load_cosines(&run, ["STS12"]).unwrap(), None);
        let tasks: Named<PairScores> = [
            ("STS12".to_owned(), pairs(&[0.1, -0.3, 1.0], &[2.6, 0.0, 5.0])),
            ("One".to_owned(), pairs(&[0.5], &[3.0])),
        ]
        .into_iter()
        .collect();
        save_cosines(&run, &tasks).unwrap();
        assert_eq!(load_cosines(&run, ["STS12", "One"]).unwrap(), Some(tasks));
        let error = load_cosines(&run, ["STS13"]).unwrap_err().to_string();
        assert!(error.contains("cosines.safetensors") && error.contains("STS13"), "{error}");
    }

    #[test]
    fn other_tensors_are_rejected() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::new(folder.path());
        let path = run.cosines();
        for tensor in [
            Tensor::zeros((3, 2), candle_core::DType::F32, &Device::Cpu),
            Tensor::new(&[1_u32], &Device::Cpu),
        ] {
            save_safetensors(&path, &[("STS12".to_owned(), tensor.unwrap())]).unwrap();
            assert!(load_cosines(&run, ["STS12"]).is_err());
        }
        std::fs::write(&path, b"cut off").unwrap();
        assert!(load_cosines(&run, ["STS12"]).is_err());
    }
}
