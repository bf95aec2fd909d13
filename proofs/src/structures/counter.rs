//! A counter: what was acknowledged is counted once, and what may have run at most once.

use larder_store::{Result, Ttl};
use larder_structures::counter::Counter;

use super::cut::Cut;
use super::{How, Report};

const TASKS: u64 = 8;

/// Eight tasks that count to one counter.
pub async fn run(how: How, kills: u32) -> Report {
    let cut = Cut::start().await;
    let counter = |store| Counter::new(store, "proof", Ttl::from_secs(3_600)).expect("programs");
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (counter, progress) = (counter(cut.store.clone()), cut.progress.clone());
            tokio::spawn(async move {
                let (mut acknowledged, mut ambiguous) = (0, 0);
                while !progress.is_over() {
                    match add(&counter).await {
                        Ok(()) => {
                            progress.answered();
                            acknowledged += 1;
                        }
                        Err(error) => {
                            let mut may_have_run = progress.failed(&error).await;
                            if how == How::ByHand {
                                // Again, as if nothing had happened.
                                while let Err(error) = add(&counter).await {
                                    progress.failed(&error).await;
                                }
                                progress.answered();
                                acknowledged += 1;
                                may_have_run = false;
                            }
                            ambiguous += i64::from(may_have_run);
                        }
                    }
                }
                (acknowledged, ambiguous)
            })
        })
        .collect();
    cut.kill(kills, 1).await;
    let (mut acknowledged, mut ambiguous) = (0, 0);
    for task in tasks {
        let (more, unknown) = task.await.expect("a task that works");
        acknowledged += more;
        ambiguous += unknown;
    }
    let value = counter(cut.whole.clone()).get("hits").await;
    let value = value.expect("a counter").unwrap_or(0);
    let most = acknowledged + ambiguous;
    let wrong = (!(acknowledged..=most).contains(&value))
        .then(|| format!("the value is {value}, and not from {acknowledged} to {most}"));
    cut.progress.report(wrong.into_iter().collect())
}

async fn add(counter: &Counter) -> Result<()> {
    counter.add("hits", 1).await.map(drop)
}
