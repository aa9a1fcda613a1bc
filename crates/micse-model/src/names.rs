//! The names of an encoder's parameters in the files of its family.
//!
//! `ModernBERT` normalizes the input of each block instead of the sum after it. The norm before a block is the norm after
//! the sum of the block before it, so that both orders have the same norms: `attention.output.LayerNorm` of a layer is
//! the norm before its feed-forward block (`mlp_norm`), `output.LayerNorm` the norm before the attention of the next
//! layer (`attn_norm`) or, in the last layer, `final_norm`.
//!
//! With a gate, the activated half of the feed-forward layer is `intermediate.dense`, the other `intermediate.gate`. The
//! two are one tensor in the files of `ModernBERT` (`Wi`) and, in the other order, of GTE (`up_gate_proj`), as `query`,
//! `key` and `value` are in those of families with rotary positions.

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

const ALBERT: Renames = &[
    ("embeddings.projection.", "encoder.embedding_hidden_mapping_in."),
    (".attention.self.", ".attention."),
    (".attention.output.", ".attention."),
    (".intermediate.dense.", ".ffn."),
    (".output.dense.", ".ffn_output."),
    (".output.LayerNorm.", ".full_layer_layer_norm."),
    ("cls.predictions.transform.", "predictions."),
    ("cls.predictions.", "predictions."),
];

const NOMIC: Renames = &[
    ("encoder.layer.", "encoder.layers."),
    ("embeddings.LayerNorm.", "emb_ln."),
    (".attention.output.dense.", ".attn.out_proj."),
    (".attention.output.LayerNorm.", ".norm1."),
    (".intermediate.dense.", ".mlp.fc12."),
    (".intermediate.gate.", ".mlp.fc11."),
    (".output.dense.", ".mlp.fc2."),
    (".output.LayerNorm.", ".norm2."),
    ("cls.predictions.transform.LayerNorm.", "cls.predictions.transform.layer_norm."),
];

