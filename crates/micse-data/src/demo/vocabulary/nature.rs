//! Nature: weather, wild and tame animals, farming, the sea.

use super::table::{DomainTable, animals, event, event_at, intransitive, people, things};

pub(super) const WEATHER: DomainTable = DomainTable {
    name: "weather",
    group: "nature",
    years: (1950, 2019),
    kinds: &[
        things(
            "storm",
            "storm/tempest, hurricane, tornado/whirlwind, flood, blizzard/snowstorm, thunderstorm, avalanche, gale",
            "violent/fierce, sudden/unexpected, severe, terrible",
        ),
        things(
            "sky",
            "~rain, ~snow, ~fog/mist, ~hail, ~frost, ~sunshine, ~ice, ~sleet",
            "heavy, light, cold, early",
        ),
        people(
            "forecaster",
            "forecaster/weatherman, scientist, reporter/journalist, pilot, rescuer",
            "experienced/skilled, careful",
        ),
        people(
            "resident",
            "resident/inhabitant, villager, hiker/walker, driver/motorist, farmer, camper",
            "frightened/scared, local, worried/anxious",
        ),
        things(
            "structure",
            "roof, road, bridge, power line, barn, harbour wall, tent, railway line, greenhouse",
            "old, narrow, weak/fragile, new",
        ),
        things(
            "land",
            "field/meadow, forest/woodland, valley, village, hillside/slope, orchard, beach, coast/shore",
            "green, remote/distant, peaceful, muddy",
        ),
        things(
            "change",
            "drought, heat wave, cold front, rainbow, thaw, sunset/sundown, warm spell",
            "long, unusual/rare, short/brief, rapid",
        ),
        things(
            "record",
            "temperature, wind speed, warning/alert, weather map, report, snow depth",
            "daily, accurate/precise, new, official",
        ),
    ],
    events: &[
        event("storm", "destroy/wreck, damage/harm, hit/strike", "structure land"),
        event("storm", "flatten/level, tear down, sweep away/carry off", "structure"),
        event("sky", "cover/blanket, damage, hide/conceal, soak/drench", "land structure"),
        event("sky storm", "surprise, delay/hold up, trap", "resident forecaster"),
        event("forecaster", "predict/forecast, expect, describe, explain", "storm change"),
        event("forecaster", "measure, record/note down, publish, check/verify", "record"),
        event("forecaster", "warn/alert, save/rescue, calm/reassure", "resident"),
        event("resident", "repair/fix, rebuild/reconstruct, protect/shield, leave/abandon", "structure"),
        event("resident", "fear, photograph, survive/live through, watch/observe", "storm change"),
        event_at("forecaster", "report, send", "record", "to", "resident forecaster"),
        intransitive("storm", "approach/draw near, pass, weaken/die down, return/come back"),
        intransitive("resident", "run indoors/rush inside, freeze, slip, wait"),
    ],
    places: "in the north, along the coast, in the mountains/in the highlands, across the country/throughout the country, in the valley, on the islands",
    purposes: "to stay dry, to prevent accidents/to avoid accidents, to protect the crops, for the morning news",
    causes: "because of low pressure, because of the warm sea, without warning/unexpectedly, due to climate change",
};

