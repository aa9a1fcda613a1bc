//! Streams whose reading ends when a stop is requested, even while nothing arrives.

use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

const PART: usize = 1 << 16;
/// Parts read ahead.
const AHEAD: usize = 4;
const PATIENCE: Duration = Duration::from_millis(100);

/// Bytes that another thread reads: a thread that waits for input cannot look at the flag.
pub(crate) struct StoppableInput {
    parts: Receiver<io::Result<Vec<u8>>>,
    part: Cursor<Vec<u8>>,
    stop: Arc<AtomicBool>,
}

impl StoppableInput {
    /// Opens a stream, which waits for a writer if it is a named pipe, and reads it. The thread ends with the input, or
    /// when nobody takes its parts any more.
    pub(crate) fn start<R: Read>(
        open: impl FnOnce() -> io::Result<R> + Send + 'static,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let (send, parts) = sync_channel(AHEAD);
        std::thread::spawn(move || match open() {
            Ok(source) => pass_on(source, &send),
            // Nobody takes it if reading was given up.
            Err(error) => drop(send.send(Err(error))),
        });
        Self { parts, part: Cursor::default(), stop }
    }
}

fn pass_on(mut source: impl Read, parts: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut part = vec![0; PART];
        let read = match source.read(&mut part) {
            Ok(0) => return,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read,
        };
        let failed = read.is_err();
        let part = read.map(|count| {
            part.truncate(count);
            part
        });
        if parts.send(part).is_err() || failed {
            return;
        }
    }
}

impl Read for StoppableInput {
    /// # Errors
    /// The input cannot be read, or a stop was requested.
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.stop.load(Ordering::SeqCst) {
                return Err(io::Error::other("a stop was requested"));
            }
            let count = self.part.read(bytes)?;
            if count > 0 || bytes.is_empty() {
                return Ok(count);
            }
            match self.parts.recv_timeout(PATIENCE) {
                Ok(part) => self.part = Cursor::new(part?),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks until its sender is dropped.
    struct Silent(Receiver<()>);

    impl Read for Silent {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            self.0.recv().map_or(Ok(0), |()| unreachable!("nothing is sent"))
        }
    }

    #[test]
    fn all_bytes_arrive_in_order() {
        let sent: Vec<u8> = (0..10 * PART).map(|i| (i % 251) as u8).collect();
        let mut read = Vec::new();
        let mut input = StoppableInput::start(
            {
                let sent = sent.clone();
                move || Ok(Cursor::new(sent))
            },
            Arc::default(),
        );
        input.read_to_end(&mut read).expect("read");
        assert!(read == sent, "{} bytes of {}", read.len(), sent.len());
    }

    #[test]
    fn a_failure_arrives_after_the_bytes_before_it() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("unplugged"))
            }
        }
        let mut input = StoppableInput::start(|| Ok(Cursor::new(b"cat").chain(Broken)), Arc::default());
        let mut read = Vec::new();
        let error = input.read_to_end(&mut read).expect_err("broken");
        assert_eq!((read.as_slice(), error.to_string().as_str()), (b"cat".as_slice(), "unplugged"));
    }

    #[test]
    fn a_stop_ends_the_wait() {
        let (silence, never) = std::sync::mpsc::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let mut input = StoppableInput::start(|| Ok(Silent(never)), Arc::clone(&stop));
        std::thread::scope(|scope| {
            // Late enough that the reader waits already; earlier, the stop would be seen at once.
            scope.spawn(|| {
                std::thread::sleep(2 * PATIENCE);
                stop.store(true, Ordering::SeqCst);
            });
            assert!(input.read(&mut [0; 8]).is_err());
        });
        drop(silence);
    }
}
