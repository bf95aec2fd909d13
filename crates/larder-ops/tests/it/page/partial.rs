//! Listings that do not end.

use larder_store::{ErrorKind, Key, Kind, Part, Put, Ttl};
use larder_test::faulty::{Operations, Trouble};
use tokio::join;
use tokio::time::sleep;

use super::attempts::{millis, with_faults};

/// Puts so many keys behind the queue of the app that a listing of queues takes two pages.
async fn plant(world: &super::world::World) {
    const QUEUE: Kind = Kind::evictable("queue");
    // Fewer records than a page shows, in more keys than a listing returns at once.
    for number in 0..180_u32 {
        for part in ["order", "groups", "dead", "done", "unique", "ends"] {
            let key = Key::new(QUEUE, ("zz", number)).with_part(Part::new(part));
            let put = Put::new(key, "x", Ttl::from_secs(600));
            let _ = world.store.put(&put).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_listing_that_is_not_whole_shows_what_it_found_and_says_so() {
    for (then, says) in [
        (Trouble::Hang, "are being listed"),
        (Trouble::Fail(ErrorKind::NotSent), "could not be listed: "),
    ] {
        let (world, switch) = with_faults().await;
        plant(&world).await;
        // Another view has made the token.
        world.open("limits").await.has(&["name=\"token\""]);
        tokio::time::pause();
        switch.set_on(Operations::Reads, Trouble::Delay(millis(200)));
        let second_page = async {
            sleep(millis(100)).await;
            switch.set_on(Operations::Reads, then);
        };
        let (page, ()) = join!(world.open("queues"), second_page);
        page.has(&["Partial", says, "mail"]);
        page.lacks(&["There is no queue"]);
        sleep(millis(301_000)).await;
        switch.clear();
        let page = world.open("queues").await;
        page.has(&["Partial", "mail"]);
        tokio::time::resume();
    }
}
