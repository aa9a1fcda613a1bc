//! Treebanks in CoNLL-U.

use micse_data::{TreeEquality, read_treebank};

use crate::told;

const SHORT: &str = "# text = It rained.\n1\tIt\tit\tPRON\t_\t_\t2\tnsubj\t_\t_\n2\trained\train\tVERB\t_\t_\t0\troot\t_\t\
                     SpaceAfter=No\n3\t.\t.\tPUNCT\t_\t_\t2\tpunct\t_\t_\n\n";
const RANGES: &str = "1-2\tdon't\t_\t_\t_\t_\t_\t_\t_\t_\n1\tdo\tdo\tAUX\t_\t_\t3\taux\t_\t_\n2\tn't\tnot\tPART\t_\t_\t\
                      3\tadvmod\t_\t_\n2.1\tyou\t_\t_\t_\t_\t_\t_\t3:nsubj\t_\n3\tgo\tgo\tVERB\t_\t_\t0\troot\t_\t_\n";

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    vec![SHORT.into(), RANGES.into(), [SHORT, RANGES].concat().into_bytes()]
}

/// Reads a treebank.
pub(crate) fn read(bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trees.conllu");
    std::fs::write(&path, bytes).expect("a file");
    for sentence in told(read_treebank(&[path]), "trees.conllu")? {
        let heads = sentence.tree(TreeEquality::Shape);
        assert_eq!(heads.split(' ').count(), sentence.words.len());
        assert_eq!(heads.split(' ').filter(|head| *head == "0").count(), 1);
    }
    Ok(())
}
