//! Society: law, finance, history, school.

use super::table::{DomainTable, event, event_at, intransitive, people, things};

pub(super) const LAW: DomainTable = DomainTable {
    name: "law",
    group: "society",
    years: (1950, 2019),
    kinds: &[
        people(
            "official",
            "judge/magistrate, lawyer/attorney, prosecutor, sheriff, notary, clerk",
            "strict/stern, fair/just, famous/well-known",
        ),
        people(
            "police",
            "police officer/policeman, detective/investigator, guard/warden, patrol, agent",
            "alert/watchful, armed",
        ),
        people(
            "criminal",
            "thief/robber, prisoner/inmate, smuggler, murderer/killer, pickpocket, gangster, forger",
            "dangerous, notorious, armed",
        ),
        people(
            "citizen",
            "witness, victim, juror, suspect, citizen, shopkeeper, refugee, driver/motorist",
            "innocent/guiltless, nervous/anxious",
        ),
        things(
            "case",
            "case/lawsuit, trial, appeal, complaint, divorce, inquiry/investigation",
            "complicated/complex, important, famous, long",
        ),
        things(
            "ruling",
            "verdict/judgment, sentence, fine/penalty, law, decree/order, ban/prohibition",
            "unfair/unjust, harsh/severe, mild, final",
        ),
        things(
            "evidence",
            "weapon, fingerprint, document/paper, confession, recording, signature, passport",
            "important/crucial, false/fake, missing, secret",
        ),
        things(
            "loot",
            "jewel/gem, painting, wallet, car/automobile, ~cash, necklace, bicycle/bike, laptop",
            "valuable/precious, stolen",
        ),
    ],
    events: &[
        event("police", "arrest/detain, chase/pursue, question/interrogate, search, handcuff", "criminal"),
        event("police", "protect/guard, follow/shadow, interview", "citizen"),
        event("official", "hear, close, postpone/put off, study/examine, win", "case"),
        event("official", "announce/declare, sign, overturn/reverse, explain, draft", "ruling"),
        event("official", "sentence, defend, accuse, acquit, release/set _ free", "criminal citizen"),
        event(
            "police official",
            "find/discover, collect/gather, lose, examine/inspect, photograph",
            "evidence",
        ),
        event("criminal", "steal, hide/conceal, sell, return/give back", "loot"),
        event("criminal", "threaten/menace, rob, attack/assault, deceive/trick", "citizen"),
        event("criminal", "destroy, forge/fake, burn", "evidence"),
        event_at("citizen police", "show/present, hand over, describe", "evidence", "to", "official"),
        event("citizen", "accept, criticise/condemn, ignore, respect", "ruling"),
        intransitive("criminal", "escape/get away, confess, surrender/give up, vanish/disappear"),
        intransitive("citizen official", "testify, hesitate, protest"),
    ],
    places: "in court/in the courtroom, at the police station, in prison/in jail, at the border/at the frontier, in the capital, outside the bank",
    purposes: "to prove the truth, in exchange for money/in return for money, to avoid a scandal/to prevent a scandal, for the jury",
    causes: "because of new evidence, for lack of proof/due to a lack of proof, after a long debate, because of a formal error",
};

