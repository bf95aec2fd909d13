use std::collections::BTreeSet;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use larder_moka::MokaStore;
use larder_store::{ErrorKind, Key, Kind, Put, Store, Ttl};
use larder_structures::blob::{BlobError, BlobReader, Blobs};
use larder_structures::lock::Lock;
use larder_test::faulty::{Faulty, Lie, Operations, Switch, Trouble};
use larder_worlds::{on_every_store, until};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};

use crate::scripted::{End, scripted};

const HOUR: Ttl = Ttl::from_secs(3600);
const CHUNK: usize = 128 * 1024;
const CHUNKS: Kind = Kind::pinned("blob-chunk");

fn blobs(store: &Arc<dyn Store>) -> Blobs {
    Blobs::new(store.clone(), "test", HOUR).unwrap()
}

fn faulty(store: &Arc<dyn Store>) -> (Blobs, Switch) {
    let faulty = Faulty::new(store.clone());
    let switch = faulty.switch();
    (blobs(&(Arc::new(faulty) as Arc<dyn Store>)), switch)
}

fn data(seed: u64, length: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(seed);
    (0..length).map(|_| rng.u8(..)).collect()
}

async fn read(reader: Option<BlobReader>) -> Option<Vec<u8>> {
    let mut read = Vec::new();
    reader?.copy_to(&mut read).await.unwrap();
    Some(read)
}

