//! Home: cooking, family life, building, shopping for clothes.

use super::table::{DomainTable, event, event_at, intransitive, people, things};

pub(super) const COOKING: DomainTable = DomainTable {
    name: "cooking",
    group: "home",
    years: (1960, 2019),
    kinds: &[
        people(
            "cook",
            "cook/chef, baker, apprentice/trainee, housekeeper, caterer, butcher",
            "skilled/experienced",
        ),
        people(
            "diner",
            "guest/visitor, customer/patron, waiter/server, critic/reviewer, student",
            "hungry/starving",
        ),
        things(
            "root",
            "onion, carrot, potato, turnip, leek, radish, cucumber, tomato, pumpkin, cabbage, mushroom",
            "raw/uncooked, fresh, large/big, small/little, frozen",
        ),
        things(
            "fruit",
            "apple, pear, plum, lemon, cherry, peach, mango, grape, orange, melon, strawberry, apricot",
            "ripe, sour/bitter, sweet/sugary, fresh, juicy",
        ),
        things(
            "meat",
            "~beef, chicken, ~lamb, ~pork, ~bacon, sausage, ~ham, steak, turkey",
            "tender, smoked, cheap",
        ),
        things(
            "dish",
            "soup/broth, stew, curry, salad, sauce/gravy, pie, omelette, pudding/dessert, pizza, sandwich",
            "hot/steaming, cold/chilled, delicious/tasty, salty, spicy, simple/plain, creamy",
        ),
        things(
            "baked",
            "~bread, cake, biscuit/cookie, roll/bun, muffin, tart, pancake, loaf",
            "warm, dry/stale, soft",
        ),
        things(
            "staple",
            "~rice, ~flour, ~pasta, ~butter, ~cheese, ~sugar, ~salt, ~honey, ~garlic, ~pepper, ~cream",
            "fresh, cheap/inexpensive, pure, local",
        ),
        things(
            "drink",
            "~coffee, ~tea, ~milk, ~juice, ~wine, ~lemonade, ~cocoa, ~beer",
            "hot, cold/chilled, sweet, strong",
        ),
        things(
            "vessel",
            "pan/skillet, pot, bowl/basin, tray, plate, jar, cup/mug, glass",
            "clean, empty, deep, heavy",
        ),
        things(
            "tool",
            "knife, spoon/ladle, fork, grater, chopping board, rolling pin",
            "sharp, wooden, rusty",
        ),
    ],
    events: &[
        event("cook", "chop/cut up, rinse/wash, cook, weigh", "root"),
        event("cook", "peel, slice/carve, buy/purchase, throw away/discard", "root fruit"),
        event("cook", "roast, fry, season/flavour, burn/char", "meat root"),
        event("cook", "prepare/make, taste/sample, reheat/warm up, serve/dish up", "dish"),
        event("cook", "bake, decorate/adorn, cool", "baked"),
        event("cook", "measure/weigh out, melt, waste", "staple"),
        event_at("cook", "put/place, leave", "root fruit meat", "in", "vessel"),
        event_at("cook", "pour/tip, press", "staple", "into", "vessel"),
        event("cook diner", "drop, polish/shine, put away/store", "vessel tool"),
        event("diner", "order/request, eat/consume, praise/compliment, reject/send back", "dish meat"),
        event("diner", "drink/sip, spill, pay for", "drink"),
        event_at("diner cook", "bring/carry, offer", "drink dish baked", "to", "diner"),
        intransitive("diner cook", "sit down/take a seat, wait, complain/grumble"),
    ],
    places: "in the kitchen, at the restaurant/at the diner, in the dining room, at the market, on the terrace/on the patio, in the hotel",
    purposes: "to save time/so as not to lose time, for the wedding party, for the evening meal/for dinner, to please the family",
    causes: "because of the heat/due to the heat, because of a new recipe, despite the long queue/in spite of the long queue",
};

