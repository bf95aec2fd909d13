//! Blobs, whose manifests and chunks were changed.

use std::sync::Arc;

use larder_moka::MokaStore;
use larder_structures::blob::{BlobError, Blobs};

use super::cache::HOUR;
use super::{Frame, Mutating, Outcome, Target, reading, runtime};

pub(super) fn blobs() -> Target {
    let runtime = runtime();
    let store = Arc::new(Mutating::new(Arc::new(MokaStore::new()), Frame::Damaged));
    let tickets = Blobs::new(store.clone(), "tickets", HOUR).expect("a name");
    let ticket: Vec<u8> = (0..2_000_u32).map(|at| (at % 251) as u8).collect();
    let written = runtime.block_on(tickets.put(7_u32, &ticket[..]));
    written.expect("it is written");
    Box::new(move |random| {
        store.draw_from(random);
        reading(|| {
            runtime.block_on(async {
                let mut copy = Vec::new();
                let copied = match tickets.get(7_u32).await {
                    Ok(Some(mut reader)) => reader.copy_to(&mut copy).await.map(Some),
                    Ok(None) => Ok(None),
                    Err(error) => Err(error),
                };
                match copied {
                    Ok(Some(_)) if copy == ticket => Outcome::Value,
                    Ok(Some(_)) => Outcome::Wrong,
                    Ok(None) | Err(BlobError::Torn) => Outcome::Refused,
                    Err(_) => Outcome::Failed,
                }
            })
        })
    })
}
