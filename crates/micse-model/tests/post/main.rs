//! Whitening and flows: their fits against numpy and PyTorch, their folders, and rejected input.

mod common;
mod flow_fit;
mod flow_network;
mod stage;
mod whitening;
