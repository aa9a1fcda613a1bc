//! Families of BERT-like checkpoints: one network with different names, positions, token types, a bias on attention
//! scores, and the place of LayerNorm.
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
//! | [`Family::Electra`] | `electra` | embeddings of a smaller width, and a projection to the hidden size |
//! | [`Family::Albert`] | `albert` | always a projection of the embeddings, layers of a group share their parameters,
//! own names, no dropout on the feed-forward output |
//! | [`Family::NomicBert`] | `nomic_bert` | rotary positions instead of a table, gated feed-forward layer, no biases
//! of linear layers, own names |
//! | [`Family::Gte`] | `gte`, `new` | as `NomicBERT`, but with biases, except in the first product of the feed-forward
//! layer; GTE 1.5 and its multilingual successor |
//! | [`Family::ModernBert`] | `modernbert` | rotary positions instead of a table, local attention in most layers,
//! LayerNorm before each block, gated feed-forward layer, no biases, no token types, own keys and names |
//!
//! In this crate, in recipes and in training checkpoints, parameters have BERT's names. A family's own names
//! appear only in its files (`names.rs`).

use crate::dropout::Site;

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
    /// Warner et al. 2024.
    ModernBert,
    /// Clark et al. 2020.
    Electra,
    /// Lan et al. 2020.
    Albert,
    /// Nussbaum et al. 2024.
    NomicBert,
    /// Zhang et al. 2024.
    Gte,
}

/// Linear layers that all have biases in a family, or none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Linears {
    /// Queries, keys, values, and the output of attention.
    Attention,
    /// The first of the feed-forward layer.
    Intermediate,
    /// The last of the feed-forward layer.
    Output,
}

impl Family {
    /// All families.
    pub const ALL: [Self; 10] = [
        Self::Bert,
        Self::Roberta,
        Self::XlmRoberta,
        Self::DistilBert,
        Self::Mpnet,
        Self::ModernBert,
        Self::Electra,
        Self::Albert,
        Self::NomicBert,
        Self::Gte,
    ];

    /// The `model_type` of `config.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::Roberta => "roberta",
            Self::XlmRoberta => "xlm-roberta",
            Self::DistilBert => "distilbert",
            Self::Mpnet => "mpnet",
            Self::ModernBert => "modernbert",
            Self::Electra => "electra",
            Self::Albert => "albert",
            Self::NomicBert => "nomic_bert",
            Self::Gte => "gte",
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
        // The name in checkpoints that are older than the class in transformers.
        let name = if model_type == "new" { Self::Gte.name() } else { model_type };
        if let Some(family) = Self::ALL.into_iter().find(|f| f.name() == name) {
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
            Self::ModernBert => "ModernBertModel",
            Self::Electra => "ElectraModel",
            Self::Albert => "AlbertModel",
            Self::NomicBert => "NomicBertModel",
            Self::Gte => "GteModel",
        }
    }

    /// The prefix of tensor names in checkpoints that also contain a head: that of transformers, and others that exist.
    pub(crate) fn prefixes(self) -> &'static [&'static str] {
        match self {
            Self::Bert => &["bert."],
            Self::Roberta | Self::XlmRoberta => &["roberta."],
            Self::DistilBert => &["distilbert."],
            Self::Mpnet => &["mpnet."],
            Self::ModernBert => &["model."],
            Self::Electra => &["electra."],
            Self::Albert => &["albert."],
            Self::NomicBert => &["nomic_bert.", "bert."],
            Self::Gte => &["gte.", "new."],
        }
    }

    /// Whether positions begin after the padding row of the table.
    pub(crate) fn shifts_positions(self) -> bool {
        matches!(self, Self::Roberta | Self::XlmRoberta | Self::Mpnet)
    }

    /// Whether the family has a table of token types; some models of the family GTE have none.
    pub fn has_token_types(self) -> bool {
        !matches!(self, Self::DistilBert | Self::Mpnet | Self::ModernBert)
    }

    /// Whether positions turn queries and keys, instead of a table that is added to the word embeddings.
    pub fn has_rotary(self) -> bool {
        matches!(self, Self::ModernBert | Self::NomicBert | Self::Gte)
    }

    /// Whether LayerNorm has offsets.
    pub(crate) fn has_offsets(self) -> bool {
        self != Self::ModernBert
    }

    /// Whether these linear layers have biases.
    pub(crate) fn has_bias(self, linears: Linears) -> bool {
        match self {
            Self::ModernBert | Self::NomicBert => false,
            Self::Gte => linears != Linears::Intermediate,
            _ => true,
        }
    }

    /// Whether the feed-forward layer multiplies its activation with a gate.
    pub fn is_gated(self) -> bool {
        matches!(self, Self::ModernBert | Self::NomicBert | Self::Gte)
    }

    /// Whether layers share their parameters.
    pub fn shares_layers(self) -> bool {
        self == Self::Albert
    }

    /// Whether LayerNorm is applied to the input of a block, beside the residual stream, instead of to the sum after
    /// it.
    pub(crate) fn normalizes_first(self) -> bool {
        self == Self::ModernBert
    }

    /// Whether attention scores have a learned bias by distance.
    pub(crate) fn biases_by_distance(self) -> bool {
        self == Self::Mpnet
    }

    /// Whether the family's plain model has tensors that the encoder does not use: a pooler, or tables of IDs.
    pub(crate) fn keeps_unused(self) -> bool {
        !matches!(self, Self::DistilBert | Self::ModernBert)
    }

    /// Whether embeddings may be narrower than the hidden size.
    pub fn projects_embeddings(self) -> bool {
        matches!(self, Self::Electra | Self::Albert)
    }

    /// Whether the masked-LM head always uses GELU, whatever the encoder's activation.
    pub(crate) fn head_has_gelu(self) -> bool {
        !matches!(self, Self::Bert | Self::DistilBert | Self::Albert | Self::NomicBert)
    }

    /// Whether the masked-LM head's linear layer has a bias, and its LayerNorm an offset.
    pub(crate) fn has_head_biases(self) -> bool {
        self != Self::ModernBert
    }

    /// Whether dropout is applied at a site.
    pub(crate) fn drops(self, site: Site) -> bool {
        match site {
            Site::Embeddings | Site::Attention => true,
            Site::AttentionOutput => self != Self::DistilBert,
            Site::Output => !matches!(self, Self::ModernBert | Self::Albert),
            Site::Gate => matches!(self, Self::ModernBert | Self::Gte),
        }
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
    fn what_is_not_supported_says_why() {
        assert_eq!(Family::find("xlm-roberta"), Ok(Family::XlmRoberta));
        assert!(Family::find("deberta").is_err_and(|e| e.contains("mpnet")));
        assert!(Family::find("t5").is_err_and(|e| e.contains("\"t5\"") && e.contains("distilbert")));
    }
}