pub(super) const FINANCE: DomainTable = DomainTable {
    name: "finance",
    group: "society",
    years: (1970, 2019),
    kinds: &[
        people(
            "banker",
            "banker, broker, investor/shareholder, accountant/bookkeeper, economist, trader, auditor",
            "cautious/careful, wealthy/rich",
        ),
        people(
            "boss",
            "manager/executive, director, owner/proprietor, minister, founder, chairman",
            "ambitious, wealthy/rich, new",
        ),
        people(
            "worker",
            "employee/worker, customer/client, cashier, salesman, consultant/adviser, secretary",
            "loyal/faithful, well-paid",
        ),
        things(
            "firm",
            "company/firm, bank, factory/plant, start-up, airline, newspaper, supermarket, brand",
            "profitable/lucrative, foreign, large/big, old",
        ),
        things(
            "asset",
            "share/stock, bond, house/property, loan, pension, ~gold, debt, ~land",
            "valuable, risky/unsafe, cheap/inexpensive, safe/secure",
        ),
        things(
            "paper",
            "contract/agreement, budget, invoice/bill, report, tax return, forecast/prediction, cheque",
            "annual/yearly, secret/confidential, detailed, unpaid",
        ),
        things(
            "price",
            "price, wage/salary, tax, interest rate, fee/charge, bonus, rent",
            "high, low, fixed",
        ),
        things(
            "event",
            "crisis, strike/walkout, boom/upswing, merger, scandal, auction",
            "sudden/unexpected, long, serious/grave",
        ),
    ],
    events: &[
        event("boss", "raise/increase, cut/reduce/lower, announce/declare, freeze", "price"),
        event("boss banker", "found/establish, sell, take over/acquire, save/rescue, advise", "firm"),
        event("banker worker", "buy/purchase, sell, transfer, insure, lose", "asset"),
        event("banker worker", "sign, check/verify, lose/misplace, print, shred", "paper"),
        event("boss", "hire/employ, dismiss/fire/sack, promote, thank, train", "worker"),
        event("event", "ruin/bankrupt, weaken, surprise, harm/hurt", "firm"),
        event("banker", "predict/forecast, cause, analyse/study, survive", "event"),
        event_at("banker", "lend, offer", "asset", "to", "worker firm"),
        event_at("worker", "send, present/show", "paper", "to", "boss banker"),
        event("firm", "pay, change/alter, double", "price"),
        intransitive("firm", "grow/expand, go bankrupt/collapse, shrink"),
        intransitive("worker boss", "resign/quit, retire/stop working, go on strike"),
    ],
    places: "on the stock exchange/on the stock market, at the bank, in the office, at the annual meeting, abroad/in a foreign country, in the head office",
    purposes: "to reduce costs/to cut costs, to make a profit/to earn a profit, for the shareholders, to pay the debts, to attract customers",
    causes: "because of inflation/due to inflation, because of the recession, after a bad year, despite the warnings/in spite of the warnings",
};

pub(super) const HISTORY: DomainTable = DomainTable {
    name: "history",
    group: "society",
    years: (1150, 1890),
    kinds: &[
        people(
            "ruler",
            "king/monarch, queen, emperor, prince, duke, sultan, bishop, pope",
            "powerful/mighty, cruel/brutal, wise, popular/beloved",
        ),
        people(
            "soldier",
            "knight, general/commander, soldier/warrior, archer, spy, guard, rebel/insurgent",
            "brave/courageous, loyal/faithful, wounded/injured",
        ),
        people(
            "subject",
            "peasant, monk, merchant/trader, slave, servant, noble, explorer, priest, blacksmith",
            "humble, pious/devout, poor",
        ),
        things(
            "realm",
            "kingdom/realm, empire, province, colony, duchy, republic, homeland",
            "rich/wealthy, small/little, distant/remote, united",
        ),
        things(
            "place",
            "castle/fortress, palace, monastery, temple, city, town wall, cathedral, tomb/grave, port",
            "ancient/old, splendid/magnificent, ruined",
        ),
        things(
            "conflict",
            "war, battle, siege, revolt/uprising/rebellion, duel, crusade",
            "bloody, long, decisive, holy",
        ),
        things(
            "act",
            "treaty/pact, law, truce/ceasefire, tax, alliance, charter, religion/faith",
            "new, secret, important, unpopular",
        ),
        things(
            "treasure",
            "crown, sword, manuscript, statue/sculpture, coin, throne, banner/flag, relic",
            "golden, precious/valuable, sacred/holy",
        ),
    ],
    events: &[
        event("ruler", "govern/rule, divide/split, inherit, lose, unite/unify", "realm"),
        event("soldier", "attack/assault, burn down, defend/protect, surround/besiege", "place"),
        event("ruler soldier", "win, start/begin, plan, end/finish", "conflict"),
        event("ruler", "sign, break/violate, announce/proclaim, abolish/do away with", "act"),
        event("ruler", "build/construct, visit, rebuild, destroy", "place"),
        event(
            "ruler soldier",
            "imprison/lock up, pardon/forgive, betray, execute/put _ to death",
            "subject soldier",
        ),
        event("subject soldier", "hide/conceal, steal, find/discover, guard", "treasure"),
        event("subject", "serve, admire, overthrow/depose, fear", "ruler"),
        event_at("subject ruler", "give, offer, sell", "treasure", "to", "ruler"),
        event("conflict", "weaken, destroy/ruin, change/transform", "realm"),
        event("soldier", "conquer/capture, invade, free/liberate", "realm place"),
        intransitive("ruler subject", "die/pass away, flee/run away, pray, abdicate"),
        intransitive("soldier", "retreat/withdraw, rebel/revolt, march"),
    ],
    places: "in the east, on the border/on the frontier, beyond the mountains/across the mountains, in the capital, at court, overseas/across the sea",
    purposes: "to gain power, for the glory of the nation, to end the famine, for the church",
    causes: "because of a broken promise, after a long siege, because of the plague/due to the plague, despite the peace/in spite of the peace",
};

