//! A ledger: its sum never changes, and each request is carried out once, however often it is sent.

use std::sync::Arc;

use fastrand::Rng;
use larder_store::{Result, Store, Ttl};
use larder_structures::counter::Counter;
use larder_structures::ledger::{Ledger, Transfer};

use super::cut::{Cut, Progress};
use super::{How, Report};

const TASKS: u64 = 8;
const ACCOUNTS: [&str; 5] = ["ada", "bob", "cy", "dee", "eve"];
/// What each account has at first.
const FIRST: i64 = 1_000;
const DAY: Ttl = Ttl::from_secs(86_400);

/// What the requests of a task have moved to each account, and from it.
type Moves = [i64; ACCOUNTS.len()];

/// Eight tasks that move amounts between five accounts.
pub async fn run(how: How, kills: u32) -> Report {
    let cut = Cut::start().await;
    let books = |store: &Arc<dyn Store>| Books::new(how, store);
    let whole = books(&cut.whole);
    whole.open().await.expect("five accounts");
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let worker = Worker {
                books: books(&cut.store),
                progress: cut.progress.clone(),
                random: Rng::with_seed(task),
                task,
                moves: Moves::default(),
            };
            tokio::spawn(worker.run())
        })
        .collect();
    let sum = FIRST * ACCOUNTS.len() as i64;
    let watching = async {
        let mut wrong = Vec::new();
        // Between its two steps the sum of a transfer by hand is always another.
        while how == How::Structure && !cut.progress.is_over() {
            let total = whole.total().await.expect("a total");
            if total != sum {
                wrong.push(format!("the sum was {total} meanwhile, and not {sum}"));
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        wrong
    };
    let ((), mut wrong) = tokio::join!(cut.kill(kills, 2), watching);
    let mut expected = [FIRST; ACCOUNTS.len()];
    for task in tasks {
        let moves = task.await.expect("a task that works");
        for (expected, moved) in expected.iter_mut().zip(moves) {
            *expected += moved;
        }
    }
    let held = whole.balances().await.expect("balances");
    if held != expected {
        wrong.push(format!("the balances are {held:?}, and not {expected:?}"));
    }
    let total = whole.total().await.expect("a total");
    if total != sum || held.iter().sum::<i64>() != sum {
        wrong.push(format!("the sum is {total}, and not {sum}"));
    }
    cut.progress.report(wrong)
}

/// A ledger, or one counter for each account.
enum Books {
    Ledger(Ledger),
    Counters(Counter),
}

impl Books {
    fn new(how: How, store: &Arc<dyn Store>) -> Self {
        match how {
            How::Structure => {
                Self::Ledger(Ledger::new(store.clone(), "proof", DAY).expect("programs"))
            }
            How::ByHand => {
                Self::Counters(Counter::new(store.clone(), "proof", DAY).expect("programs"))
            }
        }
    }

    async fn open(&self) -> Result<()> {
        for account in ACCOUNTS {
            match self {
                Self::Ledger(ledger) => drop(ledger.credit("eur", account, account, FIRST).await?),
                Self::Counters(counter) => drop(counter.set(account, FIRST).await?),
            }
        }
        Ok(())
    }

    async fn balances(&self) -> Result<Vec<i64>> {
        match self {
            Self::Ledger(ledger) => ledger.balances("eur", &ACCOUNTS).await,
            Self::Counters(counter) => {
                let balances = counter.get_many(ACCOUNTS).await.into_iter();
                balances.map(|held| Ok(held?.unwrap_or(0))).collect()
            }
        }
    }

    async fn total(&self) -> Result<i64> {
        match self {
            Self::Ledger(ledger) => ledger.total("eur").await,
            Self::Counters(_) => Ok(self.balances().await?.into_iter().sum()),
        }
    }
}

/// One request of a ledger, which may be sent again.
#[derive(Clone, Copy)]
enum Request<'a> {
    Transfer(Transfer<'a>),
    Hold(Transfer<'a>),
    Settle(Transfer<'a>),
    Release(Transfer<'a>),
}

struct Worker {
    books: Books,
    progress: Arc<Progress>,
    random: Rng,
    task: u64,
    moves: Moves,
}

impl Worker {
    async fn run(mut self) -> Moves {
        let mut number = 0_u64;
        while !self.progress.is_over() {
            number += 1;
            let id = format!("{}-{number}", self.task);
            let (from, to) = (self.account(), self.account());
            let amount = self.random.i64(1..40);
            let transfer = Transfer {
                id: &id,
                from: ACCOUNTS[from],
                to: ACCOUNTS[to],
                amount,
            };
            let is_moved = match &self.books {
                Books::Counters(counter) => self.by_hand(counter, &transfer).await,
                Books::Ledger(ledger) => match self.random.u8(..3) {
                    0 => {
                        let is_held = self.answer(ledger, Request::Hold(transfer)).await;
                        let closes = match self.random.bool() {
                            true => Request::Settle(transfer),
                            false => Request::Release(transfer),
                        };
                        is_held
                            && self.answer(ledger, closes).await
                            && matches!(closes, Request::Settle(_))
                    }
                    _ => self.answer(ledger, Request::Transfer(transfer)).await,
                },
            };
            if is_moved {
                self.moves[from] -= amount;
                self.moves[to] += amount;
            }
        }
        self.moves
    }

    fn account(&mut self) -> usize {
        self.random.usize(..ACCOUNTS.len())
    }

    /// Sends a request until it is answered, and returns whether it is carried out.
    async fn answer(&self, ledger: &Ledger, request: Request<'_>) -> bool {
        loop {
            match send(ledger, request).await {
                Ok(is_done) => {
                    self.progress.answered();
                    return is_done;
                }
                Err(error) => {
                    self.progress.failed(&error).await;
                }
            }
        }
    }

    /// Lowers one and raises the other. What fails counts as not done.
    async fn by_hand(&self, counter: &Counter, transfer: &Transfer<'_>) -> bool {
        for (account, by) in [
            (transfer.from, -transfer.amount),
            (transfer.to, transfer.amount),
        ] {
            if let Err(error) = counter.add(account, by).await {
                self.progress.failed(&error).await;
                return false;
            }
        }
        self.progress.answered();
        true
    }
}

async fn send(ledger: &Ledger, request: Request<'_>) -> Result<bool> {
    match request {
        Request::Transfer(it) => Ok(ledger.transfer("eur", it).await?.is_done()),
        Request::Hold(it) => {
            let held = ledger.hold("eur", it.id, it.from, it.amount).await?;
            Ok(held.is_done())
        }
        Request::Settle(it) => is_closed(ledger.settle("eur", it.id, Some(it.to)).await?),
        Request::Release(it) => is_closed(ledger.release("eur", it.id).await?),
    }
}

fn is_closed(closed: larder_structures::ledger::Closed) -> Result<bool> {
    use larder_structures::ledger::Closed::{Done, Duplicate};
    Ok(matches!(closed, Done | Duplicate))
}
