//! Leisure: sport, music, travel, theatre and art.

use super::table::{DomainTable, event, event_at, intransitive, people, things};

pub(super) const SPORT: DomainTable = DomainTable {
    name: "sport",
    group: "leisure",
    years: (1950, 2019),
    kinds: &[
        people(
            "player",
            "player, goalkeeper/goalie, striker/forward, runner/sprinter, boxer/fighter, cyclist, gymnast, defender, skier",
            "fast/quick, injured/hurt, talented/gifted",
        ),
        people(
            "coach",
            "coach/trainer, referee/umpire, captain, manager, president, scout",
            "experienced/skilled, furious/angry",
        ),
        people(
            "fan",
            "fan/supporter, spectator/onlooker, reporter/journalist, sponsor",
            "loyal/faithful, noisy/loud, disappointed",
        ),
        things(
            "match",
            "match/game, race, final, tournament/competition, marathon, semi-final, season, fight/bout",
            "exciting/thrilling, important, difficult/hard, friendly",
        ),
        things(
            "score",
            "goal, penalty, point, medal, record, title/championship, trophy/cup",
            "decisive, first, early, unexpected/surprising",
        ),
        things("ball", "ball, javelin, puck, dart, frisbee", "new, light, red, lost"),
        things(
            "kit",
            "racket, bicycle/bike, helmet, bat, jersey/shirt, skate, whistle, glove, stopwatch",
            "new, light, red, lost",
        ),
        things(
            "team",
            "team/side, club, opponent/rival, squad, champion",
            "strong, weak, famous/well-known, young, unbeaten",
        ),
        things(
            "rule",
            "rule, decision, contract, tactic/strategy, transfer, schedule/timetable",
            "new, strange/odd, controversial/disputed",
        ),
    ],
    events: &[
        event("player team", "win, lose, leave", "match"),
        event("player", "score, miss, celebrate", "score"),
        event("player", "throw/toss, catch, pick up, miss", "ball"),
        event("player", "break, borrow, forget, polish", "kit"),
        event("player team", "beat/defeat, fear, challenge, applaud", "team"),
        event("coach", "train/instruct, replace/substitute, criticise, discover, pick/choose", "player"),
        event("coach", "cancel/call off, analyse, postpone/put off, stop/interrupt", "match"),
        event("coach", "change/alter, defend, explain, reject/turn down", "rule"),
        event("fan", "cheer/applaud, boo, interview, recognise", "player coach"),
        event("fan", "watch/follow, film, describe, disturb/disrupt", "match"),
        event("team", "join, host/organise, dominate", "match"),
        event_at("player", "pass, hand/give, show", "ball kit", "to", "player coach"),
        event("player", "tackle, trip up, congratulate", "player"),
        intransitive("player", "retire/stop playing, fall over, train/practise, slip"),
        intransitive("team fan", "celebrate, protest/complain"),
    ],
    places: "at the stadium/in the arena, on the pitch/on the field, in the gym, at the Olympic Games/at the Olympics, in the first half, in front of a large crowd, away from home",
    purposes: "to win the cup, to stay fit/to keep in shape, for the national team, to raise money for charity",
    causes: "because of an injury/due to an injury, despite the rain/in spite of the rain, because of a foul, after extra time",
};