pub(super) const FAMILY: DomainTable = DomainTable {
    name: "family",
    group: "home",
    years: (1960, 2019),
    kinds: &[
        people(
            "parent",
            "mother/mum, father/dad, grandmother/granny, grandfather, uncle, aunt",
            "proud, patient, strict/stern",
        ),
        people(
            "child",
            "child/kid, baby/infant, daughter, son, twin, cousin, nephew, niece, toddler",
            "playful, curious, sleepy/drowsy",
        ),
        people(
            "adult",
            "neighbour, nurse, babysitter, bride, widow, husband, wife, lodger/tenant",
            "lonely, generous",
        ),
        things(
            "toy",
            "doll, ball, kite, puzzle, teddy bear, toy train, balloon, board game",
            "colourful, broken/damaged, expensive/costly",
        ),
        things(
            "token",
            "letter/note, photo/picture, card, diary/journal, present/gift, postcard, scrapbook",
            "old, beautiful/lovely, funny/amusing",
        ),
        things(
            "furniture",
            "bed, sofa/couch, armchair, cupboard/closet, carpet/rug, lamp, curtain, mirror",
            "comfortable, dusty, old, heavy",
        ),
        things(
            "chore",
            "~laundry, floor, window, bathroom, fireplace, bath, garage, garden",
            "dirty/filthy, tidy/neat, small",
        ),
        things(
            "story",
            "story/tale, poem, song, bedtime story, joke, secret",
            "short/brief, long, sad, strange/odd",
        ),
    ],
    events: &[
        event(
            "parent adult",
            "comfort/console, raise/bring up, scold/tell off, kiss, hug/embrace, dress",
            "child",
        ),
        event("child", "break/smash, share, hide/conceal, lose, throw", "toy"),
        event("parent adult", "repair/fix/mend, wrap, choose/pick", "toy"),
        event("parent adult child", "write, find/discover, keep, tear up/rip up, frame", "token"),
        event("parent child adult", "clean, sweep, paint", "chore"),
        event("parent adult", "move/shift, replace, sell", "furniture"),
        event_at("parent adult", "read, tell", "story", "to", "child"),
        event_at("parent child adult", "give/hand, send/mail, show", "token toy", "to", "parent adult"),
        event("parent adult child", "visit/call on, thank, marry/wed, invite, miss", "adult"),
        intransitive("child parent", "laugh/giggle, cry/weep, fall asleep/doze off, whisper, grow up"),
    ],
    places: "in the living room/in the lounge, at home/in the house, in the garden/in the yard, upstairs, at the party, in the bedroom",
    purposes: "for the birthday party, to surprise the family, to cheer everyone up, for the holidays",
    causes: "because of the bad news, because of the noise/due to the noise, despite the late hour/in spite of the late hour",
};

