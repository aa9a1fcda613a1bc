//! Long work on another thread, while the calling thread answers Ctrl-C and calls Python functions.

use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use micse::eval::Embedder;
use micse::hub::Event;
use micse::train::Stop;
use pyo3::prelude::*;

use crate::encoding::Encoding;
use crate::errors::{raise, refuse};
use crate::threads::install;

/// How long Ctrl-C may wait.
const PATIENCE: Duration = Duration::from_millis(100);

/// Runs `work` in the pool. What it tells is passed to `tell` on the calling thread, with the interpreter's lock. If
/// `tell` fails, or Ctrl-C is pressed, the work is asked to stop, and the exception is raised once it has ended.
pub(crate) fn watch<E: Send, R: Send>(
    py: Python<'_>,
    work: impl FnOnce(&Stop, &mut (dyn FnMut(E) + Send)) -> R + Send,
    mut tell: impl FnMut(Python<'_>, E) -> PyResult<()> + Send,
) -> PyResult<R> {
    py.detach(move || {
        let stop = &Stop::new();
        let (sender, receiver) = channel();
        std::thread::scope(|scope| {
            let worker = {
                scope.spawn(move || {
                    // A message that nobody reads any more is of no use.
                    install(|| work(stop, &mut |event| drop(sender.send(event))))
                })
            };
            let mut raised = None;
            loop {
                let event = receiver.recv_timeout(PATIENCE);
                let ended = matches!(event, Err(RecvTimeoutError::Disconnected));
                if raised.is_none() {
                    let answer = Python::attach(|py| {
                        event.map_or(Ok(()), |event| tell(py, event)).and_then(|()| py.check_signals())
                    });
                    if let Err(error) = answer {
                        stop.request();
                        raised = Some(error);
                    }
                }
                if ended {
                    break;
                }
            }
            let done = worker.join().map_err(|_| refuse("the work ended unexpectedly"))?;
            raised.map_or(done, Err)
        })
    })
}

/// The name of a file that is downloaded, the bytes that have arrived, and its size if that is known.
pub(crate) type Arrived = (String, u64, Option<u64>);

/// The folder of a model, after a download if it is on the Hub.
pub(crate) fn find(name: &str, stop: &Stop, tell: &mut dyn FnMut(Arrived)) -> PyResult<PathBuf> {
    let told = micse::find_watched(name, stop, &mut |event| match event {
        Event::Bytes { file, done, total } => tell((file.to_owned(), done, total)),
        Event::Note(text) => tracing::info!(target: "micse", "{text}"),
        _ => {}
    });
    told.map_err(raise)
}

/// An encoding that fails once a stop is requested.
pub(crate) struct Stoppable<'a> {
    pub(crate) encoding: &'a Encoding<'a>,
    pub(crate) stop: &'a Stop,
}

impl Embedder for Stoppable<'_> {
    fn dimension(&self) -> usize {
        self.encoding.dimension()
    }

    fn truncate_dim(&self) -> Option<usize> {
        self.encoding.truncate_dim()
    }

    fn embed(&self, sentences: &[&str]) -> Result<Vec<Vec<f32>>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.encoding.encode(sentences, &|_| !self.stop.requested())?)
    }
}
