//! Remarks that approve or disapprove.

use std::collections::HashSet;

use micse_random::Draws;

use super::{capitalised, one_of};

/// Something that is judged: its parts, and what is said of a part.
struct Area {
    parts: &'static [&'static str],
    good: &'static [&'static str],
    bad: &'static [&'static str],
    /// Verdicts on the whole, approving and not.
    verdicts: [&'static [&'static str]; 2],
}

const AREAS: [Area; 8] = [
    Area {
        parts: &["the soup", "the curry", "the bread", "the fish", "the dessert", "the salad", "the roast"],
        good: &[
            "was fresh and full of flavour",
            "tasted wonderful",
            "came hot and quickly",
            "was cooked perfectly",
            "was worth every penny",
            "made us order a second plate",
            "was light and well seasoned",
        ],
        bad: &[
            "tasted of nothing",
            "arrived cold",
            "was burnt at the edges",
            "was greasy and far too salty",
            "went back to the kitchen",
            "was stale",
            "cost too much for so little",
        ],
        verdicts: [
            &[
                "we will gladly eat here again",
                "it was our best dinner of the year",
                "I recommend the place to friends",
            ],
            &["we will not come back", "the evening was a waste of money", "I warn everyone about the place"],
        ],
    },
    Area {
        parts: &[
            "the room",
            "the bed",
            "the bathroom",
            "the lobby",
            "the breakfast",
            "the pool",
            "the front desk",
        ],
        good: &[
            "was spotless and quiet",
            "was a pleasure every morning",
            "was better than in the pictures",
            "felt like home",
            "was clean and comfortable",
            "left nothing to wish for",
            "was bright and warm",
        ],
        bad: &[
            "smelled of smoke",
            "was dirty and noisy",
            "looked nothing like the pictures",
            "was cramped and damp",
            "was a disgrace",
            "had not been cleaned for days",
            "ruined our weekend",
        ],
        verdicts: [
            &["we slept very well", "we extended our stay by two nights", "this hotel deserves its stars"],
            &["we left a day early", "we asked for our money back", "this hotel does not deserve its stars"],
        ],
    },
    Area {
        parts: &[
            "the plot",
            "the acting",
            "the music",
            "the ending",
            "the dialogue",
            "the camera work",
            "the first hour",
        ],
        good: &[
            "was clever and moving",
            "kept us awake and laughing",
            "was a delight from start to finish",
            "surprised even the critics",
            "was tender without being sweet",
            "deserves a prize",
            "held everything together",
        ],
        bad: &[
            "was dull and predictable",
            "made no sense",
            "put half the audience to sleep",
            "was clumsy and loud",
            "insulted our intelligence",
            "was copied from better films",
            "dragged on forever",
        ],
        verdicts: [
            &[
                "I would watch it again tomorrow",
                "it is a small masterpiece",
                "the audience left with a smile",
            ],
            &["I want my two hours back", "it is a failure", "the audience left before the end"],
        ],
    },
    Area {
        parts: &[
            "the battery",
            "the screen",
            "the camera",
            "the keyboard",
            "the speaker",
            "the charger",
            "the software",
        ],
        good: &[
            "works like a charm",
            "lasts longer than promised",
            "is sharp and reliable",
            "is a joy to use",
            "does its job without a fault",
            "beats every rival",
            "has never let me down",
        ],
        bad: &[
            "broke within a week",
            "fails every other day",
            "is slow and unreliable",
            "feels cheap",
            "gets hot and then stops",
            "never worked properly",
            "is worse than that of my old one",
        ],
        verdicts: [
            &["I would buy this phone again", "it is excellent value", "I am delighted with it"],
            &["I sent this phone back", "it is overpriced junk", "I regret buying it"],
        ],
    },
    Area {
        parts: &[
            "the teacher",
            "the textbook",
            "the schedule",
            "the first lesson",
            "the homework",
            "the exam",
            "the group",
        ],
        good: &[
            "was patient and inspiring",
            "was a great help",
            "made a hard subject easy",
            "was fair and well prepared",
            "kept everyone curious",
            "was exactly what I needed",
            "was organised with care",
        ],
        bad: &[
            "was confusing from the start",
            "was a mess",
            "bored everyone",
            "was unfair and badly prepared",
            "taught us nothing",
            "was full of mistakes",
            "wasted our time",
        ],
        verdicts: [
            &[
                "I learned more than I hoped",
                "I signed up for the next course",
                "the course was time well spent",
            ],
            &["I learned next to nothing", "I dropped the course", "the course was money thrown away"],
        ],
    },
    Area {
        parts: &[
            "the driver",
            "the train",
            "the bus",
            "the seat",
            "the ticket office",
            "the ferry",
            "the guide",
        ],
        good: &[
            "was punctual and friendly",
            "was comfortable all the way",
            "made the trip easy",
            "was helpful",
            "was safe and smooth",
            "was a pleasant surprise",
            "took good care of us",
        ],
        bad: &[
            "was two hours late",
            "was rude and unhelpful",
            "spoiled the trip",
            "was filthy",
            "never turned up",
            "broke down twice",
            "left us standing in the rain",
        ],
        verdicts: [
            &[
                "the journey was a pleasure",
                "we would travel with them again",
                "we arrived rested and on time",
            ],
            &[
                "the journey was a nightmare",
                "we will never travel with them again",
                "we missed our flight because of them",
            ],
        ],
    },
    Area {
        parts: &[
            "the plumber",
            "the paint",
            "the new roof",
            "the estimate",
            "the workshop",
            "the garden gate",
            "the boiler",
        ],
        good: &[
            "was first class",
            "was done neatly and on time",
            "has held up beautifully",
            "was honest and careful",
            "was cheaper than we feared",
            "solved the problem at once",
            "was finished a day early",
        ],
        bad: &[
            "was a botched job",
            "had to be done twice",
            "leaks again",
            "was careless and expensive",
            "caused more damage than it repaired",
            "was left unfinished",
            "cost twice what was agreed",
        ],
        verdicts: [
            &["I would hire this firm again", "the neighbours are jealous", "we are more than satisfied"],
            &[
                "I would not hire this firm again",
                "we are still waiting for an apology",
                "we are deeply disappointed",
            ],
        ],
    },
    Area {
        parts: &[
            "the novel",
            "the first chapter",
            "the translation",
            "the hero",
            "the style",
            "the last page",
            "the cover",
        ],
        good: &[
            "is beautiful",
            "is gripping and wise",
            "kept me up all night",
            "is full of wit",
            "stays in the memory",
            "is elegant and clear",
            "rewards every minute",
        ],
        bad: &[
            "is tedious",
            "is shallow and full of stock phrases",
            "made me give up",
            "is clumsy",
            "is forgotten at once",
            "is confused and pretentious",
            "disappoints on every page",
        ],
        verdicts: [
            &[
                "I gave copies to all my friends",
                "I could not put it down",
                "this author keeps getting better",
            ],
            &["I could not finish it", "I gave it away", "this author has nothing left to write"],
        ],
    },
];

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
