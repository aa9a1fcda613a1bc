//! The recipes that the library carries.

const RECIPES: [(&str, &str); 6] = [
    ("simcse", include_str!("../../recipes/simcse.toml")),
    ("simcse-mlm", include_str!("../../recipes/simcse-mlm.toml")),
    ("ami-simcse", include_str!("../../recipes/ami-simcse.toml")),
    ("ami-simcse@released-code", include_str!("../../recipes/ami-simcse@released-code.toml")),
    ("moco-simcse", include_str!("../../recipes/moco-simcse.toml")),
    ("micse", include_str!("../../recipes/micse.toml")),
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
            let recipe = Recipe::load(name, &[]).expect(name);
            assert_eq!(recipe.name, name);
            let again = toml::to_string(&recipe).expect(name);
            assert_eq!(Recipe::parse(name, &again).expect(name), recipe, "{name} does not survive writing");
        }
    }
}
