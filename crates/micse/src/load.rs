//! Loads a model by name.

use std::path::PathBuf;

use micse_data::Locator;
use micse_data::locate::DEMO;
use micse_files::RunFolder;
use micse_model::Model;

/// Why a model could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The model cannot be found.
    #[error(transparent)]
    Data(#[from] micse_data::Error),
    /// The folder is not a usable model.
    #[error(transparent)]
    Model(#[from] micse_model::Error),
    /// The Hub model cannot be downloaded.
    #[cfg(feature = "hub")]
    #[error(transparent)]
    Hub(#[from] micse_hub::Error),
    /// The run has no finished model.
    #[error(transparent)]
    Run(#[from] micse_files::NoModel),
}

/// Loads a model by name: a model folder, a run folder, a Hub model ID (feature `hub`, on by default), or `demo` for
/// the encoder shipped with the repository. If the folder does not define a pooling, use [`Model::load`],
/// which accepts one.
///
/// A Hub model is downloaded into the cache shared with Python's libraries, unless it is already there. A local folder
/// takes precedence over a Hub model of the same name. A name without an owner that the Hub does not have means the model
/// of `sentence-transformers` with that name.
///
/// # Errors
/// No model has this name, a download fails, a run is not finished, or the folder is not a usable model.
pub fn load(name: &str) -> Result<Model, LoadError> {
    Ok(Model::open(find(name)?)?)
}

/// The folder of the model that [`load`] would load, after a download if it is on the Hub.
///
/// # Errors
/// No model has this name, a download fails, or a run is not finished.
pub fn find(name: &str) -> Result<PathBuf, LoadError> {
    #[cfg(feature = "hub")]
    if is_on_hub(name) {
        return Ok(micse_hub::Hub::from_env()?.model(name, &mut |_| {})?);
    }
    find_here(name)
}

/// [`find`], with the events of a download; it ends soon after a stop was requested.
///
/// # Errors
/// The errors of [`find`], and [`micse_hub::Error::Stopped`].
#[cfg(feature = "hub")]
pub fn find_watched(
    name: &str,
    stop: &micse_train::Stop,
    progress: &mut micse_hub::Progress<'_>,
) -> Result<PathBuf, LoadError> {
    if is_on_hub(name) {
        return Ok(micse_hub::Hub::from_env()?.stopped_by(stop.flag()).model(name, progress)?);
    }
    find_here(name)
}

#[cfg(feature = "hub")]
fn is_on_hub(name: &str) -> bool {
    name != DEMO && !std::path::Path::new(name).exists() && micse_hub::is_hub_id(name)
}

/// A model that needs no download.
fn find_here(name: &str) -> Result<PathBuf, LoadError> {
    let run = RunFolder::new(name);
    if name == DEMO || !run.is_begun() {
        return Ok(Locator::from_env()?.model(Some(name))?.place);
    }
    Ok(run.finished_model()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_a_folder_or_to_a_reason() {
        assert!(find(DEMO).expect("the shipped encoder").join("config.json").is_file());
        let folder = tempfile::tempdir().expect("a folder");
        let name = folder.path().to_str().expect("UTF-8");
        assert_eq!(find(name).expect("a folder"), folder.path());
        std::fs::write(folder.path().join("run.toml"), "").expect("a file");
        assert!(find(name).expect_err("an unfinished run").to_string().contains("not finished"));
        std::fs::create_dir(folder.path().join("model")).expect("a folder");
        std::fs::write(folder.path().join("result.json"), "{}").expect("a file");
        assert!(find(name).expect_err("no model").to_string().contains("is missing"));
        std::fs::write(folder.path().join("model/model.safetensors"), "").expect("a file");
        assert_eq!(find(name).expect("a finished run"), folder.path().join("model"));
        assert!(load("./no/such/folder").is_err());
    }
}
