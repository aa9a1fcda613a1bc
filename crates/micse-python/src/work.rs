//! Long work on another thread, while the calling thread answers Ctrl-C and calls Python functions.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
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
/// How long a waiting thread of the pool looks away from other work.
const PAUSE: Duration = Duration::from_millis(1);

/// Runs `work` in the pool. What it tells is passed to `tell` on the calling thread, with the interpreter's lock. If
/// `tell` fails, or Ctrl-C is pressed, the work is asked to stop, and the exception is raised once it has ended.
pub(crate) fn watch<E: Send, R: Send>(
    py: Python<'_>,
    work: impl FnOnce(&Stop, &mut (dyn FnMut(E) + Send)) -> R + Send,
    tell: impl FnMut(Python<'_>, &E) -> PyResult<()> + Send,
) -> PyResult<R> {
    let (raised, done) = watch_to_the_end(py, work, tell);
    raised.map_or(done, Err)
}

/// [`watch`], for work that may fail although it was asked to stop: returns the exception, if any, and what the work
/// returned.
///
/// An event is dropped once `tell` has returned and, if that failed, the stop has been requested: see [`Receipt`].
pub(crate) fn watch_to_the_end<E: Send, R: Send>(
    py: Python<'_>,
    work: impl FnOnce(&Stop, &mut (dyn FnMut(E) + Send)) -> R + Send,
    mut tell: impl FnMut(Python<'_>, &E) -> PyResult<()> + Send,
) -> (Option<PyErr>, PyResult<R>) {
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
                        event
                            .as_ref()
                            .map_or(Ok(()), |event| tell(py, event))
                            .and_then(|()| py.check_signals())
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
            let done = worker.join().unwrap_or_else(|_| Err(refuse("the work ended unexpectedly")));
            (raised, done)
        })
    })
}

/// Part of an event whose sender waits until it was dealt with.
pub(crate) struct Receipt {
    /// Never sent through: the other half notices when it is dropped.
    _open: Sender<()>,
}

/// What the sender of an event waits for.
pub(crate) struct Dealt(Receiver<()>);

/// The two halves of a receipt.
pub(crate) fn receipt() -> (Receipt, Dealt) {
    let (sender, receiver) = channel();
    (Receipt { _open: sender }, Dealt(receiver))
}

impl Dealt {
    /// Waits until the receipt is dropped. Meanwhile this thread does other work of its pool, which may have no other
    /// thread: a callback may encode.
    pub(crate) fn wait(&self) {
        while !matches!(self.0.try_recv(), Err(TryRecvError::Disconnected)) {
            if rayon::yield_now() != Some(rayon::Yield::Executed)
                && matches!(self.0.recv_timeout(PAUSE), Err(RecvTimeoutError::Disconnected))
            {
                return;
            }
        }
    }
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
