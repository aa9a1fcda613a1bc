//! The findings about a model without an encoder.

use crate::model::{Pooling, StaticFolder, StaticModel};

use super::{
    EXAMPLE, Report, TokenVectors, TokenizerFacts, front_matter, name_of, noted, prompts, weights_facts,
};

impl Report {
    pub(super) fn of_token_vectors(folder: &StaticFolder) -> Self {
        let mut report = Self {
            folder: folder.root().display().to_string(),
            pooling: Some(Pooling::Mean.name()),
            card: front_matter(folder.root()),
            ..Self::default()
        };
        let problems = &mut report.problems;
        report.weights = noted(problems, folder.checkpoint()).map(|weights| weights_facts(&weights));
        let modules = noted(problems, folder.modules()).unwrap_or_default();
        report.modules = modules.iter().map(|module| module.class_name().to_owned()).collect();
        report.unknown_keys = noted(problems, folder.unknown_keys()).unwrap_or_default();
        report.prompts = prompts(problems, folder.root());
        if let Some(model) = noted(problems, StaticModel::load(folder)) {
            report.tokenizer = noted(problems, tokenizer(folder, &model));
            report.token_vectors = Some(TokenVectors {
                library: folder.library(),
                vocabulary: model.vocabulary_size(),
                dimension: model.token_dimension(),
                parameters: model.parameter_count(),
            });
            report.max_length = model.max_length();
            report.prompt = Some(model.prompt().to_owned()).filter(|prompt| !prompt.is_empty());
            report.dimension = Some(model.dimension());
            report.truncate_dim = model.truncate_dim();
        }
        report
    }
}

fn tokenizer(folder: &StaticFolder, model: &StaticModel) -> crate::model::Result<TokenizerFacts> {
    let ids = model.ids(EXAMPLE)?;
    Ok(TokenizerFacts {
        file: name_of(&folder.tokenizer_path()),
        vocabulary: model.vocabulary_size(),
        mask_token: None,
        example: ids.into_iter().filter_map(|id| model.token(id)).collect(),
    })
}
