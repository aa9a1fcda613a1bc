//! The sections on scores: by size, by component, with positives only, and alignment and uniformity.

use super::data::Sweep;
use super::head::enumerate;
use super::html::Page;
use crate::axes::{base, counterpart};
use crate::chart::bars::{Bar, Bars, Series};
use crate::chart::curves::{Curves, Line};
use crate::chart::dots::{Dot, Dots};
use crate::chart::look::UNTRAINED;
use crate::chart::scatter::{Cloud, Scatter};
use crate::chart::{Chart, Picture, Score};
use crate::{Result, Setup, USUAL_BASELINES};

/// The methods that add miCSE's components to SimCSE.
const COMPONENTS: [&str; 3] = ["moco-simcse", "ami-simcse", "micse"];

/// Scores of some methods over sizes, or dots for a single size, with a caption that explains the marks.
fn scores(sweep: &Sweep, methods: &[&String], what: &str) -> (Box<dyn Chart>, String) {
    if let [] | [_] = sweep.sizes.as_slice() {
        let row = |method: &&String| {
            let value = sweep.summary(method, &sweep.sizes.first()?.name)?.into();
            Some(Dot { name: (*method).clone(), look: sweep.looks.of(method), value })
        };
        let mut rows: Vec<Dot> = methods.iter().filter_map(row).collect();
        rows.extend(sweep.untrained.iter().map(|(name, score)| {
            let value = Score { mean: *score, std: None, runs: Some(1) };
            Dot { name: name.clone(), look: UNTRAINED, value }
        }));
        let caption = scores_caption(sweep, methods, what, &[], &[]);
        return (Box::new(Dots { x_title: sweep.score.clone(), rows }), caption);
    }
    let line = |method: &&String| Line {
        name: (*method).clone(),
        look: sweep.looks.of(method),
        points: sweep.sizes.iter().map(|size| Some(sweep.summary(method, &size.name)?.into())).collect(),
    };
    let chart = Curves {
        y_title: sweep.score.clone(),
        sizes: sweep.sizes.iter().map(|s| (s.sentences, s.name.clone())).collect(),
        lines: methods.iter().map(line).collect(),
        levels: sweep.untrained.clone(),
    };
    let caption = scores_caption(sweep, methods, what, &chart.below(), &chart.undefined());
    (Box::new(chart), caption)
}

fn scores_caption(
    sweep: &Sweep,
    methods: &[&String],
    what: &str,
    below: &[(&str, f64, f64)],
    undefined: &[String],
) -> String {
    let several = methods
        .iter()
        .any(|m| sweep.sizes.iter().any(|s| sweep.summary(m, &s.name).is_some_and(|summary| summary.n > 1)));
    let one_size = sweep.sizes.len() == 1;
    let mut parts = vec![format!("{what}: {}.", sweep.score)];
    if let [size] = sweep.sizes.as_slice() {
        parts.push(format!("The sweep has one size, {}, so there is no curve.", size.words()));
    }
    parts.push(match (several, one_size) {
        _ if sweep.sizes.is_empty() => "No row is trained, so there are neither sizes nor seeds.".into(),
        (false, _) => "One seed, so no standard deviation is shown.".into(),
        (true, true) => "Whiskers: ± one standard deviation over seeds.".into(),
        (true, false) => "Bands: mean ± one standard deviation over seeds.".into(),
    });
    if methods.iter().any(|m| !sweep.looks.of(m).main) {
        let bands = if several && !one_size { ", without bands" } else { "" };
        parts.push(format!("Grey{bands}: methods beyond the number of distinguishable colours."));
    }
    if !sweep.untrained.is_empty() && !sweep.sizes.is_empty() {
        parts.push("Dashed: without training.".into());
    }
    let below: Vec<String> = below
        .iter()
        .map(|(name, least, best)| {
            if least == best {
                format!("{name} ({best:.2})")
            } else {
                format!("{name} ({least:.2} to {best:.2})")
            }
        })
        .collect();
    if !below.is_empty() {
        parts.push(format!("Below the axis: {}.", enumerate(&below)));
    }
    parts.extend(not_drawn(undefined));
    parts.join(" ")
}

