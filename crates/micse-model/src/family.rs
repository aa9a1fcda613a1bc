//! Families of BERT-like checkpoints: one network with different names, positions, token types, and a bias on
//! attention scores.
//!
//! | family | `model_type` | difference from BERT |
//! |---|---|---|
//! | [`Family::Bert`] | `bert` | none: BERT, its miniatures, MiniLM |
//! | [`Family::Roberta`] | `roberta` | positions begin at row `pad_token_id + 1` of the table
//! (`DistilRoBERTa` too) |
//! | [`Family::XlmRoberta`] | `xlm-roberta` | as RoBERTa |
//! | [`Family::Mpnet`] | `mpnet` | as RoBERTa, no token types, own names, learned bias by distance on
//! attention scores |
//! | [`Family::DistilBert`] | `distilbert` | no token types, own keys and names, no dropout after the
//! attention output |
//!
//! In this crate, in recipes and in training checkpoints, parameters have BERT's names. A family's own names
//! appear only in its files.

/// The kind of files that a checkpoint consists of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Family {
    /// Devlin et al. 2019.
    #[default]
    Bert,
    /// Liu et al. 2019.
    Roberta,
    /// Conneau et al. 2020.
    XlmRoberta,
    /// Sanh et al. 2019.
    DistilBert,
    /// Song et al. 2020.
    Mpnet,
}

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

const MPNET: Renames = &[
    (".attention.self.query.", ".attention.attn.q."),
    (".attention.self.key.", ".attention.attn.k."),
    (".attention.self.value.", ".attention.attn.v."),
    (".attention.output.dense.", ".attention.attn.o."),
    (".attention.output.LayerNorm.", ".attention.LayerNorm."),
];

impl Family {
    /// All families.
    pub const ALL: [Self; 5] = [Self::Bert, Self::Roberta, Self::XlmRoberta, Self::DistilBert, Self::Mpnet];

    /// The `model_type` of `config.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::Roberta => "roberta",
            Self::XlmRoberta => "xlm-roberta",
            Self::DistilBert => "distilbert",
            Self::Mpnet => "mpnet",
        }
    }

    /// The family of a `model_type`.
    ///
    /// # Errors
    /// The type is missing, or not supported.
    pub fn of_model_type(model_type: &str) -> crate::Result<Self> {
        Self::find(model_type).map_err(crate::Error::Input)
    }

    /// [`of_model_type`](Self::of_model_type), for errors that also name a file.
    pub(crate) fn find(model_type: &str) -> Result<Self, String> {
        if let Some(family) = Self::ALL.into_iter().find(|f| f.name() == model_type) {
            return Ok(family);
        }
        let known = Self::ALL.map(Self::name).join(", ");
        Err(match model_type {
            "" => format!("model_type is missing; it must be one of {known}"),
            other => format!("model_type is \"{other}\"; supported types are {known}"),
        })
    }

    /// The class of the plain encoder, for `architectures`.
    pub(crate) fn architecture(self) -> &'static str {
        match self {
            Self::Bert => "BertModel",
            Self::Roberta => "RobertaModel",
            Self::XlmRoberta => "XLMRobertaModel",
            Self::DistilBert => "DistilBertModel",
            Self::Mpnet => "MPNetModel",
        }
    }

    /// The prefix of tensor names in checkpoints that also contain a head.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Bert => "bert.",
            Self::Roberta | Self::XlmRoberta => "roberta.",
            Self::DistilBert => "distilbert.",
            Self::Mpnet => "mpnet.",
        }
    }

    /// The family's own name of the parameter with this BERT name.
    pub(crate) fn own_name(self, name: &str) -> String {
        let renames: [Renames; 2] = match self {
            Self::Bert => [&[], &[]],
            Self::Roberta | Self::XlmRoberta => [ROBERTA, &[]],
            Self::DistilBert => [DISTILBERT, &[]],
            // Its head has the RoBERTa names.
            Self::Mpnet => [ROBERTA, MPNET],
        };
        renames.into_iter().flatten().fold(name.to_owned(), |name, (bert, own)| name.replace(bert, own))
    }

    /// Whether positions begin after the padding row of the table.
    pub(crate) fn shifts_positions(self) -> bool {
        matches!(self, Self::Roberta | Self::XlmRoberta | Self::Mpnet)
    }

    /// Whether the family has a table of token types.
    pub fn has_token_types(self) -> bool {
        !matches!(self, Self::DistilBert | Self::Mpnet)
    }

    /// Whether attention scores have a learned bias by distance.
    pub(crate) fn biases_by_distance(self) -> bool {
        self == Self::Mpnet
    }

    /// Whether the masked-LM head always uses GELU, whatever the encoder's activation.
    pub(crate) fn head_has_gelu(self) -> bool {
        matches!(self, Self::Roberta | Self::XlmRoberta | Self::Mpnet)
    }

    /// Whether dropout is applied between the attention output and its residual.
    pub(crate) fn drops_attention_output(self) -> bool {
        self != Self::DistilBert
    }
}

impl std::fmt::Display for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_distilbert() {
        let own = |name: &str| Family::DistilBert.own_name(name);
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
        let own = |name: &str| Family::Mpnet.own_name(name);
        assert_eq!(own("encoder.layer.3.attention.self.key.bias"), "encoder.layer.3.attention.attn.k.bias");
        assert_eq!(
            own("encoder.layer.3.attention.output.dense.bias"),
            "encoder.layer.3.attention.attn.o.bias"
        );
        assert_eq!(own("encoder.layer.3.output.dense.bias"), "encoder.layer.3.output.dense.bias");
        assert_eq!(own("cls.predictions.transform.LayerNorm.weight"), "lm_head.layer_norm.weight");
    }

    #[test]
    fn what_is_not_supported_says_why() {
        assert_eq!(Family::find("xlm-roberta"), Ok(Family::XlmRoberta));
        assert!(Family::find("deberta").is_err_and(|e| e.contains("mpnet")));
        assert!(Family::find("t5").is_err_and(|e| e.contains("\"t5\"") && e.contains("distilbert")));
    }
}