pub(super) const SCHOOL: DomainTable = DomainTable {
    name: "school",
    group: "society",
    years: (1950, 2019),
    kinds: &[
        people(
            "teacher",
            "teacher/schoolteacher, professor, headmaster/principal, librarian, lecturer, tutor",
            "strict/stern, popular, inspiring",
        ),
        people(
            "pupil",
            "pupil/schoolchild, student, classmate, freshman, graduate, boy, girl",
            "diligent/hard-working, shy/timid, talented/gifted, curious",
        ),
        people("caretaker", "caretaker/janitor, school nurse, bus driver, parent, school cook", "helpful"),
        things(
            "text",
            "book, essay/paper, textbook, dictionary, poem, newspaper, novel, thesis/dissertation, diary",
            "long, boring/dull, interesting, short/brief, famous",
        ),
        things(
            "task",
            "exam/test, quiz, project, homework exercise, lesson/class, experiment, lecture",
            "difficult/hard, easy/simple, important, weekly",
        ),
        things(
            "subject",
            "~mathematics/maths, ~geography, ~history, ~grammar, ~chemistry, ~astronomy, ~philosophy, ~biology",
            "basic/elementary, advanced, modern",
        ),
        things(
            "supply",
            "pencil, notebook, ruler, blackboard/chalkboard, eraser/rubber, backpack/rucksack, globe, calculator",
            "new, broken, blue, missing",
        ),
        things(
            "prize",
            "prize/award, medal, grade/mark, scholarship/grant, certificate/diploma, degree",
            "good, first, special",
        ),
    ],
    events: &[
        event("teacher", "correct/mark, recommend, quote, publish", "text"),
        event("pupil", "read, borrow, copy, finish/complete, summarise", "text"),
        event("pupil", "pass, fail, forget, practise/rehearse", "task"),
        event("teacher", "prepare, cancel/call off, explain, supervise/oversee", "task"),
        event("teacher", "teach/instruct, punish/discipline, praise/commend, encourage, examine", "pupil"),
        event("pupil", "study/learn, hate/detest, choose/pick", "subject"),
        event("pupil teacher", "lose/misplace, use, share, bring", "supply"),
        event("pupil", "win/gain, deserve, refuse/decline", "prize"),
        event("caretaker", "clean/wipe, repair/fix, count, order", "supply"),
        event("caretaker teacher", "greet/welcome, warn, help/assist", "pupil"),
        event_at("teacher", "give/award, promise", "prize", "to", "pupil"),
        event_at("pupil", "hand/give, show", "text", "to", "teacher"),
        intransitive("pupil", "arrive late/come late, daydream, cheat, raise a hand, graduate"),
    ],
    places: "in the classroom, at school, in the library, at the university/at college, in the playground/in the schoolyard, in the laboratory",
    purposes: "for the final exam, to improve the results, for the school magazine, to pass the time",
    causes: "because of the holidays/due to the holidays, because of an illness/due to an illness, despite the noise/in spite of the noise, after the break",
};