pub(super) const MUSIC: DomainTable = DomainTable {
    name: "music",
    group: "leisure",
    years: (1900, 2019),
    kinds: &[
        people(
            "musician",
            "singer/vocalist, pianist, violinist/fiddler, drummer/percussionist, guitarist, organist, trumpeter, rapper",
            "talented/gifted, blind",
        ),
        people(
            "leader",
            "conductor, composer, producer, band leader, music teacher, songwriter",
            "famous/celebrated/well-known, strict",
        ),
        people(
            "listener",
            "listener, critic/reviewer, dancer, fan/admirer, pupil, collector, neighbour",
            "enthusiastic/keen",
        ),
        things(
            "piece",
            "song/tune, symphony, opera, sonata, melody, anthem/hymn, waltz, ballad, concerto, lullaby",
            "beautiful/lovely, sad/sorrowful, slow, popular, new, difficult/hard",
        ),
        things(
            "instrument",
            "piano, violin/fiddle, guitar, drum, flute, trumpet, cello, harp, saxophone, organ",
            "old, expensive/costly, electric, broken/damaged",
        ),
        things(
            "recording",
            "album/record, single, video, disc, radio show, soundtrack",
            "best-selling, live, rare/uncommon, first",
        ),
        things(
            "show",
            "concert/gig, festival, tour, rehearsal/practice session, audition, ball/dance",
            "sold-out, free, open-air/outdoor, successful",
        ),
        things("group", "orchestra, choir, band, quartet, duo, brass band", "famous, small, amateur, local"),
    ],
    events: &[
        event("musician", "sing, play/perform, practise/rehearse, learn", "piece"),
        event("leader", "write/compose, arrange, dedicate, rewrite/revise", "piece"),
        event("musician", "tune, sell, smash/break, pick up, repair/mend", "instrument"),
        event("leader group", "conduct/direct, cancel/call off, open, organise/arrange", "show"),
        event("leader musician", "record/tape, release/bring out, promote", "recording"),
        event("leader", "found/form, lead, leave/quit, pay", "group"),
        event("listener", "buy/purchase, praise, steal, collect, review", "recording"),
        event("listener", "enjoy, miss, leave, describe", "show"),
        event("listener", "admire, applaud/cheer, imitate/mimic, meet", "musician leader"),
        event("group", "accompany, hire, welcome/greet", "musician"),
        event_at("leader musician", "teach, play, dedicate", "piece", "to", "listener group"),
        intransitive("musician", "bow, improvise, rehearse/practise, improve/get better"),
        intransitive("listener", "clap/applaud, dance, hum, weep/cry"),
    ],
    places: "in the concert hall, on stage/on the stage, in the recording studio, at the opera, in the street, in the church, on the radio",
    purposes: "for the royal family, to raise money, for the new season, to entertain the crowd/to amuse the crowd",
    causes: "because of a sore throat, by popular demand, due to poor ticket sales/because of poor ticket sales, after a long pause/following a long pause",
};

pub(super) const TRAVEL: DomainTable = DomainTable {
    name: "travel",
    group: "leisure",
    years: (1950, 2019),
    kinds: &[
        people(
            "traveller",
            "tourist/holidaymaker, traveller, passenger, backpacker, hiker/walker, pilgrim, couple, commuter",
            "lost, adventurous/daring, foreign",
        ),
        people(
            "staff",
            "guide, receptionist/desk clerk, pilot, driver, flight attendant/steward, porter, conductor, travel agent",
            "helpful/obliging, polite, rude/impolite",
        ),
        things(
            "vehicle",
            "train, bus/coach, taxi/cab, plane/aircraft, car/automobile, camper van, tram, motorcycle/motorbike, helicopter",
            "crowded/packed, slow, fast/quick, old, comfortable",
        ),
        things(
            "sight",
            "museum, castle/fortress, cathedral, waterfall, pyramid, volcano, temple/shrine, national park, canyon, statue",
            "famous/well-known, ancient/old, beautiful/lovely, hidden",
        ),
        things(
            "lodging",
            "hotel, hostel, campsite/campground, guest house/inn, holiday flat, room, cabin/hut",
            "cheap/inexpensive, luxurious, dirty/filthy, quiet, full",
        ),
        things(
            "document",
            "passport, ticket, visa, map, guidebook, postcard, reservation/booking, travel diary",
            "expired/invalid, expensive/costly, lost, wrong",
        ),
        things(
            "luggage",
            "suitcase/bag, backpack/rucksack, camera, souvenir/keepsake, umbrella, tent",
            "heavy, light, black, stolen",
        ),
        things(
            "trip",
            "trip/journey, flight, cruise, tour, excursion/outing, border crossing, honeymoon",
            "long, tiring/exhausting, short/brief, unforgettable",
        ),
    ],
    events: &[
        event("traveller", "visit, photograph, find/discover, sketch", "sight"),
        event("traveller", "catch, miss, board/get on, rent/hire", "vehicle"),
        event("traveller", "lose/misplace, pack, forget, carry, open", "luggage"),
        event("traveller", "book/reserve, leave, recommend, criticise", "lodging"),
        event("traveller", "renew/extend, buy/purchase, show, drop", "document"),
        event("traveller staff", "plan, cancel/call off, enjoy, interrupt/break off", "trip"),
        event("staff", "greet/welcome, help/assist, warn, search, mislead", "traveller"),
        event("staff", "check/inspect, stamp, take/accept, return/give back", "document"),
        event("staff", "drive/steer, repair/fix, clean, stop", "vehicle"),
        event_at("staff", "describe, show", "sight", "to", "traveller"),
        event_at("traveller staff", "put/place, leave", "luggage", "in", "vehicle lodging"),
        event("vehicle", "pass, reach/arrive at", "sight lodging"),
        intransitive("vehicle", "break down, arrive late/come late, stop/halt"),
        intransitive("traveller", "get lost/lose the way, return home/go home, set off/depart, sunbathe"),
    ],
    places: "at the airport, at the railway station/at the train station, in the mountains, on the motorway/on the highway, in a foreign city, near the border, on the beach",
    purposes: "to see the world, for the summer holiday/for the summer vacation, to avoid the crowds, to visit relatives",
    causes: "because of the strike, due to bad weather/because of bad weather, despite the delay/in spite of the delay, after the long flight",
};

