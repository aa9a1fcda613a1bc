//! The names of an encoder's parameters in the files of its family.
//!
//! `ModernBERT` normalizes the input of each block instead of the sum after it. The norm before a block is the norm after
//! the sum of the block before it, so that both orders have the same norms: `attention.output.LayerNorm` of a layer is
//! the norm before its feed-forward block (`mlp_norm`), `output.LayerNorm` the norm before the attention of the next
//! layer (`attn_norm`) or, in the last layer, `final_norm`. `intermediate.dense` contains the rows of the activated half
//! and those of the gates. `query`, `key` and `value` are one tensor in files (`Wqkv`).

use crate::Family;

/// Parts of BERT names and their replacements, applied in order.
type Renames = &'static [(&'static str, &'static str)];

const ROBERTA: Renames = &[
    ("cls.predictions.transform.dense.", "lm_head.dense."),
    ("cls.predictions.transform.LayerNorm.", "lm_head.layer_norm."),
    ("cls.predictions.", "lm_head."),
];

const DISTILBERT: Renames = &[
    ("encoder.layer.", "transformer.layer."),
    (".attention.self.query.", ".attention.q_lin."),
    (".attention.self.key.", ".attention.k_lin."),
    (".attention.self.value.", ".attention.v_lin."),
    (".attention.output.dense.", ".attention.out_lin."),
    (".attention.output.LayerNorm.", ".sa_layer_norm."),
    (".intermediate.dense.", ".ffn.lin1."),
    (".output.dense.", ".ffn.lin2."),
    (".output.LayerNorm.", ".output_layer_norm."),
    ("cls.predictions.transform.dense.", "vocab_transform."),
    ("cls.predictions.transform.LayerNorm.", "vocab_layer_norm."),
    ("cls.predictions.decoder.", "vocab_projector."),
    ("cls.predictions.", "vocab_projector."),
];

const MODERNBERT: Renames = &[
    ("encoder.layer.", "layers."),
    ("embeddings.word_embeddings.", "embeddings.tok_embeddings."),
    ("embeddings.LayerNorm.", "embeddings.norm."),
    (".attention.output.dense.", ".attn.Wo."),
    (".attention.output.LayerNorm.", ".mlp_norm."),
    (".intermediate.dense.", ".mlp.Wi."),
    (".output.dense.", ".mlp.Wo."),
    ("cls.predictions.transform.dense.", "head.dense."),
    ("cls.predictions.transform.LayerNorm.", "head.norm."),
    ("cls.predictions.decoder.", "decoder."),
    ("cls.predictions.", "decoder."),
];

const ELECTRA: Renames = &[
    ("embeddings.projection.", "embeddings_project."),
    ("cls.predictions.transform.", "generator_predictions."),
    ("cls.predictions.decoder.", "generator_lm_head."),
    ("cls.predictions.", "generator_lm_head."),
];

const MPNET: Renames = &[
    (".attention.self.query.", ".attention.attn.q."),
    (".attention.self.key.", ".attention.attn.k."),
    (".attention.self.value.", ".attention.attn.v."),
    (".attention.output.dense.", ".attention.attn.o."),
    (".attention.output.LayerNorm.", ".attention.LayerNorm."),
];

/// The family's own name of the parameter with this BERT name, except for the differences that [`Names`] knows.
fn renamed(family: Family, name: &str) -> String {
    let renames: [Renames; 2] = match family {
        Family::Bert => [&[], &[]],
        Family::Roberta | Family::XlmRoberta => [ROBERTA, &[]],
        Family::DistilBert => [DISTILBERT, &[]],
        // Its head has the RoBERTa names.
        Family::Mpnet => [ROBERTA, MPNET],
        Family::ModernBert => [MODERNBERT, &[]],
        Family::Electra => [ELECTRA, &[]],
    };
    renames.into_iter().flatten().fold(name.to_owned(), |name, (bert, own)| name.replace(bert, own))
}

/// The names of an encoder's parameters in its files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Names {
    family: Family,
    /// Number of layers of the encoder.
    layers: usize,
}

/// The place of a parameter in its family's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnPlace {
    /// Name of the tensor.
    pub(crate) name: String,
    /// (index, count) if the tensor consists of several parameters, one below the other.
    pub(crate) part: Option<(usize, usize)>,
}

impl Names {
    pub(crate) fn new(family: Family, layers: usize) -> Self {
        Self { family, layers }
    }

