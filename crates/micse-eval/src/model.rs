//! Models of `micse-model` as [`Embedder`]s.

use micse_model::{Model, SentenceModel, StaticModel};

use crate::Embedder;

macro_rules! embedder {
    ($model:ty) => {
        impl Embedder for $model {
            fn dimension(&self) -> usize {
                <$model>::dimension(self)
            }

            fn truncate_dim(&self) -> Option<usize> {
                <$model>::truncate_dim(self)
            }

            fn embed(
                &self,
                sentences: &[&str],
            ) -> Result<Vec<Vec<f32>>, Box<dyn std::error::Error + Send + Sync>> {
                Ok(self.encode(sentences)?)
            }
        }
    };
}

embedder!(SentenceModel<'_>);
embedder!(StaticModel);
embedder!(Model);