pub(super) const BUILDING: DomainTable = DomainTable {
    name: "building",
    group: "home",
    years: (1950, 2019),
    kinds: &[
        people(
            "builder",
            "builder/construction worker, carpenter/joiner, mason/bricklayer, plumber, electrician, roofer, welder",
            "skilled/experienced, local",
        ),
        people(
            "planner",
            "architect/designer, engineer, surveyor, inspector, developer, landlord/owner, mayor",
            "local, strict",
        ),
        things(
            "house",
            "house/home, cottage, apartment block, school, bridge, tower, church, stadium, warehouse, hospital",
            "modern/contemporary, old/ancient, large/big, abandoned/deserted",
        ),
        things(
            "part",
            "wall, roof, ceiling, door, staircase, balcony, chimney, fence, gate, cellar/basement",
            "new, narrow, solid, cracked, wooden",
        ),
        things(
            "material",
            "brick, plank/board, tile, beam, pipe/tube, cable/wire, stone, ~concrete, ~plaster, ~timber",
            "heavy, cheap/inexpensive, rough, smooth",
        ),
        things(
            "plan",
            "plan/design, drawing/sketch, permit/licence, contract, budget, model",
            "detailed, final, rough, new",
        ),
        things(
            "machine",
            "crane, drill, hammer, ladder, saw, bulldozer, truck/lorry, scaffold",
            "powerful, noisy/loud, rusty, yellow",
        ),
    ],
    events: &[
        event("builder", "build/construct, paint, insulate", "house part"),
        event("builder", "repair/fix/mend, demolish/tear down/knock down, measure", "part house"),
        event("builder", "carry/haul, cut, stack/pile up, deliver, waste", "material"),
        event("builder", "use, rent/hire, break, borrow", "machine"),
        event_at("builder", "fasten/attach, nail", "material", "to", "part"),
        event("planner", "draw, approve/authorise, revise/amend, reject/turn down, sign", "plan"),
        event("planner", "inspect/examine, design, sell, buy/purchase, photograph", "house"),
        event_at("planner", "explain, show/present, hand/give", "plan", "to", "builder planner"),
        event("planner", "hire/employ, dismiss/fire/sack, pay, praise", "builder"),
        event("machine", "damage/harm, block/obstruct, scratch", "part house"),
        intransitive("part house", "collapse/cave in, shake, leak"),
        intransitive("builder", "take a break/have a rest, fall, strike"),
    ],
    places: "on the building site/on the construction site, in the old town, at the corner of the street, near the river/close to the river, on the top floor",
    purposes: "to save money, to meet the deadline/to finish in time, for the new owner, to keep out the cold",
    causes: "because of the rain, due to a lack of money/for lack of money, because of the new rules, after the earthquake",
};

pub(super) const CLOTHING: DomainTable = DomainTable {
    name: "clothing",
    group: "home",
    years: (1960, 2019),
    kinds: &[
        people(
            "maker",
            "tailor/dressmaker, weaver, shoemaker/cobbler, designer, seamstress, jeweller",
            "skilled/experienced, famous/well-known",
        ),
        people(
            "buyer",
            "customer/shopper, bride, shop assistant/sales clerk, model, tourist, teenager/adolescent",
            "fashionable/stylish, impatient",
        ),
        things(
            "garment",
            "dress/gown, coat, shirt, jacket, sweater/jumper, skirt, suit, scarf, blouse, uniform, vest",
            "elegant/stylish, warm, expensive/costly, cheap/inexpensive, old, green, striped",
        ),
        things(
            "accessory",
            "hat, belt, necklace, ring, handbag/purse, glove, shoe, boot, watch, tie, sandal",
            "leather, new, fancy, golden, black",
        ),
        things(
            "cloth",
            "~silk, ~cotton, ~wool, ~linen, ~velvet, ~lace, ~thread",
            "soft, rough/coarse, fine, red, white",
        ),
        things(
            "shop",
            "boutique/fashion shop, market stall, store/shop, factory/plant, workshop, laundry",
            "crowded/packed, small/little, famous",
        ),
    ],
    events: &[
        event("maker", "sew/stitch, shorten, mend/repair, copy/imitate, sketch", "garment"),
        event("maker", "dye, weave, fold, cut, import", "cloth"),
        event("maker", "polish, stretch, adjust, decorate", "accessory"),
        event(
            "buyer",
            "try on, wear/put on, return/bring back, buy/purchase, admire, choose/pick",
            "garment accessory",
        ),
        event("buyer", "wash, iron/press, stain, tear/rip, borrow", "garment"),
        event("buyer maker", "leave, open, visit", "shop"),
        event_at("maker buyer", "sell, show/present, lend", "garment accessory", "to", "buyer"),
        event("maker", "measure, advise, flatter", "buyer"),
        intransitive("buyer", "bargain/haggle, complain/grumble, wait in line/queue"),
    ],
    places: "in the shopping centre/in the mall, in the department store, on the high street/on the main street, at the fashion show, in front of the mirror",
    purposes: "for the wedding, for a special occasion, to look younger, to save money",
    causes: "because of the sale, because of the cold weather/due to the cold weather, despite the high price/in spite of the high price",
};