/// Names what a figure leaves out because its score is undefined.
fn not_drawn(undefined: &[String]) -> Option<String> {
    (!undefined.is_empty()).then(|| format!("Undefined, so not drawn: {}.", enumerate(undefined)))
}

pub(super) fn over_sizes(page: &mut Page, sweep: &Sweep) {
    let title = if sweep.sizes.len() < 2 { "Scores" } else { "Scores over training-set size" };
    page.section("scores", title);
    if sweep.methods.is_empty() && (sweep.trains() || sweep.untrained.is_empty()) {
        let what = if sweep.trains() { "trained method" } else { "row" };
        page.remark(&format!("No {what} has a result yet, so there is no figure."));
        return;
    }
    let (chart, caption) = scores(sweep, &sweep.methods.iter().collect::<Vec<_>>(), "Scores of all methods");
    page.figure(Picture::new("scores", title, chart.as_ref()), &caption);
    let own: Vec<String> =
        sweep.results.methods.iter().filter(|m| m.own_corpus.is_some()).map(|m| m.name.clone()).collect();
    if !own.is_empty() {
        page.remark(&format!(
            "Sizes are those of the sweep's corpus. Trained on their own corpora, at these shares of them: {}.",
            enumerate(&own)
        ));
    }
}

/// Differences between pairs of methods, over sizes; `None` if there is nothing to compare.
fn differences(sweep: &Sweep, pairs: &[(String, String)], y_title: String) -> Result<Option<Bars>> {
    let mut series = Vec::new();
    // A difference between methods of other encoders or corpora is not that of a component.
    let same = |(method, other): &&(String, String)| Setup::between(&sweep.results, method, other).is_same();
    for (method, other) in pairs.iter().filter(same) {
        let mut bars = Vec::new();
        for size in &sweep.sizes {
            let difference = sweep.difference(method, other, &size.name)?;
            bars.push(
                difference
                    .map(|d| Bar { value: d.difference, interval: d.interval.map(|i| (i.low, i.high)) }),
            );
        }
        if bars.iter().any(Option::is_some) {
            series.push(Series { name: method.clone(), look: sweep.looks.of(method), bars });
        }
    }
    let groups = sweep.sizes.iter().map(|s| s.name.clone()).collect();
    Ok((!series.is_empty()).then_some(Bars { y_title, x_title: "training-set size".into(), groups, series }))
}

fn intervals_caption(bars: &Bars) -> String {
    let intervals = bars.have_intervals();
    let mut text = String::from("Bars: mean difference over common seeds. ");
    text.push_str(match (intervals.iter().any(|i| *i), intervals.iter().all(|i| *i)) {
        (false, _) => "No intervals: only one common seed, or the seeds agree to 0.01.",
        (true, true) => "Whiskers: 95 % interval of the mean, Student's t over paired seeds.",
        (true, false) => {
            "Whiskers: 95 % interval of the mean, Student's t over paired seeds; bars without whiskers have one common \
             seed, or seeds that agree to 0.01."
        }
    });
    if bars.is_cut() {
        text.push_str(" Arrows: the interval extends beyond the axis.");
    }
    let undefined = not_drawn(&bars.undefined());
    text.extend(undefined.map(|sentence| format!(" {sentence}")));
    text
}

pub(super) fn components(page: &mut Page, sweep: &Sweep) -> Result<Option<String>> {
    let names = || sweep.methods.iter().map(String::as_str);
    let plain = USUAL_BASELINES.iter().find(|usual| names().any(|method| base(method) == **usual));
    let plain = *plain.unwrap_or(&USUAL_BASELINES[0]);
    let of_component = |component| names().filter(move |name| base(name) == component);
    let pairs: Vec<(String, String)> = COMPONENTS
        .into_iter()
        .flat_map(of_component)
        .filter_map(|name| Some((name.to_owned(), counterpart(names(), plain, name)?.to_owned())))
        .collect();
    let Some(bars) = differences(sweep, &pairs, format!("points over {plain}"))? else {
        return Ok(Some(format!(
            "What each component changes: needs results of {plain} and of {} with the same seeds.",
            COMPONENTS.join(" or ")
        )));
    };
    page.section("components", "What each component changes");
    let other = if plain == "simcse" { " simcse has batch size, warm-up and steps of its own." } else { "" };
    page.paragraph(&format!(
        "Adding a queue filled by a momentum copy turns {plain} into moco-simcse, adding attention mutual information \
         (AMI) turns it into ami-simcse, and adding both turns it into micse.{other}"
    ));
    let caption = format!("Difference from {plain}: {}. {}", sweep.score, intervals_caption(&bars));
    page.figure(Picture::new("components", "What each component changes", &bars), &caption);
    Ok(None)
}

