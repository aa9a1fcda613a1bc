//! Questions by the type of their answer.

use micse_random::Draws;

use super::shuffled;

/// Questions of one type: patterns with the subtype, and what they ask about. `~` stands for one of the things.
struct Kind {
    label: &'static str,
    sets: &'static [(&'static [&'static str], &'static [&'static str])],
}

const KINDS: [Kind; 6] = [
    Kind {
        label: "ABBR",
        sets: &[(
            &[
                "exp What does ~ stand for ?",
                "exp What is the full form of ~ ?",
                "exp What do the letters ~ mean ?",
                "exp What is ~ short for ?",
                "exp Which words does the abbreviation ~ replace ?",
            ],
            &[
                "CPU", "NATO", "DNA", "UNESCO", "GPS", "PDF", "AIDS", "BBC", "VIP", "RSVP", "OPEC", "LED",
                "ATM", "CEO", "FAQ", "GDP", "HTML", "IQ", "NASA", "PhD", "RAM", "SMS", "UFO", "USB", "WHO",
                "ZIP",
            ],
        )],
    },
    Kind {
        label: "DESC",
        sets: &[
            (
                &[
                    "def What is ~ ?",
                    "def What do people mean by ~ ?",
                    "desc What is ~ used for ?",
                    "manner How does ~ work ?",
                    "desc What should a beginner know about ~ ?",
                ],
                &[
                    "a transistor",
                    "photosynthesis",
                    "a pulley",
                    "inflation",
                    "a sundial",
                    "an amoeba",
                    "irony",
                    "a mortgage",
                    "a catalyst",
                    "osmosis",
                    "a haiku",
                    "a periscope",
                    "yeast",
                    "a gyroscope",
                    "radar",
                    "a glacier",
                    "a fugue",
                    "a vaccine",
                    "a comet",
                    "a kiln",
                ],
            ),
            (
                &["reason Why ~ ?", "reason What is the reason that ~ ?"],
                &[
                    "leaves turn red",
                    "cats purr",
                    "the sea is salty",
                    "bread rises",
                    "iron rusts",
                    "stars twinkle",
                    "ice floats",
                    "people yawn",
                    "volcanoes erupt",
                    "onions sting the eyes",
                ],
            ),
        ],
    },
    Kind {
        label: "ENTY",
        sets: &[
            (
                &["animal What animal ~ ?", "animal Which creature ~ ?"],
                &[
                    "carries its house on its back",
                    "runs faster than any other",
                    "sleeps upside down",
                    "builds dams",
                    "has a pouch",
                    "changes its colour",
                    "lays the largest eggs",
                    "spins a web",
                    "never forgets",
                    "sings at night",
                    "lives longest",
                    "has black and white stripes",
                ],
            ),
            (
                &[
                    "other What kind of ~ is the most expensive ?",
                    "other Which ~ sold best last year ?",
                    "other What ~ was invented by accident ?",
                    "other What is the best-known ~ ?",
                ],
                &[
                    "wood",
                    "cheese",
                    "instrument",
                    "car",
                    "metal",
                    "dance",
                    "board game",
                    "colour",
                    "drink",
                    "fabric",
                    "flower",
                    "sport",
                    "language",
                    "tool",
                    "tree",
                ],
            ),
        ],
    },
    Kind {
        label: "HUM",
        sets: &[
            (
                &[
                    "ind Who invented ~ ?",
                    "ind Which person is famous for ~ ?",
                    "ind What is the name of the inventor of ~ ?",
                    "ind Who was the first to use ~ ?",
                ],
                &[
                    "the telephone",
                    "the steam engine",
                    "the printing press",
                    "the zip fastener",
                    "dynamite",
                    "the diesel engine",
                    "the saxophone",
                    "the light bulb",
                    "the microscope",
                    "the hot-air balloon",
                    "the barometer",
                    "the pencil",
                    "the bicycle",
                    "the thermos flask",
                    "penicillin",
                ],
            ),
            (
                &["gr Which team ~ ?", "ind Who ~ ?", "gr What company ~ ?"],
                &[
                    "won the last championship",
                    "built the longest bridge",
                    "painted the ceiling of the chapel",
                    "discovered the sea route to India",
                    "wrote the national anthem",
                    "crossed the desert on foot",
                    "launched the first satellite",
                    "owns the oldest brewery",
                    "conducted the orchestra",
                    "founded the city",
                ],
            ),
        ],
    },
    Kind {
        label: "LOC",
        sets: &[
            (
                &[
                    "other Where is ~ ?",
                    "country In which country is ~ ?",
                    "city What city is closest to ~ ?",
                    "other On which continent does one find ~ ?",
                    "other What is the location of ~ ?",
                ],
                &[
                    "the Sahara",
                    "Lake Titicaca",
                    "Mount Fuji",
                    "the Acropolis",
                    "the Black Forest",
                    "Niagara Falls",
                    "the Colosseum",
                    "the Gobi Desert",
                    "the Louvre",
                    "Angkor Wat",
                    "Loch Ness",
                    "the Alhambra",
                    "Table Mountain",
                    "the Great Barrier Reef",
                    "the Kremlin",
                    "Petra",
                    "Machu Picchu",
                    "the Danube delta",
                ],
            ),
            (
                &["other Where do ~ ?", "country What country do ~ in ?"],
                &[
                    "penguins breed",
                    "people grow vanilla",
                    "tourists ride camels",
                    "storks spend the winter",
                    "miners find opals",
                ],
            ),
        ],
    },
    Kind {
        label: "NUM",
        sets: &[
            (
                &[
                    "count How many ~ are there ?",
                    "count What is the number of ~ ?",
                    "count How many ~ does a person need ?",
                ],
                &[
                    "bones in a hand",
                    "moons of Jupiter",
                    "keys on a piano",
                    "players in a rugby team",
                    "islands in Greece",
                    "letters in the Greek alphabet",
                    "teeth in a horse",
                    "squares on a chessboard",
                    "stairs in the tower",
                    "words in a sonnet",
                ],
            ),
            (
                &[
                    "date When was ~ built ?",
                    "date In what year did ~ open ?",
                    "dist How tall is ~ ?",
                    "money How much did ~ cost ?",
                ],
                &[
                    "the Eiffel Tower",
                    "the Suez Canal",
                    "the opera house",
                    "the Brooklyn Bridge",
                    "the new stadium",
                    "the Channel Tunnel",
                    "the old lighthouse",
                    "the town hall",
                    "the observatory",
                    "the palace",
                ],
            ),
        ],
    },
];

/// Different questions for the two parts, each as `CLASS:subclass question`. The parts ask about different things.
pub(super) fn questions(mut draws: Draws, counts: [usize; 2]) -> [Vec<String>; 2] {
    let mut parts = [Vec::new(), Vec::new()];
    for kind in &KINDS {
        let mut of_kind = [Vec::new(), Vec::new()];
        for (patterns, things) in kind.sets {
            for (i, thing) in shuffled(&mut draws, things).into_iter().enumerate() {
                // Every third thing belongs to the test part.
                let part = &mut of_kind[usize::from(i % 3 == 2)];
                part.extend(
                    patterns.iter().map(|pattern| format!("{}:{}", kind.label, pattern.replace('~', thing))),
                );
            }
        }
        for ((part, mut found), count) in parts.iter_mut().zip(of_kind).zip(counts) {
            found = shuffled(&mut draws, &found);
            found.truncate(count / KINDS.len());
            part.extend(found);
        }
    }
    parts.map(|part| shuffled(&mut draws, &part))
}