pub(super) const ANIMALS: DomainTable = DomainTable {
    name: "animals",
    group: "nature",
    years: (1960, 2019),
    kinds: &[
        animals(
            "hunter",
            "wolf, fox, lion, tiger, bear, eagle, owl, snake/serpent, crocodile, leopard, hawk",
            "fierce/ferocious, dangerous",
        ),
        animals(
            "prey",
            "rabbit/hare, deer, mouse, duck, frog, squirrel, sheep, pigeon/dove, zebra, antelope, lizard",
            "shy/timid, injured/wounded, lost",
        ),
        animals(
            "pet",
            "dog/hound, cat, puppy, kitten, parrot, hamster, pony, goldfish",
            "friendly, noisy/loud, clever/intelligent",
        ),
        people(
            "keeper",
            "zookeeper, vet/animal doctor, ranger, biologist, trainer, birdwatcher, photographer, shepherd",
            "gentle, patient, experienced/skilled",
        ),
        things(
            "food",
            "nut, bone, worm, ~grass, leaf, seed, berry, insect/bug, ~meat, ~straw",
            "fresh, dry, small/tiny",
        ),
        things("nest", "nest, cave, burrow/den, hollow tree, hollow log", "warm, dark, hidden, empty"),
        things(
            "shelter",
            "cage, kennel, stable, enclosure/pen, aquarium/fish tank, hen house",
            "new, small/little, clean, empty",
        ),
        things(
            "trace",
            "track/footprint, feather, egg, bite mark, trail/path",
            "fresh, faint, strange/unusual, large",
        ),
    ],
    events: &[
        event("hunter", "chase/pursue, kill, catch/seize, attack, watch/observe, smell", "prey"),
        event("hunter prey pet", "eat/devour, bury, find/discover, drop", "food"),
        event("prey hunter", "leave/abandon, enter, defend/guard", "nest shelter"),
        event("pet", "bite, frighten/scare, follow, greet/welcome, wake", "keeper"),
        event("keeper", "feed, wash/bathe, train/teach, stroke/pet, weigh", "pet"),
        event("keeper", "release/set _ free, count, photograph, rescue/save, treat", "prey hunter"),
        event("keeper", "clean, build/construct, close/shut, repair/fix", "shelter"),
        event("keeper", "discover/find, protect, film", "nest"),
        event("keeper", "study/examine, notice/spot, measure, collect/gather", "trace"),
        event_at("keeper", "throw/toss, bring", "food", "to", "prey pet hunter"),
        event("hunter pet", "scratch, destroy/wreck", "shelter nest"),
        intransitive("prey pet hunter", "sleep, escape/run away/flee, hide, jump/leap, wake up, starve"),
    ],
    places: "in the forest/in the woods, at the zoo, near the lake/by the lake, in the long grass, on the mountain, in the jungle/in the rainforest, beside the road",
    purposes: "to protect the species, for a film, to learn more, for the visitors",
    causes: "because of the smoke, because of hunger/out of hunger, because of a loud bang, in spite of the cold/despite the cold",
};

pub(super) const FARMING: DomainTable = DomainTable {
    name: "farming",
    group: "nature",
    years: (1930, 2019),
    kinds: &[
        people(
            "farmer",
            "farmer/grower, labourer/farmhand, gardener, shepherd, beekeeper, landowner, milkmaid",
            "hard-working, local",
        ),
        people("merchant", "merchant/trader, miller, vet, inspector, butcher", "greedy, local"),
        animals(
            "livestock",
            "cow, goat, pig/hog, horse, hen/chicken, goose, donkey/mule, bull, calf, lamb",
            "healthy/fit, sick/ill",
        ),
        things(
            "crop",
            "~wheat, ~corn/maize, ~barley, ~cotton, ~tobacco, ~hay, ~rice, bean, olive, sunflower",
            "golden, young, ripe, dry",
        ),
        things(
            "tree",
            "apple tree, vine, hedge, bush/shrub, rose, tulip, weed, pine, lawn",
            "tall, wild, healthy, dead",
        ),
        things(
            "vehicle",
            "tractor, cart/wagon, trailer, truck/lorry, harvester",
            "old, new, rusty, heavy, slow",
        ),
        things(
            "tool",
            "shovel/spade, bucket/pail, rake, pump, plough, ladder, axe",
            "old, rusty, broken/damaged, heavy",
        ),
        things(
            "soil",
            "field/meadow, garden bed, pasture, vineyard, greenhouse, farm",
            "fertile/rich, dry, stony, flat",
        ),
        things(
            "product",
            "egg, ~milk, ~cheese, ~honey, ~wool, ~butter, ~cider",
            "fresh, organic, cheap/inexpensive",
        ),
    ],
    events: &[
        event("farmer", "harvest/gather in, plant, grow/cultivate, store", "crop"),
        event("farmer", "plough/till, water/irrigate, fence, inherit", "soil"),
        event("farmer", "feed, raise/rear/breed, wash, count, lead _ home", "livestock"),
        event("farmer", "trim/prune, cut down/chop down, plant", "tree"),
        event("farmer", "repair/fix/mend, clean, lend, lose", "vehicle tool"),
        event("farmer", "drive, park, sell, wash", "vehicle"),
        event_at("farmer", "sell, deliver", "product crop livestock", "to", "merchant"),
        event("merchant", "buy/purchase, inspect/examine, weigh, reject/refuse", "product crop livestock"),
        event("livestock", "trample/crush, damage/harm", "soil tree"),
        event("livestock", "enter/get into, leave", "soil"),
        event("livestock", "eat/devour, spoil/ruin", "crop"),
        event_at("farmer", "load/pile, throw", "crop product", "onto", "vehicle"),
        intransitive("livestock", "graze, escape/run away, fall ill/get sick, rest"),
        intransitive("farmer merchant", "get up early/rise early, work hard/toil, rest"),
    ],
    places: "on the farm, in the fields, near the village/close to the village, behind the barn, at the market, on the hill, in the south",
    purposes: "for the winter, to earn more money/to make more money, to feed the animals, for the harvest festival",
    causes: "because of the drought/due to the drought, because of low prices, thanks to the good weather, despite the frost/in spite of the frost",
};

