//! Science: medicine, computing, physics and the sky.

use super::table::{DomainTable, event, event_at, intransitive, people, things};

pub(super) const MEDICINE: DomainTable = DomainTable {
    name: "medicine",
    group: "science",
    years: (1950, 2019),
    kinds: &[
        people(
            "doctor",
            "doctor/physician, surgeon, nurse, dentist, midwife, pharmacist/chemist, paramedic",
            "experienced/skilled, gentle",
        ),
        people(
            "patient",
            "patient, pregnant woman, athlete, soldier, baby/infant, pensioner/retiree, volunteer",
            "sick/ill, weak/frail, injured/wounded",
        ),
        people(
            "researcher",
            "researcher/scientist, professor, biologist, laboratory assistant, epidemiologist",
            "leading, ambitious",
        ),
        things(
            "disease",
            "disease/illness, infection, fever, cancer, virus, allergy, injury/wound, headache, stroke",
            "rare/uncommon, severe/serious, mild, sudden",
        ),
        things(
            "remedy",
            "drug/medicine, vaccine, pill/tablet, ointment/cream, bandage/dressing, injection, antibiotic, syrup",
            "effective, new/novel, expensive/costly, bitter",
        ),
        things(
            "organ",
            "heart, lung, kidney, liver, brain, stomach/belly, knee, shoulder, eye, tooth, bone",
            "healthy, damaged, left, right",
        ),
        things(
            "tool",
            "thermometer, scanner, microscope, stethoscope, wheelchair, ambulance, syringe/needle",
            "modern, clean/sterile, broken, precise",
        ),
        things(
            "finding",
            "symptom, side effect, blood sample, test result, diagnosis, cause, X-ray image",
            "clear, strange/unusual, surprising/unexpected, negative",
        ),
    ],
    events: &[
        event("doctor", "examine/check, cure/heal, operate on, vaccinate, reassure/calm", "patient"),
        event("doctor", "treat, diagnose, recognise/identify", "disease"),
        event("doctor", "examine/check, remove/take out, transplant, replace", "organ"),
        event("doctor", "prescribe, recommend, order", "remedy"),
        event("disease", "weaken, kill, affect/strike", "patient"),
        event("disease", "damage/harm, destroy, inflame", "organ"),
        event("researcher", "develop/create, test/try out, ban/prohibit, improve", "remedy"),
        event("researcher", "study/investigate, discover, explain, prevent", "disease"),
        event("researcher doctor", "use, clean/disinfect, test, buy/purchase", "tool"),
        event("researcher doctor", "analyse/examine, notice/observe, describe, report", "finding"),
        event_at("doctor", "give, refuse", "remedy", "to", "patient"),
        event("patient", "swallow/take, forget, pay for", "remedy"),
        event("remedy", "cure/heal, help/aid, harm/hurt", "patient"),
        intransitive("patient", "recover/get well, faint/pass out, cough, die/pass away"),
    ],
    places: "in the hospital/in the clinic, in the emergency room, at the surgery, in the laboratory/in the lab, on the ward, at the bedside",
    purposes: "to save lives, to relieve the pain/to ease the pain, for a clinical study, to stop the bleeding",
    causes: "because of a high fever, due to complications/because of complications, after the accident/following the accident, despite the risk/in spite of the risk",
};