pub(super) const ART: DomainTable = DomainTable {
    name: "art",
    group: "leisure",
    years: (1700, 2019),
    kinds: &[
        people(
            "artist",
            "painter, sculptor, photographer, potter, illustrator, writer/author, poet, film-maker",
            "unknown, poor, celebrated/famous",
        ),
        people(
            "performer",
            "actor, actress, clown, puppeteer, magician/conjurer, ballet dancer, comedian/comic",
            "popular, shy/timid, talented/gifted",
        ),
        people(
            "public",
            "collector, curator, critic/reviewer, visitor, spectator/onlooker, editor, dealer",
            "wealthy/rich, bored, enthusiastic/keen",
        ),
        things(
            "work",
            "painting/picture, statue/sculpture, drawing/sketch, portrait, mural, vase, mosaic, engraving",
            "large/big, abstract, valuable/precious, unfinished/incomplete, modern",
        ),
        things(
            "play",
            "play/drama, comedy, tragedy, musical, film/movie, ballet, scene",
            "funny/amusing, sad, boring/dull, long, successful",
        ),
        things(
            "book",
            "novel, short story, biography, poem/verse, comic, fairy tale, script/screenplay",
            "famous, dark, exciting/thrilling, translated",
        ),
        things(
            "tool",
            "brush, canvas, camera, costume/outfit, mask, puppet, chisel, curtain, palette",
            "old, colourful, expensive/costly, torn",
        ),
        things(
            "venue",
            "gallery, theatre/playhouse, museum, circus, studio, cinema/movie theatre, exhibition/show",
            "small/little, crowded/packed, new, historic",
        ),
    ],
    events: &[
        event("artist", "paint, finish/complete, sign, destroy", "work"),
        event("artist", "write, publish/bring out, translate, illustrate", "book"),
        event("artist performer", "use, buy/purchase, lose/misplace, carry, design", "tool"),
        event("performer", "rehearse/practise, perform/act out, ruin/spoil, improvise", "play"),
        event("performer", "amuse/entertain, shock, greet", "public"),
        event("public", "buy/purchase, admire, restore, sell, steal", "work"),
        event("public", "read, criticise, ban/forbid, print", "book"),
        event("public", "watch/see, praise, review, interrupt/disturb", "play"),
        event("public artist", "open, close/shut, visit, decorate", "venue"),
        event("artist", "sketch/draw, marry, photograph", "performer"),
        event_at("artist public", "give/donate, lend, show", "work", "to", "public venue"),
        event_at("public", "hang", "work", "in", "venue"),
        intransitive("performer", "bow, forget the words/forget the lines, laugh, appear on stage"),
        intransitive("artist", "starve, become famous/rise to fame, experiment"),
    ],
    places: "at the theatre, in the gallery, in the studio, on stage, behind the curtain/backstage, in the museum, at the opening night/at the premiere",
    purposes: "for the new exhibition, to earn a living/to make a living, for a rich patron/for a wealthy patron, to honour the dead",
    causes: "because of bad reviews/due to bad reviews, because of an unhappy love affair, after years of work, despite the poor light/in spite of the poor light",
};
