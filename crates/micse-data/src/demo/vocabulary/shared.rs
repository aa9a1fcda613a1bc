//! Words shared by all domains: times, manners, adjectives by class, names, numbers.

/// Names with a masculine pronoun.
pub(super) const MEN: &str = "John, David, Peter, Thomas, Robert, Paul, George, Henry, Daniel, Martin, Frank, Simon, \
    Arthur, Adam, Edward, Philip, Samuel, Oscar, Victor, Ahmed, Carlos, Ivan";

/// Names with a feminine pronoun.
pub(super) const WOMEN: &str = "Mary, Anna, Sarah, Emma, Laura, Alice, Helen, Julia, Clara, Ruth, Susan, Maria, \
    Elizabeth, Jane, Nina, Sofia, Margaret, Rosa, Diana, Grace, Lucy, Fatima";

/// Adjectives for people.
pub(super) const PERSON_ADJECTIVES: &str = "young/youthful, old/elderly, tall, tired/weary/exhausted, busy, \
    clever/smart/bright, kind/good-natured, poor, proud, quiet/silent, strong, nervous/anxious, cheerful/happy, \
    angry/furious, careful/cautious, lazy/idle, polite/courteous, honest/sincere, stubborn/obstinate";

/// Adjectives for animals.
pub(super) const ANIMAL_ADJECTIVES: &str = "young, old, hungry/starving, wild, small/little, large/big, brown, \
    white, frightened/scared, thin/skinny, fat, quick/fast";

/// How people do things.
pub(super) const PERSON_MANNERS: &str = "quickly/rapidly/swiftly, slowly, carefully/cautiously/with care, \
    quietly/silently/without a sound, happily/cheerfully, angrily/furiously, eagerly/enthusiastically/with \
    enthusiasm, reluctantly/unwillingly, proudly/with pride, patiently/with patience, secretly/in secret, \
    suddenly/all of a sudden, easily/without effort, with difficulty/with some trouble, calmly/in a calm way, \
    hastily/in a hurry, deliberately/on purpose, openly/in public";

/// How animals do things.
pub(super) const ANIMAL_MANNERS: &str = "quickly/rapidly/swiftly, slowly, quietly/silently/without a sound, \
    suddenly/all of a sudden, nervously/anxiously, noisily/loudly";

/// How things happen.
pub(super) const THING_MANNERS: &str = "suddenly/all of a sudden, slowly/gradually, quickly/rapidly, \
    partly/in part, unexpectedly/without warning";

/// Times for the past tense.
pub(super) const PAST_TIMES: &str = "yesterday, last week, last month, last year, last summer, a few days ago/some \
    days ago, two weeks ago/a fortnight ago, a year ago, three months ago, long ago/a long time ago, \
    on Monday, on Tuesday, on Wednesday, on Thursday, on Friday, in January, in March, in May, in August, in October, \
    last night/yesterday evening, earlier this week, once/at one time";

/// Times for every tense but the perfect.
pub(super) const ANY_TIMES: &str = "in the morning, at noon/at midday, before sunrise/before dawn, after dark/after \
    nightfall, in the afternoon, in the evening, in the middle of the night/late at night, during the holidays/over \
    the holidays, in spring/in springtime, in the summer, in autumn/in the fall, in winter/in wintertime, at the \
    weekend/on the weekend, after lunch/after the midday meal, before breakfast, at midnight, during the \
    break/during the pause";

/// Times for habits.
pub(super) const HABIT_TIMES: &str = "every day/each day, every morning/each morning, on most days, twice a week, once \
    a year, on Sundays/every Sunday, these days/nowadays, now and then/from time to time/occasionally, every \
    evening/each evening, every winter/each winter";

/// Times for ongoing events.
pub(super) const NOW_TIMES: &str = "right now/at this very moment, at the moment/at present, today, this morning, \
    this week";

/// Times for the future.
pub(super) const FUTURE_TIMES: &str = "tomorrow, next week, next month, next year, soon/before long, in two \
    days/in two days' time, later today, tonight/this evening, by the end of the month, the day after tomorrow";

/// Times for the perfect.
pub(super) const PERFECT_TIMES: &str = "twice/two times, recently/lately, this year, so far/until now, many \
    times/on many occasions, since the spring";

/// Adjectives of one scale: no two of them describe the same thing at once.
pub(in crate::demo) const SCALES: [&[&str]; 19] = [
    &["new", "old", "ancient", "modern", "young", "ruined", "outdated", "contemporary", "historic", "novel"],
    &["large", "small", "tiny", "enormous", "massive", "short", "long", "tall", "brief", "narrow"],
    &["hot", "cold", "warm", "frozen", "freezing"],
    &["cheap", "expensive", "free", "valuable", "precious", "luxurious", "costly"],
    &["fast", "slow", "quick", "speedy", "rapid"],
    &["rich", "poor", "wealthy", "humble"],
    &["high", "low", "average"],
    &["heavy", "light"],
    &["fresh", "dry", "raw", "frozen", "stale", "juicy", "smoked"],
    &["strong", "weak", "fragile", "powerful", "faint"],
    &["dirty", "clean", "tidy", "dusty", "muddy"],
    &["healthy", "damaged", "sick", "dead", "injured", "broken", "left", "right"],
    &["simple", "complicated", "easy", "difficult", "controversial", "basic", "advanced"],
    &["sad", "funny", "boring", "interesting", "exciting", "cheerful", "angry"],
    &["sweet", "sour", "bitter", "salty"],
    &["smooth", "rough", "soft", "fine", "solid", "cracked"],
    &["black", "white", "red", "green", "blue", "yellow", "brown", "golden", "colourful", "striped"],
    &["mild", "severe", "serious", "harsh", "sudden", "harmless", "violent", "terrible", "deep"],
    &[
        "first",
        "final",
        "daily",
        "weekly",
        "annual",
        "early",
        "official",
        "secret",
        "local",
        "public",
        "worldwide",
    ],
];

/// Number words from two upwards, for plurals.
pub(in crate::demo) const COUNTS: [&str; 14] = [
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "twenty",
    "fifty",
    "a hundred",
];
