//! Whitening and flows: their fit against numpy and PyTorch, their folders, what they refuse.

mod common;
mod flow_fit;
mod flow_network;
mod stage;
mod whitening;
