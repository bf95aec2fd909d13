use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use crate::{Error, ErrorKind, Result};

/// Runs futures concurrently, and returns what they return in their order.
pub(super) async fn together<T, F: Future<Output = T>>(futures: Vec<F>) -> Vec<T> {
    let mut running: Vec<(Option<T>, Pin<Box<F>>)> = futures
        .into_iter()
        .map(|future| (None, Box::pin(future)))
        .collect();
    poll_fn(|cx| {
        let mut is_done = true;
        for (output, future) in &mut running {
            if output.is_none() {
                match future.as_mut().poll(cx) {
                    Poll::Ready(done) => *output = Some(done),
                    Poll::Pending => is_done = false,
                }
            }
        }
        match is_done {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    running
        .into_iter()
        .filter_map(|(output, _)| output)
        .collect()
}

/// Splits items by shard, with the place of each in the answer.
pub(super) fn split<T>(
    shards: usize,
    items: impl IntoIterator<Item = T>,
    shard_of: impl Fn(&T) -> usize,
) -> Vec<(usize, Vec<usize>, Vec<T>)> {
    let mut parts: Vec<(usize, Vec<usize>, Vec<T>)> = (0..shards)
        .map(|shard| (shard, Vec::new(), Vec::new()))
        .collect();
    for (place, item) in items.into_iter().enumerate() {
        let (_, places, part) = &mut parts[shard_of(&item)];
        places.push(place);
        part.push(item);
    }
    parts.retain(|(_, places, _)| !places.is_empty());
    parts
}

/// Puts the answers of all shards into the order of the items.
pub(super) fn merge<T>(
    items: usize,
    operation: &'static str,
    answers: impl IntoIterator<Item = (Vec<usize>, Vec<Result<T>>)>,
) -> Vec<Result<T>> {
    let mut merged: Vec<Option<Result<T>>> = (0..items).map(|_| None).collect();
    for (places, answers) in answers {
        for (place, answer) in places.into_iter().zip(answers) {
            merged[place] = Some(answer);
        }
    }
    let missing = || {
        Error::new(
            operation,
            ErrorKind::MayHaveRun,
            "a shard returned too few answers",
        )
    };
    merged
        .into_iter()
        .map(|answer| answer.unwrap_or_else(|| Err(missing())))
        .collect()
}
