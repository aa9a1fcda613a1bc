//! Remarks that approve or disapprove.

use std::collections::HashSet;

use micse_random::Draws;

use super::areas::AREAS;
use super::{capitalised, one_of};

const OPENINGS: [&str; 8] = [
    "this time",
    "to be honest",
    "in my view",
    "once again",
    "as always",
    "frankly",
    "on our visit",
    "in short",
];

/// `count` different approving remarks, and as many disapproving ones.
pub(super) fn sentences(mut draws: Draws, count: usize) -> [Vec<String>; 2] {
    let mut seen = HashSet::new();
    [true, false].map(|approves| {
        let mut sentences = Vec::new();
        while sentences.len() < count {
            let sentence = sentence(&mut draws, approves);
            if seen.insert(sentence.clone()) {
                sentences.push(sentence);
            }
        }
        sentences
    })
}

fn sentence(draws: &mut Draws, approves: bool) -> String {
    let area = &AREAS[draws.below(AREAS.len() as u64) as usize];
    let (same, opposite) = if approves { (area.good, area.bad) } else { (area.bad, area.good) };
    let verdict = one_of(draws, area.verdicts[usize::from(!approves)]);
    let places = draws.distinct(area.parts.len(), 2);
    let [part, other] = [places[0], places[1]].map(|place| area.parts[place as usize]);
    let remark = one_of(draws, same);
    let opposed = one_of(draws, opposite);
    let opening = one_of(draws, &OPENINGS);
    let text = match draws.below(8) {
        0 => format!("{part} {remark} ."),
        1 => format!("{opening} , {part} {remark} ."),
        2 => format!("{part} {remark} , and {verdict} ."),
        3 => format!("although {part} {opposed} , {verdict} ."),
        4 => format!("{verdict} , even though {part} {opposed} ."),
        5 => format!("nobody can claim that {part} {opposed} , and {other} {remark} ."),
        6 => format!("{verdict} : {part} {remark} ."),
        _ => format!("{opening} , {verdict} , because {part} {remark} ."),
    };
    capitalised(&text)
}
