//! A run resumes only from its own checkpoint, and writes only into the folder that it locked.

use micse_tests::setting::{recipe, setting};
use micse_train::{Error, Event, RunInputs, Stop};

/// Requests a stop after some steps, as a signal does.
fn stop_at(stop: &Stop, at: usize) -> impl FnMut(Event) + '_ {
    move |event| {
        if matches!(event, Event::Step(report) if report.step == at) {
            stop.request();
        }
    }
}

#[test]
fn the_checkpoint_of_another_run_is_set_aside() {
    let setting = setting(40);
    let of = |rate: &str| recipe("simcse", &["steps=12", &format!("optimizer.lr={rate}")]);
    let (first, second) = (setting.runs.join("first"), setting.runs.join("second"));
    // Stop both after some steps, with a checkpoint.
    for (folder, rate) in [(&first, "1e-3"), (&second, "2e-3")] {
        let stop = Stop::new();
        let inputs = RunInputs { stop: stop.clone(), ..setting.inputs(of(rate)) };
        let ended = micse_train::run(folder, &inputs, &mut stop_at(&stop, 5));
        assert!(matches!(ended, Err(Error::Stopped { .. })));
    }
    let checkpoint = "checkpoint/state.safetensors";
    let own = std::fs::read(second.join(checkpoint)).expect("a checkpoint");
    // As if the first run's process wrote into the second run's folder.
    std::fs::copy(first.join(checkpoint), second.join(checkpoint)).expect("a copy");
    let (mut notices, mut begun) = (Vec::new(), None);
    let inputs = setting.inputs(of("2e-3"));
    let result = micse_train::run(&second, &inputs, &mut |event| match event {
        Event::Notice(text) => notices.push(text),
        Event::Started { step, .. } => begun = Some(step),
        _ => {}
    })
    .expect("a run");
    assert!(notices.iter().any(|text| text.contains("another run")), "{notices:?}");
    assert_eq!(begun, Some(0));
    let alone = micse_train::run(&setting.runs.join("alone"), &inputs, &mut |_| {}).expect("a run");
    assert_eq!(result.scores, alone.scores);

    // A run resumes from its own checkpoint.
    let third = setting.runs.join("third");
    let stop = Stop::new();
    let stopped = RunInputs { stop: stop.clone(), ..setting.inputs(of("2e-3")) };
    assert!(micse_train::run(&third, &stopped, &mut stop_at(&stop, 5)).is_err());
    std::fs::write(third.join(checkpoint), own).expect("the same run's checkpoint");
    let mut begun = None;
    let again = micse_train::run(&third, &inputs, &mut |event| {
        if let Event::Started { step, .. } = event {
            begun = Some(step);
        }
    });
    assert_eq!((begun, again.expect("a run").scores), (Some(5), alone.scores));
}

#[cfg(unix)]
#[test]
fn nothing_is_written_into_a_folder_that_was_replaced() {
    let setting = setting(40);
    let folder = setting.runs.join("run");
    let stop = Stop::new();
    let inputs = RunInputs { stop: stop.clone(), ..setting.inputs(recipe("simcse", &["steps=12"])) };
    let error = micse_train::run(&folder, &inputs, &mut |event| {
        if matches!(event, Event::Step(report) if report.step == 5) {
            // Someone removes the folder and starts another run in it.
            std::fs::remove_dir_all(&folder).expect("removed");
            std::fs::create_dir_all(&folder).expect("made again");
            stop.request();
        }
    })
    .expect_err("the folder was replaced")
    .to_string();
    assert!(error.contains("removed or replaced"), "{error}");
    assert_eq!(std::fs::read_dir(&folder).expect("the folder").count(), 0, "the new folder must stay empty");
}
