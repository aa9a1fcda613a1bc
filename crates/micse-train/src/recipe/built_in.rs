//! The built-in recipes.

/// Names and contents, in table order: baselines, then methods by year.
const RECIPES: [(&str, &str); 47] = [
    ("bert-cls", include_str!("../../recipes/bert-cls.toml")),
    ("bert-mean", include_str!("../../recipes/bert-mean.toml")),
    ("bert-first-last-avg", include_str!("../../recipes/bert-first-last-avg.toml")),
    ("bert-emb-last-avg", include_str!("../../recipes/bert-emb-last-avg.toml")),
    ("bert-top2-avg", include_str!("../../recipes/bert-top2-avg.toml")),
    ("bert-whitening", include_str!("../../recipes/bert-whitening.toml")),
    ("bert-flow", include_str!("../../recipes/bert-flow.toml")),
    ("bert-flow@released-code", include_str!("../../recipes/bert-flow@released-code.toml")),
    ("is-bert", include_str!("../../recipes/is-bert.toml")),
    ("is-bert@released-code", include_str!("../../recipes/is-bert@released-code.toml")),
    ("sg-opt", include_str!("../../recipes/sg-opt.toml")),
    ("sg-opt@released-code", include_str!("../../recipes/sg-opt@released-code.toml")),
    ("ct", include_str!("../../recipes/ct.toml")),
    ("ami-ct", include_str!("../../recipes/ami-ct.toml")),
    ("scd", include_str!("../../recipes/scd.toml")),
    ("scd@released-code", include_str!("../../recipes/scd@released-code.toml")),
    ("mirror-bert", include_str!("../../recipes/mirror-bert.toml")),
    ("mirror-bert-cls", include_str!("../../recipes/mirror-bert-cls.toml")),
    ("mirror-bert@released-code", include_str!("../../recipes/mirror-bert@released-code.toml")),
    ("ami-mirror-bert", include_str!("../../recipes/ami-mirror-bert.toml")),
    ("ami-mirror-bert-cls", include_str!("../../recipes/ami-mirror-bert-cls.toml")),
    ("simcse", include_str!("../../recipes/simcse.toml")),
    ("simcse-baseline", include_str!("../../recipes/simcse-baseline.toml")),
    ("crop-simcse", include_str!("../../recipes/crop-simcse.toml")),
    ("simcse-mlm", include_str!("../../recipes/simcse-mlm.toml")),
    ("consert", include_str!("../../recipes/consert.toml")),
    ("consert-large", include_str!("../../recipes/consert-large.toml")),
    ("consert@released-code", include_str!("../../recipes/consert@released-code.toml")),
    ("vascl", include_str!("../../recipes/vascl.toml")),
    ("vascl@released-code", include_str!("../../recipes/vascl@released-code.toml")),
    ("mocose", include_str!("../../recipes/mocose.toml")),
    ("mocose@released-code", include_str!("../../recipes/mocose@released-code.toml")),
    ("informin-cl", include_str!("../../recipes/informin-cl.toml")),
    ("informin-cl@released-code", include_str!("../../recipes/informin-cl@released-code.toml")),
    ("pcl", include_str!("../../recipes/pcl.toml")),
    ("pcl@released-code", include_str!("../../recipes/pcl@released-code.toml")),
    ("esimcse", include_str!("../../recipes/esimcse.toml")),
    ("esimcse@released-code", include_str!("../../recipes/esimcse@released-code.toml")),
    ("diffcse", include_str!("../../recipes/diffcse.toml")),
    ("diffcse@released-code", include_str!("../../recipes/diffcse@released-code.toml")),
    ("ami-simcse", include_str!("../../recipes/ami-simcse.toml")),
    ("ami-simcse@released-code", include_str!("../../recipes/ami-simcse@released-code.toml")),
    ("moco-simcse", include_str!("../../recipes/moco-simcse.toml")),
    ("simcse-positives", include_str!("../../recipes/simcse-positives.toml")),
    ("ami-simcse-positives", include_str!("../../recipes/ami-simcse-positives.toml")),
    ("micse", include_str!("../../recipes/micse.toml")),
    ("micse-small", include_str!("../../recipes/micse-small.toml")),
];

/// The names of the built-in recipes.
pub fn names() -> Vec<&'static str> {
    RECIPES.iter().map(|(name, _)| *name).collect()
}

pub(super) fn text(name: &str) -> Option<&'static str> {
    RECIPES.iter().find(|(n, _)| *n == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use crate::Recipe;

    #[test]
    fn every_built_in_recipe_is_valid_and_named_as_its_key() {
        for name in super::names() {
            let recipe = Recipe::load(name, &[]).expect(name).for_sentences(usize::MAX);
            assert_eq!(recipe.name, name);
            let again = toml::to_string(&recipe).expect(name);
            assert_eq!(
                Recipe::parse(name, &again).expect(name),
                recipe,
                "{name} changes when written and read again"
            );
        }
    }
}