const GTE: Renames = &[
    (".attention.output.dense.", ".attention.o_proj."),
    (".attention.output.LayerNorm.", ".attn_ln."),
    (".output.dense.", ".mlp.down_proj."),
    (".output.LayerNorm.", ".mlp_ln."),
    ("cls.predictions.transform.dense.", "lm_head.dense."),
    ("cls.predictions.transform.LayerNorm.", "lm_head.norm."),
    ("cls.predictions.decoder.", "lm_head.decoder."),
    ("cls.predictions.", "lm_head.decoder."),
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
        Family::Albert => [ALBERT, &[]],
        Family::NomicBert => [NOMIC, &[]],
        Family::Gte => [GTE, &[]],
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

/// The parameters of a layer that are one tensor in the family's files, in the order of its rows, and its name there.
type Joined = (&'static [&'static str], &'static str);

const QKV: &[&str] = &["attention.self.query.", "attention.self.key.", "attention.self.value."];

fn joined(family: Family) -> &'static [Joined] {
    match family {
        Family::ModernBert => {
            &[(QKV, "attn.Wqkv."), (&["intermediate.dense.", "intermediate.gate."], "mlp.Wi.")]
        }
        Family::NomicBert => &[(QKV, "attn.Wqkv.")],
        Family::Gte => &[
            (QKV, "attention.qkv_proj."),
            (&["intermediate.gate.", "intermediate.dense."], "mlp.up_gate_proj."),
        ],
        _ => &[],
    }
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

    /// The prefixes of tensor names in checkpoints that also contain a head.
    pub(crate) fn prefixes(self) -> &'static [&'static str] {
        self.family.prefixes()
    }

    /// The place of the parameter with this BERT name.
    pub(crate) fn own(self, name: &str) -> OwnPlace {
        let whole = |name: String| OwnPlace { name, part: None };
        let layer = name.strip_prefix("encoder.layer.").and_then(|rest| rest.split_once('.'));
        let layer = layer.and_then(|(number, rest)| Some((number.parse::<usize>().ok()?, rest)));
        let Some((number, rest)) = layer else { return whole(renamed(self.family, name)) };
        for (parts, joined) in joined(self.family) {
            let found = parts.iter().enumerate().find_map(|(i, part)| Some((i, rest.strip_prefix(part)?)));
            if let Some((part, end)) = found {
                let name = renamed(self.family, &format!("encoder.layer.{number}.{joined}{end}"));
                return OwnPlace { name, part: Some((part, parts.len())) };
            }
        }
        match self.family {
            Family::ModernBert if rest == "output.LayerNorm.weight" => {
                let next = number + 1;
                whole(if next == self.layers {
                    "final_norm.weight".into()
                } else {
                    format!("layers.{next}.attn_norm.weight")
                })
            }
            Family::Albert => {
                let rest = renamed(self.family, &format!(".{rest}"));
                whole(format!("encoder.albert_layer_groups.{number}.albert_layers.0{rest}"))
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
        let halves = "layers.2.mlp.Wi.weight".to_owned();
        assert_eq!(own("encoder.layer.2.intermediate.dense.weight"), (halves.clone(), Some((0, 2))));
        assert_eq!(own("encoder.layer.2.intermediate.gate.weight"), (halves, Some((1, 2))));
        for (bert, modern) in [
            ("embeddings.word_embeddings.weight", "embeddings.tok_embeddings.weight"),
            ("embeddings.LayerNorm.weight", "embeddings.norm.weight"),
            ("encoder.layer.2.attention.output.dense.weight", "layers.2.attn.Wo.weight"),
            ("encoder.layer.2.attention.output.LayerNorm.weight", "layers.2.mlp_norm.weight"),
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

    #[test]
    fn names_of_albert_nomic_and_gte() {
        let own = |family, name: &str| {
            let OwnPlace { name, part } = Names::new(family, 4).own(name);
            (name, part)
        };
        let whole = |name: &str| (name.to_owned(), None);
        let group = "encoder.albert_layer_groups.1.albert_layers.0";
        for (bert, albert) in [
            ("encoder.layer.1.attention.self.query.bias", format!("{group}.attention.query.bias")),
            ("encoder.layer.1.attention.output.dense.weight", format!("{group}.attention.dense.weight")),
            ("encoder.layer.1.attention.output.LayerNorm.bias", format!("{group}.attention.LayerNorm.bias")),
            ("encoder.layer.1.intermediate.dense.weight", format!("{group}.ffn.weight")),
            ("encoder.layer.1.output.dense.weight", format!("{group}.ffn_output.weight")),
            ("encoder.layer.1.output.LayerNorm.weight", format!("{group}.full_layer_layer_norm.weight")),
            ("embeddings.projection.weight", "encoder.embedding_hidden_mapping_in.weight".into()),
            ("cls.predictions.transform.LayerNorm.bias", "predictions.LayerNorm.bias".into()),
            ("cls.predictions.bias", "predictions.bias".into()),
        ] {
            assert_eq!(own(Family::Albert, bert), whole(&albert));
        }
        for (bert, nomic) in [
            ("embeddings.LayerNorm.bias", "emb_ln.bias"),
            ("encoder.layer.3.attention.output.dense.weight", "encoder.layers.3.attn.out_proj.weight"),
            ("encoder.layer.3.attention.output.LayerNorm.weight", "encoder.layers.3.norm1.weight"),
            ("encoder.layer.3.intermediate.dense.weight", "encoder.layers.3.mlp.fc12.weight"),
            ("encoder.layer.3.intermediate.gate.weight", "encoder.layers.3.mlp.fc11.weight"),
            ("encoder.layer.3.output.dense.weight", "encoder.layers.3.mlp.fc2.weight"),
            ("encoder.layer.3.output.LayerNorm.bias", "encoder.layers.3.norm2.bias"),
            ("cls.predictions.bias", "cls.predictions.bias"),
        ] {
            assert_eq!(own(Family::NomicBert, bert), whole(nomic));
        }
        let value = own(Family::NomicBert, "encoder.layer.0.attention.self.value.weight");
        assert_eq!(value, ("encoder.layers.0.attn.Wqkv.weight".into(), Some((2, 3))));
        let bias = own(Family::Gte, "encoder.layer.0.attention.self.key.bias");
        assert_eq!(bias, ("encoder.layer.0.attention.qkv_proj.bias".into(), Some((1, 3))));
        let halves = "encoder.layer.0.mlp.up_gate_proj.weight".to_owned();
        let activated = own(Family::Gte, "encoder.layer.0.intermediate.dense.weight");
        assert_eq!(activated, (halves.clone(), Some((1, 2))));
        assert_eq!(own(Family::Gte, "encoder.layer.0.intermediate.gate.weight"), (halves, Some((0, 2))));
        for (bert, gte) in [
            ("encoder.layer.0.attention.output.LayerNorm.weight", "encoder.layer.0.attn_ln.weight"),
            ("encoder.layer.0.output.dense.bias", "encoder.layer.0.mlp.down_proj.bias"),
            ("encoder.layer.0.output.LayerNorm.bias", "encoder.layer.0.mlp_ln.bias"),
            ("cls.predictions.transform.LayerNorm.bias", "lm_head.norm.bias"),
            ("cls.predictions.bias", "lm_head.decoder.bias"),
        ] {
            assert_eq!(own(Family::Gte, bert), whole(gte));
        }
    }
}