pub(super) fn positives(page: &mut Page, sweep: &Sweep) -> Result<Option<String>> {
    const SUFFIX: &str = "-positives";
    let names = || sweep.methods.iter().map(String::as_str);
    let variants = names().filter_map(|name| Some((name, base(name).strip_suffix(SUFFIX)?)));
    let pairs: Vec<(String, String)> = variants
        .filter_map(|(name, plain)| Some((name.to_owned(), counterpart(names(), plain, name)?.to_owned())))
        .collect();
    if pairs.is_empty() {
        return Ok(Some(format!(
            "Training with positives only: needs methods NAME and NAME{SUFFIX}, such as simcse and simcse{SUFFIX}."
        )));
    }
    page.section("positives", "Training with positives only");
    page.paragraph(&format!(
        "{} learn only from two views of each sentence, without other sentences as negatives.",
        enumerate(&pairs.iter().map(|p| p.0.clone()).collect::<Vec<_>>())
    ));
    let methods: Vec<&String> =
        sweep.methods.iter().filter(|m| pairs.iter().any(|(a, b)| a == *m || b == *m)).collect();
    let what = "Scores with negatives (filled marks) and with positives only (hollow marks)";
    let (chart, caption) = scores(sweep, &methods, what);
    page.figure(Picture::new("positives", "Scores with positives only", chart.as_ref()), &caption);
    if let Some(bars) = differences(sweep, &pairs, "points over the method with negatives".into())? {
        let caption = format!("Change in score without negatives. {}", intervals_caption(&bars));
        page.figure(Picture::new("positives-change", "Change without negatives", &bars), &caption);
    }
    Ok(None)
}

pub(super) fn geometry(page: &mut Page, sweep: &Sweep) -> Option<String> {
    let cloud = |name: &String, look| {
        let points = sweep.runs.iter().filter(|r| r.result.method == *name).filter_map(|r| {
            let result = &r.result;
            let mut run = name.clone();
            run.extend(result.size.iter().map(|size| format!(", {size}")));
            run.extend(result.seed.iter().map(|seed| format!(", seed {seed}")));
            Some((result.scores.uniformity?, result.scores.alignment?, run))
        });
        Cloud { name: name.clone(), look, points: points.collect() }
    };
    let mut clouds: Vec<Cloud> = sweep.methods.iter().map(|m| cloud(m, sweep.looks.of(m))).collect();
    clouds.extend(sweep.untrained.iter().map(|u| cloud(&u.0, UNTRAINED)));
    clouds.retain(|c| !c.points.is_empty());
    if clouds.is_empty() {
        return Some(
            "Alignment and uniformity: measured on development pairs, which these evaluation sets do not include."
                .into(),
        );
    }
    page.section("geometry", "Alignment and uniformity");
    page.paragraph(
        "Alignment is the mean squared distance between the unit vectors of sentences with the same meaning. \
         Uniformity is the logarithm of the mean of exp(\u{2212}2d²) over all pairs of sentences; it is low if the \
         vectors spread over the whole sphere. Lower is better for both.",
    );
    let scatter = Scatter {
        x_title: "uniformity, lower is better".into(),
        y_title: "alignment, lower is better".into(),
        clouds,
    };
    let several = sweep.sizes.len() > 1;
    let caption = format!(
        "Alignment against uniformity on the development pairs, one point per run{}. Crosses: without training.",
        if several { ", of all sizes" } else { "" }
    );
    page.figure(Picture::new("geometry", "Alignment against uniformity", &scatter), &caption);
    None
}