    /// The prefix of tensor names in checkpoints that also contain a head.
    pub(crate) fn prefix(self) -> &'static str {
        self.family.prefix()
    }

    /// The place of the parameter with this BERT name.
    pub(crate) fn own(self, name: &str) -> OwnPlace {
        let whole = |name: String| OwnPlace { name, part: None };
        let layer = name.strip_prefix("encoder.layer.").and_then(|rest| rest.split_once('.'));
        let layer = layer.and_then(|(number, rest)| Some((number.parse::<usize>().ok()?, rest)));
        match (self.family, layer) {
            (Family::ModernBert, Some((number, "output.LayerNorm.weight"))) => {
                let next = number + 1;
                whole(if next == self.layers {
                    "final_norm.weight".into()
                } else {
                    format!("layers.{next}.attn_norm.weight")
                })
            }
            (Family::ModernBert, Some((number, rest))) => {
                let parts = ["query", "key", "value"];
                let part = parts.iter().position(|part| rest == format!("attention.self.{part}.weight"));
                match part {
                    Some(part) => OwnPlace {
                        name: format!("layers.{number}.attn.Wqkv.weight"),
                        part: Some((part, parts.len())),
                    },
                    None => whole(renamed(self.family, name)),
                }
            }
            _ => whole(renamed(self.family, name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_distilbert() {
        let own = |name: &str| Names::new(Family::DistilBert, 6).own(name).name;
        assert_eq!(
            own("encoder.layer.3.attention.self.query.weight"),
            "transformer.layer.3.attention.q_lin.weight"
        );
        assert_eq!(
            own("encoder.layer.3.attention.output.dense.bias"),
            "transformer.layer.3.attention.out_lin.bias"
        );
        assert_eq!(
            own("encoder.layer.3.attention.output.LayerNorm.bias"),
            "transformer.layer.3.sa_layer_norm.bias"
        );
        assert_eq!(own("encoder.layer.3.output.dense.weight"), "transformer.layer.3.ffn.lin2.weight");
        assert_eq!(
            own("encoder.layer.3.output.LayerNorm.weight"),
            "transformer.layer.3.output_layer_norm.weight"
        );
        assert_eq!(own("cls.predictions.bias"), "vocab_projector.bias");
        assert_eq!(own("embeddings.LayerNorm.weight"), "embeddings.LayerNorm.weight");
    }

    #[test]
    fn names_of_mpnet() {
        let own = |name: &str| Names::new(Family::Mpnet, 12).own(name).name;
        assert_eq!(own("encoder.layer.3.attention.self.key.bias"), "encoder.layer.3.attention.attn.k.bias");
        assert_eq!(
            own("encoder.layer.3.attention.output.dense.bias"),
            "encoder.layer.3.attention.attn.o.bias"
        );
        assert_eq!(own("encoder.layer.3.output.dense.bias"), "encoder.layer.3.output.dense.bias");
        assert_eq!(own("cls.predictions.transform.LayerNorm.weight"), "lm_head.layer_norm.weight");
    }

    #[test]
    fn names_of_modernbert() {
        let own = |name: &str| {
            let OwnPlace { name, part } = Names::new(Family::ModernBert, 4).own(name);
            (name, part)
        };
        let whole = |name: &str| (name.to_owned(), None);
        let qkv = "layers.3.attn.Wqkv.weight".to_owned();
        assert_eq!(own("encoder.layer.3.attention.self.key.weight"), (qkv, Some((1, 3))));
        for (bert, modern) in [
            ("embeddings.word_embeddings.weight", "embeddings.tok_embeddings.weight"),
            ("embeddings.LayerNorm.weight", "embeddings.norm.weight"),
            ("encoder.layer.2.attention.output.dense.weight", "layers.2.attn.Wo.weight"),
            ("encoder.layer.2.attention.output.LayerNorm.weight", "layers.2.mlp_norm.weight"),
            ("encoder.layer.2.intermediate.dense.weight", "layers.2.mlp.Wi.weight"),
            ("encoder.layer.2.output.dense.weight", "layers.2.mlp.Wo.weight"),
            ("encoder.layer.2.output.LayerNorm.weight", "layers.3.attn_norm.weight"),
            ("encoder.layer.3.output.LayerNorm.weight", "final_norm.weight"),
            ("cls.predictions.transform.dense.weight", "head.dense.weight"),
            ("cls.predictions.transform.LayerNorm.weight", "head.norm.weight"),
            ("cls.predictions.bias", "decoder.bias"),
        ] {
            assert_eq!(own(bert), whole(modern));
        }
    }
}