pub(super) const SEA: DomainTable = DomainTable {
    name: "sea",
    group: "nature",
    years: (1900, 2019),
    kinds: &[
        people(
            "sailor",
            "sailor/seaman, captain/skipper, fisherman, navigator, admiral, ship's cook, cabin boy",
            "brave/courageous, experienced/skilled",
        ),
        people(
            "swimmer",
            "swimmer, diver, surfer, lifeguard, coastguard, passenger, stowaway",
            "fearless, strong",
        ),
        things(
            "vessel",
            "ship/vessel, boat, ferry, yacht, submarine, raft, lifeboat, canoe, freighter/cargo ship",
            "old, wooden, fast/speedy, damaged/broken, large/big",
        ),
        things(
            "gear",
            "net, sail, anchor, rope/line, rudder, compass, mast, oar/paddle, life jacket, engine",
            "strong, torn, heavy, spare",
        ),
        animals(
            "creature",
            "whale, shark, dolphin, seal, crab, octopus, turtle, squid, penguin",
            "rare, enormous/huge",
        ),
        things(
            "catch",
            "herring, tuna, ~cod, salmon, lobster, oyster, mussel, ~seaweed",
            "fresh, frozen, valuable/precious",
        ),
        things(
            "place",
            "island/isle, reef, harbour/port, lighthouse, bay, coral bank, wreck/shipwreck",
            "remote/distant, rocky, unknown, beautiful",
        ),
        things(
            "hazard",
            "wave/breaker, current, iceberg, cliff, storm",
            "powerful/strong, dangerous/hazardous, high",
        ),
    ],
    events: &[
        event("sailor", "steer/pilot, repair/fix/mend, abandon/leave, paint, command", "vessel"),
        event("sailor", "lower, raise/hoist, lose, check/inspect", "gear"),
        event("sailor swimmer", "discover/find, explore, reach/arrive at, approach", "place"),
        event("sailor", "catch, weigh, sell, cook", "catch"),
        event("swimmer sailor", "save/rescue, search for/look for, warn/alert", "swimmer sailor"),
        event("swimmer sailor", "see/spot, feed, film, follow", "creature"),
        event("hazard", "sink, damage/harm, overturn/capsize, hit/strike", "vessel"),
        event("creature", "attack, circle, follow, push", "vessel swimmer"),
        event("sailor", "avoid/steer clear of, fear, notice/spot", "hazard"),
        event_at("sailor", "tie/fasten, throw/toss", "gear", "to", "vessel"),
        intransitive("vessel", "sink/go down, return/come back, run aground, drift"),
        intransitive("sailor swimmer", "drown, dive, signal for help/call for help, drink"),
    ],
    places: "off the coast, in the harbour/in the port, in deep water, on the open sea/on the high seas, near the reef, in the bay, below deck",
    purposes: "to reach the shore, for a research trip, to please the passengers, to win the race",
    causes: "because of thick fog/due to thick fog, because of the high waves, after the collision/following the collision, in spite of the warning/despite the warning",
};
