//! An evaluation as JSON, CSV and table.

use micse_eval::Evaluation;
use proptest::prelude::*;

const JSON: &str = r#"{
  "model": "toy",
  "pooling": "mean",
  "average": 72.25,
  "dev_spearman": 70.5,
  "alignment": 0.2,
  "uniformity": -2.125,
  "tasks": {
    "STS12": {
      "pairs": 5,
      "spearman": {
        "all": 72.5,
        "mean": 71.0,
        "wmean": 73.0
      },
      "pearson": {
        "all": 80.0,
        "mean": 81.0,
        "wmean": 82.0
      },
      "subsets": {
        "b, quoted": {
          "pairs": 3,
          "spearman": 70.0,
          "pearson": 79.0
        },
        "a": {
          "pairs": 2,
          "spearman": 72.0,
          "pearson": null
        }
      }
    },
    "SICKRelatedness": {
      "pairs": 0,
      "spearman": {
        "all": 72.0,
        "mean": 72.0,
        "wmean": 72.0
      },
      "pearson": {
        "all": null,
        "mean": null,
        "wmean": null
      },
      "subsets": {}
    }
  }
}"#;

#[test]
fn json_comes_back_as_it_was_written() {
    let evaluation = Evaluation::from_json(JSON).unwrap();
    assert_eq!(evaluation.to_json().unwrap(), JSON);
    assert!(evaluation.tasks.get("STS12").unwrap().subsets.get("a").unwrap().pearson.is_nan());
    assert!(Evaluation::from_json(r#"{"model": "m"}"#).is_err());
}

#[test]
fn csv_is_long() {
    let csv = Evaluation::from_json(JSON).unwrap().to_csv().unwrap();
    let expected = "\
task,subset,metric,aggregation,value,pairs
STS12,,spearman,all,72.5,5
STS12,,spearman,mean,71,5
STS12,,spearman,wmean,73,5
STS12,,pearson,all,80,5
STS12,,pearson,mean,81,5
STS12,,pearson,wmean,82,5
STS12,\"b, quoted\",spearman,,70,3
STS12,\"b, quoted\",pearson,,79,3
STS12,a,spearman,,72,2
STS12,a,pearson,,,2
SICKRelatedness,,spearman,all,72,0
SICKRelatedness,,spearman,mean,72,0
SICKRelatedness,,spearman,wmean,72,0
SICKRelatedness,,pearson,all,,0
SICKRelatedness,,pearson,mean,,0
SICKRelatedness,,pearson,wmean,,0
,,spearman,average,72.25,5
,,alignment,,0.2,
,,uniformity,,-2.125,
";
    assert_eq!(csv, expected);
}

#[test]
fn the_table_has_tasks_as_columns_and_the_fields_line_first() {
    let table = Evaluation::from_json(JSON).unwrap().to_table();
    let cells = |line: &str| -> Vec<String> {
        line.split(['│', '┆', '║'])
            .map(|cell| cell.trim().to_owned())
            .filter(|cell| !cell.is_empty())
            .collect()
    };
    let lines: Vec<Vec<String>> = table.lines().map(cells).filter(|cells| cells.len() > 1).collect();
    assert_eq!(lines[0], ["STS12", "SICKRelatedness", "average", "alignment", "uniformity"], "{table}");
    assert_eq!(lines[1], ["spearman, all", "72.50", "72.00", "72.25", "0.20", "-2.12"], "{table}");
    assert_eq!(lines[2], ["spearman, mean", "71.00", "72.00", "71.50"], "{table}");
    assert_eq!(lines[4], ["pearson, all", "80.00", "-", "-"], "{table}");
}

proptest! {
    #[test]
    fn every_number_survives_json(average in -100.0_f64..100.0, uniformity in prop::option::of(-4.0_f64..0.0)) {
        let evaluation = Evaluation { average, uniformity, ..Evaluation::from_json(JSON).unwrap() };
        let back = Evaluation::from_json(&evaluation.to_json().unwrap()).unwrap();
        prop_assert_eq!((back.average, back.uniformity), (average, uniformity));
    }
}
