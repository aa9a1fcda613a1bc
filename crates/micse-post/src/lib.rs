//! Post-processing of sentence embeddings.
