//! One direction of a connection.

use std::convert::Infallible;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::bit_flips::BitFlipper;
use super::faults::{Cut, Direction, Faults, Flow};
use super::state::{End, ProxyState, Share};

/// Bytes that arrived together, and when.
struct Chunk {
    came: Instant,
    what: What,
}

enum What {
    Bytes(BytesMut),
    /// The end of the stream.
    End,
    /// The connection failed.
    Reset,
}

/// The largest chunk, and the maximum number of chunks that wait: 1 MiB in total.
const CHUNK: usize = 16 * 1024;
const CHUNKS: usize = 64;

/// The number of pieces in which a throttled flow is written each second.
const TICKS_PER_SECOND: u32 = 50;

/// The time for which a throttled flow that is late may catch up.
const CATCH_UP: Duration = Duration::from_millis(20);

/// Passes bytes on in one direction, with the faults that are active at the moment.
pub(super) struct Pipe<'a> {
    direction: Direction,
    number: u64,
    faults: watch::Receiver<Faults>,
    state: &'a ProxyState,
    flipper: Option<BitFlipper>,
    /// The number of bytes passed on since a cut was set.
    passed: Option<(Cut, u64)>,
    /// The time at which a throttled flow may go on.
    next: Instant,
}

impl<'a> Pipe<'a> {
    pub(super) fn new(
        direction: Direction,
        number: u64,
        faults: watch::Receiver<Faults>,
        state: &'a ProxyState,
    ) -> Self {
        Self {
            direction,
            number,
            faults,
            state,
            flipper: None,
            passed: None,
            next: Instant::now(),
        }
    }

    /// Passes bytes on until the end of the stream, which is passed on too, or of the connection.
    pub(super) async fn run(mut self, from: ReadHalf<'_>, to: WriteHalf<'_>) -> Result<(), End> {
        let (chunks, waiting) = mpsc::channel(CHUNKS);
        tokio::select! {
            outcome = self.pass_on(waiting, to) => outcome,
            never = take_in(from, chunks) => match never {},
        }
    }

    async fn pass_on(
        &mut self,
        mut waiting: mpsc::Receiver<Chunk>,
        mut to: WriteHalf<'_>,
    ) -> Result<(), End> {
        while let Some(Chunk { came, what }) = waiting.recv().await {
            self.until_due(came).await;
            self.until_let_go().await;
            let mut bytes = match what {
                What::Bytes(bytes) => bytes,
                What::End => {
                    // It fails only if the other side is gone, and then nothing is left to do.
                    let _ = to.shutdown().await;
                    return Ok(());
                }
                What::Reset => return Err(End::Reset),
            };
            match self.direction {
                Direction::Requests if self.state.refuses(&bytes) => return Err(End::Close),
                Direction::Replies if self.state.takes_a_drop() => return Err(End::Close),
                Direction::Requests => {}
                Direction::Replies => self.spoil(&mut bytes),
            }
            match self.write(&bytes, &mut to).await {
                Outcome::Passed => {}
                Outcome::Cut => return Err(End::Close),
                // The other direction notices it too, after it has passed on what came before.
                Outcome::Gone => return Ok(()),
            }
        }
        Ok(())
    }

    async fn write(&mut self, mut bytes: &[u8], to: &mut WriteHalf<'_>) -> Outcome {
        while !bytes.is_empty() {
            self.until_let_go().await;
            let flow = self.flow();
            if flow.rate.is_some() && self.next > Instant::now() {
                self.until_or_changed(self.next).await;
                continue;
            }
            let Share {
                bytes: size,
                is_last,
            } = self.share(&flow, bytes.len());
            let (piece, rest) = bytes.split_at(size);
            // Counted first, so that a test that has read the bytes finds them counted.
            self.state.pass(self.direction, size);
            if to.write_all(piece).await.is_err() {
                return Outcome::Gone;
            }
            if is_last {
                return Outcome::Cut;
            }
            bytes = rest;
            if let Some(rate) = flow.rate {
                let cost = Duration::from_secs(1).mul_f64(size as f64 / f64::from(rate.get()));
                let earliest = Instant::now().checked_sub(CATCH_UP);
                self.next = earliest.map_or(self.next, |earliest| self.next.max(earliest)) + cost;
            }
            if flow.piece.is_some() {
                tokio::task::yield_now().await;
            }
        }
        Outcome::Passed
    }

    /// Returns the number of bytes to write now, and whether the connection then ends.
    fn share(&mut self, flow: &Flow, waiting: usize) -> Share {
        let mut size = waiting;
        if let Some(piece) = flow.piece {
            size = size.min(piece.get());
        }
        if let Some(rate) = flow.rate {
            size = size.min((rate.get() / TICKS_PER_SECOND).max(1) as usize);
        }
        let Some(cut) = flow.cut else {
            return self.state.share(self.direction, size);
        };
        let passed = match self.passed {
            Some((counted, passed)) if counted == cut => passed,
            _ => 0,
        };
        let mine = Share::of(cut.bytes.saturating_sub(passed), size);
        let share = self.state.share(self.direction, mine.bytes);
        self.passed = Some((cut, passed + share.bytes as u64));
        Share {
            is_last: share.is_last || mine.is_last,
            ..share
        }
    }

    fn spoil(&mut self, bytes: &mut [u8]) {
        let damage = self.faults.borrow().damage;
        let at_work = self.flipper.take();
        self.flipper = damage.map(|damage| damage.flipper(self.number, at_work));
        if let Some(flipper) = &mut self.flipper {
            self.state.corrupt(flipper.spoil(bytes));
        }
    }

    /// Returns the current faults. A later change ends the next wait.
    fn flow(&mut self) -> Flow {
        let faults = self.faults.borrow_and_update();
        faults.flow(self.direction).clone()
    }

    /// Waits until the delay of bytes that came at this time is over.
    async fn until_due(&mut self, came: Instant) {
        loop {
            let due = came + self.flow().delay;
            if due <= Instant::now() {
                return;
            }
            self.until_or_changed(due).await;
        }
    }

    /// Waits until there is no black hole.
    async fn until_let_go(&mut self) {
        let number = self.number;
        let let_go = self.faults.wait_for(|faults| !faults.holds(number));
        if let_go.await.is_err() {
            // The proxy is being dropped, and ends the connection.
            std::future::pending::<()>().await;
        }
    }

    async fn until_or_changed(&mut self, until: Instant) {
        tokio::select! {
            () = sleep_until(until) => {}
            // It fails only while the proxy is dropped, which ends the connection.
            Ok(()) = self.faults.changed() => {}
        }
    }
}

/// The outcome of a write.
enum Outcome {
    Passed,
    Cut,
    Gone,
}

async fn take_in(mut from: ReadHalf<'_>, chunks: mpsc::Sender<Chunk>) -> Infallible {
    loop {
        let mut bytes = BytesMut::with_capacity(CHUNK);
        let what = match from.read_buf(&mut bytes).await {
            Ok(0) => What::End,
            Ok(_) => What::Bytes(bytes),
            Err(_) => What::Reset,
        };
        let is_last = !matches!(what, What::Bytes(_));
        let came = Instant::now();
        if chunks.send(Chunk { came, what }).await.is_err() || is_last {
            // The chunks that wait must still be passed on.
            std::future::pending::<()>().await;
        }
    }
}
