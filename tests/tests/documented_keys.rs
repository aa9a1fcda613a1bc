//! docs/model-folders.md lists the keys known to the code.

use std::fmt::Write;

use micse_model::KNOWN_KEYS;
use micse_tests::root;

#[test]
fn the_table_of_keys_is_that_of_the_code() {
    let mut table = String::from("| file | key | | how |\n|---|---|---|---|\n");
    for known in KNOWN_KEYS {
        let keys: Vec<String> = known.keys.iter().map(|key| format!("`{key}`")).collect();
        writeln!(
            table,
            "| {} | {} | {} | {} |",
            known.file,
            keys.join(", "),
            known.treatment.name(),
            known.how
        )
        .expect("text");
    }
    let path = root().join("docs/model-folders.md");
    let text = std::fs::read_to_string(&path).expect("the document");
    let (head, rest) = text.split_once("<!-- keys -->\n").expect("the table's place");
    let (found, tail) = rest.split_once("<!-- /keys -->").expect("the table's end");
    let message =
        "update the table: MICSE_WRITE_DOCS=1 cargo test --release --workspace --test documented_keys";
    if std::env::var_os("MICSE_WRITE_DOCS").is_some() {
        std::fs::write(&path, format!("{head}<!-- keys -->\n{table}<!-- /keys -->{tail}"))
            .expect("the document");
    } else {
        assert_eq!(found, table, "{message}");
    }
}
