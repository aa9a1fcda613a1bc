//! A made-up sweep with known scores, and how to find a line of its tables.

use crate::common::Sweep;

/// Two tasks, whose scores have this average.
pub(crate) fn around(average: f64) -> [(&'static str, f64); 2] {
    [("SICKRelatedness", average + 1.0), ("STSBenchmark", average - 1.0)]
}

/// One untrained row, and three methods with three seeds at one of two sizes; `ct` has a different seed.
pub(crate) fn sweep() -> Sweep {
    let mut sweep = Sweep::new();
    sweep.cell("untrained (cls)", None, None, &around(50.0));
    for (seed, simcse, micse, scd) in [(1, 60.0, 63.0, 60.5), (2, 61.0, 64.1, 61.0), (3, 62.0, 64.9, 64.0)] {
        for (method, average) in [("simcse", simcse), ("micse", micse), ("scd", scd)] {
            sweep.cell(method, Some("10%"), Some(seed), &around(average));
        }
    }
    sweep.cell("ct", Some("10%"), Some(7), &around(58.0));
    sweep.cell("mocose", Some("10%"), Some(2), &around(66.0));
    sweep.cell("simcse", Some("100%"), Some(1), &around(70.0));
    sweep.planned("micse", Some("100%"), Some(1));
    sweep
}

/// The first line of the table that starts with these cells.
pub(crate) fn line<'a>(tables: &'a str, title: &str, start: &str) -> &'a str {
    let table = &tables[tables.find(title).unwrap_or_else(|| panic!("{title} is not in {tables}"))..];
    table.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start} is not in {table}"))
}
