//! Every tensor of the reference files of the losses.

mod common;

use common::reference::Reference;

#[test]
fn infonce() {
    let reference = Reference::open("infonce");
    reference.compare(&reference.infonce(), &["z1", "z2", "queue"]);
}

#[test]
fn ami() {
    let reference = Reference::open("ami");
    reference.compare(&reference.ami(), &["w1", "w2", "attention_mask", "idx_distinct", "idx_repeated"]);
}

#[test]
fn ami_published() {
    let reference = Reference::open("ami_published");
    reference.compare(&reference.ami_published(), &["w1", "w2", "attention_mask", "idx"]);
}