/// The TTLs of all chunks.
async fn chunk_ttls(store: &Arc<dyn Store>) -> Vec<Ttl> {
    let scan = store.clone().scan().unwrap();
    let (mut keys, mut after) = (BTreeSet::new(), None);
    loop {
        let page = scan.page("blob-chunk", after.as_ref(), 100).await.unwrap();
        keys.extend(page.keys);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut ttls = Vec::new();
    for key in keys {
        ttls.extend(
            store
                .ttl(&Key::parse(&key, &[CHUNKS]).unwrap())
                .await
                .unwrap(),
        );
    }
    ttls
}

/// Waits until the TTLs of all chunks are so.
async fn until_chunks(store: &Arc<dyn Store>, are: impl Fn(&[Ttl]) -> bool) {
    until(
        "as the test expects",
        async || are(&chunk_ttls(store).await),
    )
    .await;
}

/// A source that fails after its bytes, or goes on for ever, and counts what was taken.
struct Source {
    left: Option<usize>,
    taken: Arc<AtomicUsize>,
}

impl AsyncRead for Source {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Pieces whose length differs from that of the chunks.
        let mut many = buffer.remaining().min(10_007);
        if let Some(left) = &mut self.left {
            many = many.min(*left);
            *left -= many;
            if many == 0 {
                return Poll::Ready(Err(io::Error::other("the visitor went away")));
            }
        }
        buffer.put_slice(&vec![7; many]);
        self.taken.fetch_add(many, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

on_every_store! { memory, redis, cluster;
    async fn a_blob_of_any_length_is_read_as_it_was_written(world: World) {
        let blobs = blobs(&world.store);
        assert!(blobs.get("a").await.unwrap().is_none());
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5] {
            let data = data(1, length);
            let info = blobs.put("a", &data[..]).await.unwrap();
            assert_eq!(info.size, length as u64);
            assert_eq!(blobs.info("a").await.unwrap(), Some(info));
            assert_eq!(read(blobs.get("a").await.unwrap()).await, Some(data), "{length}");
        }
        assert!(blobs.remove("a").await.unwrap());
        assert!(!blobs.remove("a").await.unwrap());
        assert!(blobs.get("a").await.unwrap().is_none());
    }

    async fn a_range_is_read_from_its_chunks_alone(world: World) {
        let blobs = blobs(&world.store);
        let data = data(2, 2 * CHUNK + 100);
        blobs.put("a", &data[..]).await.unwrap();
        for (start, end) in [(0, 1), (5, CHUNK + 5), (CHUNK, 2 * CHUNK), (2 * CHUNK, 9 * CHUNK), (7, 7)] {
            let reader = blobs.get_range("a", start as u64, end as u64).await.unwrap();
            let expected = data[start..end.min(data.len())].to_vec();
            assert_eq!(read(reader).await, Some(expected), "{start}..{end}");
        }
        let reader = blobs.get_range("a", 10 * CHUNK as u64, u64::MAX).await.unwrap();
        assert_eq!(read(reader).await, Some(vec![]));
    }

    async fn a_reader_ends_with_the_blob_that_it_began_with(world: World) {
        let blobs = blobs(&world.store);
        let (old, new) = (data(3, 3 * CHUNK), data(4, 2 * CHUNK));
        blobs.put("a", &old[..]).await.unwrap();
        let mut reader = blobs.get("a").await.unwrap().unwrap();
        let mut begun = reader.next().await.unwrap().unwrap().to_vec();
        blobs.put("a", &new[..]).await.unwrap();
        reader.copy_to(&mut begun).await.unwrap();
        assert_eq!(begun, old);
        let reader = blobs.get("a").await.unwrap();
        blobs.remove("a").await.unwrap();
        assert_eq!(read(reader).await, Some(new));
    }

    async fn a_write_that_fails_leaves_the_blob_before(world: World) {
        let (blobs, switch) = faulty(&world.store);
        let old = data(5, CHUNK + 1);
        blobs.put("a", &old[..]).await.unwrap();
        let taken = Arc::new(AtomicUsize::new(0));
        let broken = |left| Source { left, taken: taken.clone() };

        let error = blobs.put("a", broken(Some(2 * CHUNK + 5))).await.unwrap_err();
        assert!(matches!(error, BlobError::Io(_)), "{error}");
        let small = blobs.clone().with_max_size(CHUNK as u64 + 9);
        let error = small.put("a", broken(None)).await.unwrap_err();
        assert!(matches!(error, BlobError::TooLarge { max } if max == CHUNK as u64 + 9), "{error}");
        for fails in 1..4 {
            let new = data(6, 2 * CHUNK);
            switch.clear();
            let before = switch.operations();
            let put = blobs.put("a", &new[..]);
            // The operation fails that is so far behind the first.
            let fail = async {
                while switch.operations() < before + fails {
                    tokio::task::yield_now().await;
                }
                switch.set(Trouble::Fail(ErrorKind::NotSent));
            };
            let (put, ()) = tokio::join!(put, fail);
            switch.clear();
            if put.is_err() {
                assert_eq!(read(blobs.get("a").await.unwrap()).await.as_ref(), Some(&old));
            }
            blobs.put("a", &old[..]).await.unwrap();
        }
    }

    async fn a_write_that_is_given_up_leaves_the_blob_before_and_holds_one_chunk(world: World) {
        let (blobs, switch) = faulty(&world.store);
        let old = data(7, CHUNK + 1);
        blobs.put("a", &old[..]).await.unwrap();
        let taken = Arc::new(AtomicUsize::new(0));
        switch.set_on(Operations::Writes, Trouble::Hang);
        let source = Source { left: None, taken: taken.clone() };
        let put = blobs.put("a", source);
        tokio::select! {
            _ = put => panic!("the store hangs"),
            () = async {
                while taken.load(Ordering::Relaxed) < CHUNK {
                    tokio::task::yield_now().await;
                }
            } => {}
        }
        assert_eq!(taken.load(Ordering::Relaxed), CHUNK, "the source was read ahead");
        switch.clear();
        assert_eq!(read(blobs.get("a").await.unwrap()).await, Some(old));
    }

    async fn a_write_that_is_given_up_leaves_no_chunk_behind(world: World) {
        let (blobs, data) = (blobs(&world.store), data(10, 3 * CHUNK));
        let (source, mut visitor) = tokio::io::duplex(CHUNK);
        let sent = async {
            visitor.write_all(&data).await.unwrap();
            until_chunks(&world.store, |ttls| ttls.len() == 3).await;
        };
        tokio::select! {
            _ = blobs.put("a", source) => panic!("the visitor is still there"),
            () = sent => {}
        }
        until_chunks(&world.store, <[_]>::is_empty).await;
    }

    async fn a_write_that_fails_has_removed_its_chunks_when_it_returns(world: World) {
        // Whoever does not wait for the removal still sees the chunks.
        let (store, switch) = world.faulty();
        switch.set_on(Operations::Writes, Trouble::Delay(Duration::from_millis(50)));
        let small = blobs(&store).with_max_size(2 * CHUNK as u64);
        let error = small.put("a", &data(13, 3 * CHUNK)[..]).await.unwrap_err();
        assert!(matches!(error, BlobError::TooLarge { .. }), "{error}");
        assert!(chunk_ttls(&world.store).await.is_empty());
        // Two chunks are written, and the manifest before cannot be read.
        for kind in [ErrorKind::NotSent, ErrorKind::MayHaveRun] {
            let ends = [End::Well, End::Well, End::Fails(kind)];
            let unlucky = blobs(&scripted(&store, &ends));
            let error = unlucky.put("a", &data(14, 2 * CHUNK)[..]).await.unwrap_err();
            assert!(matches!(&error, BlobError::Store(it) if it.kind() == ErrorKind::NotSent), "{error:?}");
            assert!(chunk_ttls(&world.store).await.is_empty(), "{kind:?}");
        }
    }

    async fn a_write_that_the_store_ends_leaves_no_chunk_behind_once_it_answers(world: World) {
        let (blobs, switch) = faulty(&world.store);
        let (source, mut visitor) = tokio::io::duplex(CHUNK);
        let data = data(12, 3 * CHUNK);
        let send = async {
            visitor.write_all(&data[..2 * CHUNK]).await.unwrap();
            until_chunks(&world.store, |ttls| ttls.len() == 2).await;
            switch.set(Trouble::Fail(ErrorKind::NotSent));
            visitor.write_all(&data[2 * CHUNK..]).await.unwrap();
            drop(visitor);
        };
        let (put, ()) = tokio::join!(blobs.put("a", source), send);
        assert!(matches!(put, Err(BlobError::Store(_))), "{put:?}");
        let failed = switch.operations();
        until("a removal failed", async || switch.operations() > failed).await;
        switch.clear();
        until_chunks(&world.store, <[_]>::is_empty).await;
    }

    async fn the_chunks_of_a_blob_that_was_replaced_end_though_the_caller_went_away(world: World) {
        let (blobs, switch) = faulty(&world.store);
        blobs.put("a", &data(11, 3 * CHUNK)[..]).await.unwrap();
        let long = Ttl::from_secs(2 * 3_600);
        assert!(chunk_ttls(&world.store).await.iter().all(|ttl| *ttl > long));
        switch.set_on(Operations::Writes, Trouble::Delay(Duration::from_millis(20)));
        let begun = switch.operations();
        // Its manifest is read and written, and the first of three chunks is being ended.
        tokio::select! {
            _ = blobs.put("a", &[][..]) => panic!("it takes a while to end three chunks"),
            () = async {
                while switch.operations() < begun + 3 {
                    tokio::task::yield_now().await;
                }
            } => {}
        }
        until_chunks(&world.store, |ttls| ttls.iter().all(|ttl| *ttl <= HOUR)).await;
        assert_eq!(chunk_ttls(&world.store).await.len(), 3);
    }

    async fn what_was_changed_or_is_gone_is_torn(world: World) {
        let (blobs, switch) = faulty(&world.store);
        blobs.put("a", &data(8, 2 * CHUNK)[..]).await.unwrap();
        for lie in [Lie::Truncated, Lie::Garbage, Lie::BitFlipped] {
            let mut reader = blobs.get("a").await.unwrap().unwrap();
            assert!(reader.next().await.unwrap().is_some());
            switch.set(Trouble::Lie(lie));
            let error = reader.next().await.unwrap_err();
            assert!(matches!(error, BlobError::Torn), "{error}");
            switch.clear();
            // The stored value is still correct.
            assert!(reader.next().await.unwrap().is_some());
        }
    }

    async fn a_manifest_that_may_be_there_keeps_its_chunks(world: World) {
        let before = data(1, 100);
        blobs(&world.store).put("a", &*before).await.unwrap();
        // One chunk; then the manifest before is read and the new one is written, which arrives late.
        let store = scripted(&world.store, &[
            End::Well,
            End::Well,
            End::Fails(ErrorKind::MayHaveRun),
            End::Well,
            End::Late,
            End::Fails(ErrorKind::NotSent),
        ]);
        let now = data(2, 100);
        let error = blobs(&store).put("a", &*now).await.unwrap_err();
        assert!(matches!(&error, BlobError::Store(it) if it.kind() == ErrorKind::MayHaveRun), "{error:?}");
        assert_eq!(read(blobs(&world.store).get("a").await.unwrap()).await, Some(now));
    }

    async fn a_lost_reply_of_the_manifest_is_settled(world: World) {
        let (blobs, switch) = faulty(&world.store);
        let data = data(9, 100);
        // The replies of all writes are lost, and all are executed: no chunk is put a second time.
        switch.set_on(Operations::Writes, Trouble::LoseAnswer);
        let error = blobs.put("a", &data[..]).await.unwrap_err();
        assert!(matches!(error, BlobError::Store(_)), "{error}");
        switch.clear();
        assert!(blobs.get("a").await.unwrap().is_none());
        // Only that of the manifest: an empty blob has no other write.
        switch.set_on(Operations::Writes, Trouble::LoseAnswer);
        blobs.put("a", &[][..]).await.unwrap();
        assert_eq!(blobs.info("a").await.unwrap().unwrap().size, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_that_names_chunks_without_end_keeps_no_writer_busy() {
    const BLOB: Kind = Kind::pinned("blob");
    let store: Arc<dyn Store> = Arc::new(MokaStore::new());
    let blobs = blobs(&store);
    // The version, a nonce, a size that was never written, a digest, and the checksum of these.
    let mut manifest = vec![0; 57];
    (manifest[0], manifest[17]) = (2, 0x7f);
    let checksum = xxhash_rust::xxh3::xxh3_64(&manifest);
    manifest.extend(checksum.to_be_bytes());
    for removes in [true, false] {
        let put = Put::new(Key::new(BLOB, ("test", "a")), manifest.clone(), HOUR);
        assert!(store.put(&put).await.unwrap().is_stored());
        assert!(blobs.info("a").await.unwrap().unwrap().size > u64::MAX / 4);
        let (blobs, done) = (blobs.clone(), Duration::from_secs(10));
        let work = tokio::spawn(async move {
            match removes {
                true => drop(blobs.remove("a").await.unwrap()),
                false => drop(blobs.put("a", &b"new"[..]).await.unwrap()),
            }
        });
        tokio::time::timeout(done, work)
            .await
            .expect("an end")
            .unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_takes_too_long_is_given_up() {
    let (blobs, switch) = faulty(&(Arc::new(MokaStore::new()) as Arc<dyn Store>));
    let blobs = blobs.with_max_transfer(Duration::from_secs(5));
    switch.set_on(Operations::Writes, Trouble::Delay(Duration::from_secs(2)));
    let source = data(1, 4 * CHUNK);
    let error = blobs.put("a", &source[..]).await.unwrap_err();
    assert!(matches!(error, BlobError::TooSlow), "{error}");
    assert!(blobs.get("a").await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_chunk_that_was_not_sent_is_not_removed() {
    let (blobs, switch) = faulty(&(Arc::new(MokaStore::new()) as Arc<dyn Store>));
    switch.set(Trouble::Fail(ErrorKind::NotSent));
    blobs.put("a", &data(1, 100)[..]).await.unwrap_err();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(switch.operations(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_holds_up_a_write_that_has_failed_for_five_seconds() {
    let (blobs, switch) = faulty(&(Arc::new(MokaStore::new()) as Arc<dyn Store>));
    let blobs = blobs.with_max_transfer(Duration::from_secs(3));
    switch.set_on(Operations::Writes, Trouble::Hang);
    let began = tokio::time::Instant::now();
    let error = blobs.put("a", &data(1, 100)[..]).await.unwrap_err();
    assert!(matches!(error, BlobError::TooSlow), "{error}");
    assert_eq!(began.elapsed().as_secs(), 8);
}

#[tokio::test(start_paused = true)]
async fn chunks_that_cannot_be_removed_keep_no_lock_from_its_release() {
    let store: Arc<dyn Store> = Arc::new(MokaStore::new());
    let (blobs, blob_switch) = faulty(&store);
    blob_switch.set_on(Operations::Writes, Trouble::LoseAnswer);
    for number in 0..1_001_u32 {
        blobs.put(number, &b"1"[..]).await.unwrap_err();
    }
    let faulty = Faulty::new(store.clone());
    let lock_switch = faulty.switch();
    let lock = Lock::new(Arc::new(faulty), "a").unwrap().with_lease(HOUR);
    let guard = lock.try_lock().await.unwrap().unwrap();
    lock_switch.set(Trouble::Fail(ErrorKind::NotSent));
    drop(guard);
    tokio::time::sleep(Duration::from_secs(1)).await;
    lock_switch.clear();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(lock.try_lock().await.unwrap().is_some());
}

#[tokio::test]
async fn a_blob_and_its_chunks_end_with_their_ttl() {
    let world = larder_worlds::World::memory().await;
    let blobs = blobs(&world.store);
    blobs.put("a", &data(1, CHUNK)[..]).await.unwrap();
    let mut reader = blobs.get("a").await.unwrap().unwrap();
    world.advance(Duration::from_secs(3_600));
    assert!(blobs.get("a").await.unwrap().is_none());
    // A reader that began in time has two hours more.
    assert!(reader.next().await.unwrap().is_some());
    blobs.put("b", &data(2, CHUNK)[..]).await.unwrap();
    let mut late = blobs.get("b").await.unwrap().unwrap();
    world.advance(Duration::from_secs(3 * 3_600));
    assert!(matches!(late.next().await.unwrap_err(), BlobError::Torn));
}
