//! What the synchronous fast path spares an answer from memory.

use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use larder_moka::MokaStore;
use larder_store::{Key, Kind, Put, Store, Ttl};

use crate::harness::{Bar, Row, compare, per_operation};
use crate::load::runtime;

const SEAT: Kind = Kind::pinned("seat");
const OPERATIONS: usize = 200_000;

pub(crate) fn run() -> Vec<Row> {
    let runtime = runtime();
    let store: Arc<dyn Store> = Arc::new(MokaStore::new());
    let keys: Vec<Key> = (0..1_000_u32).map(|n| Key::new(SEAT, n)).collect();
    runtime.block_on(async {
        for key in &keys {
            let put = Put::new(key.clone(), vec![7; 100], Ttl::from_secs(3600));
            let _ = store.put(&put).await.expect("there is room");
        }
    });
    vec![
        compare(
            "get in process through `Arc<dyn Store>`",
            15,
            (
                "fast path",
                Box::new(|| {
                    runtime.block_on(async {
                        let started = Instant::now();
                        for n in 0..OPERATIONS {
                            let entry = store.get_now(&keys[n % keys.len()]);
                            assert!(matches!(entry, Poll::Ready(Ok(Some(_)))));
                        }
                        per_operation(started.elapsed(), OPERATIONS)
                    })
                }),
            ),
            (
                "the same, boxed by async-trait",
                Box::new(|| {
                    runtime.block_on(async {
                        let started = Instant::now();
                        for n in 0..OPERATIONS {
                            let entry = store.get(&keys[n % keys.len()]).await;
                            assert!(entry.is_ok_and(|entry| entry.is_some()));
                        }
                        per_operation(started.elapsed(), OPERATIONS)
                    })
                }),
            ),
            Bar::None,
        )
        .with_note("the fast path allocates nothing, which a test asserts"),
    ]
}