pub(super) const COMPUTING: DomainTable = DomainTable {
    name: "computing",
    group: "science",
    years: (1985, 2019),
    kinds: &[
        people(
            "expert",
            "programmer/coder, engineer, administrator, hacker, tester, web designer, analyst",
            "talented/gifted, experienced/skilled, self-taught",
        ),
        people(
            "user",
            "user, student, blogger, gamer, office worker, subscriber",
            "annoyed/irritated, careless, anonymous",
        ),
        things(
            "software",
            "program/application, browser, database, website/web page, game, operating system, plug-in, algorithm",
            "slow, free, popular, secure/safe, reliable, outdated/obsolete",
        ),
        things(
            "data",
            "file/document, password, message/email, image/picture, folder, table, backup, video",
            "large/big, secret/confidential, corrupt/damaged, encrypted",
        ),
        things(
            "device",
            "computer/machine, server, printer, keyboard, phone/mobile, router, robot, screen/monitor, chip",
            "fast/quick, expensive/costly, old, wireless, new",
        ),
        things(
            "fault",
            "bug/error, virus, security hole, crash/breakdown, power cut/blackout, short circuit",
            "serious/severe, strange/odd, harmless, hidden",
        ),
        things(
            "network",
            "network, internet connection, cloud service, data centre, forum",
            "local, public, unstable, global/worldwide",
        ),
    ],
    events: &[
        event("expert", "write, design, test/try out, optimise, document", "software"),
        event("expert user", "install/set up, update, uninstall/remove", "software"),
        event("expert user", "delete/erase, copy/duplicate, rename, encrypt, open", "data"),
        event("expert", "fix/repair, find/discover, reproduce, ignore", "fault"),
        event("expert user", "switch off/turn off, buy/purchase, clean, restart/reboot, connect", "device"),
        event("fault", "destroy/ruin, corrupt, expose/reveal", "data"),
        event("fault", "slow down, stop/halt, damage/harm", "device network"),
        event("expert", "attack, monitor/watch, build, block", "network"),
        event_at("user expert", "send/transmit, upload, forward", "data", "to", "user expert device"),
        event("software device", "process, store/save, compress, lose, print out", "data"),
        event("software", "annoy/irritate, help/assist, confuse/puzzle", "user"),
        intransitive("device software", "crash/break down, freeze, overheat, start up/boot"),
        intransitive("user", "log in/sign in, complain, give up"),
    ],
    places: "on the internet/online, in the office, in the server room, at the software company, at home, in the computer lab",
    purposes: "to save memory, for the next release/for the next version, to improve security, to speed up the search",
    causes: "because of a typing error, due to a faulty update/because of a faulty update, after a cyber attack, without a warning/without notice",
};

pub(super) const PHYSICS: DomainTable = DomainTable {
    name: "physics",
    group: "science",
    years: (1890, 2019),
    kinds: &[
        people(
            "scientist",
            "physicist, astronomer/stargazer, chemist, scientist/researcher, inventor, mathematician",
            "brilliant/gifted, young, famous/well-known",
        ),
        people("crew", "astronaut/cosmonaut, pilot, technician, engineer, commander", "calm, trained"),
        things(
            "body",
            "star, planet, comet, moon, galaxy, asteroid, meteorite, black hole, nebula",
            "bright/brilliant, distant/faraway, unknown, massive/huge",
        ),
        things(
            "particle",
            "atom, electron, molecule, proton, light wave, photon, crystal, ion, magnet",
            "tiny/minute, free, single, heavy",
        ),
        things(
            "instrument",
            "telescope, laser, satellite, rocket/spacecraft, detector/sensor, radar dish, space probe, lens",
            "powerful, sensitive, modern/contemporary, expensive/costly",
        ),
        things(
            "theory",
            "theory, formula/equation, law, hypothesis/assumption, model, proof",
            "simple, elegant, new/novel, controversial/disputed",
        ),
        things(
            "quantity",
            "speed/velocity, mass, temperature, distance, pressure, energy level, magnetic field, charge",
            "constant, average/mean, low, high",
        ),
        things(
            "device",
            "battery, engine/motor, reactor, lamp/light bulb, generator, radio, steam engine, solar panel",
            "efficient, small/little, electric, simple",
        ),
    ],
    events: &[
        event("scientist", "discover/find, observe/watch, name, photograph", "body"),
        event("scientist", "split, study/investigate, detect, heat, cool", "particle"),
        event("scientist", "propose/put forward, confirm/prove, reject/dismiss, publish, refine", "theory"),
        event("scientist", "measure/determine, calculate/compute, underestimate, vary", "quantity"),
        event("scientist crew", "build/construct, launch, test/try out, repair/fix, switch on", "instrument"),
        event("scientist", "invent, improve/enhance, patent, demonstrate", "device"),
        event("crew", "leave, approach/near, orbit/circle, film", "body"),
        event("instrument", "measure/determine, record", "quantity"),
        event("instrument", "reach, pass, photograph, detect/spot", "body"),
        event("body", "attract, eclipse/cover, hit/strike", "body"),
        event_at("scientist", "explain, present/show", "theory", "to", "crew scientist"),
        event("particle", "absorb/take in, emit, hit/strike", "particle"),
        intransitive("body", "explode/blow up, shine/glow, rotate/spin"),
        intransitive("device instrument", "fail/break down, explode/blow up, overheat"),
    ],
    places: "in space/in outer space, in the laboratory/in the lab, at the observatory, in a vacuum, at the institute, on the launch pad",
    purposes: "to test a hypothesis, for a new experiment, for the space agency, to produce energy/to generate energy",
    causes: "because of gravity/due to gravity, because of strong radiation, by chance/by accident, despite the errors/in spite of the errors",
};
