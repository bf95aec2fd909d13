use std::sync::Arc;
use std::time::Duration;

use larder_store::program::MAX_INT;
use larder_store::{ErrorKind, Refusal, Store, Ttl};
use larder_structures::ledger::{Closed, First, Ledger, Moved, Transfer};
use larder_test::faulty::Trouble;
use larder_worlds::on_every_store;

const DAY: Ttl = Ttl::from_secs(86_400);

fn ledger(store: &Arc<dyn Store>) -> Ledger {
    Ledger::new(store.clone(), "test", DAY).unwrap()
}

fn transfer<'a>(id: &'a str, from: &'a str, to: &'a str, amount: i64) -> Transfer<'a> {
    Transfer {
        id,
        from,
        to,
        amount,
    }
}

on_every_store! { memory, redis, cluster;
    async fn an_amount_moves_once_and_never_below_zero(world: World) {
        let ledger = ledger(&world.store);
        assert_eq!(ledger.credit("eur", "c1", "ada", 10).await.unwrap(), Moved::Done);
        let first = transfer("t1", "ada", "bob", 7);
        assert_eq!(ledger.transfer("eur", first).await.unwrap(), Moved::Done);
        let again = ledger.transfer("eur", first).await.unwrap();
        assert_eq!(again, Moved::Duplicate(First::Done));
        let short = transfer("t2", "ada", "bob", 7);
        assert_eq!(ledger.transfer("eur", short).await.unwrap(), Moved::Insufficient);
        assert_eq!(ledger.credit("eur", "c2", "ada", 10).await.unwrap(), Moved::Done);
        let again = ledger.transfer("eur", short).await.unwrap();
        assert_eq!(again, Moved::Duplicate(First::Insufficient), "the id was used up");
        let balances = ledger.balances("eur", &["ada", "bob", "nobody"]).await.unwrap();
        assert_eq!(balances, [13, 7, 0]);
        assert_eq!(ledger.total("eur").await.unwrap(), 20);
        assert_eq!(ledger.total("usd").await.unwrap(), 0);
        let shown = ledger.inspect("eur").await.unwrap();
        assert_eq!(shown.fields()[1], ("total".to_owned(), "20".to_owned()));
    }

    async fn an_id_that_comes_with_another_request_is_refused(world: World) {
        let ledger = ledger(&world.store);
        assert_eq!(ledger.credit("eur", "1", "ada", 10).await.unwrap(), Moved::Done);
        assert_eq!(ledger.transfer("eur", transfer("2", "ada", "bob", 1)).await.unwrap(), Moved::Done);
        for other in [transfer("2", "ada", "bob", 2), transfer("2", "ada", "cy", 1)] {
            let error = ledger.transfer("eur", other).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
        assert!(ledger.hold("eur", "2", "ada", 1).await.is_err());
        assert_eq!(ledger.balance("eur", "ada").await.unwrap(), 9);
    }

    async fn a_hold_is_settled_or_released_once(world: World) {
        let ledger = ledger(&world.store);
        assert_eq!(ledger.credit("eur", "c", "ada", 10).await.unwrap(), Moved::Done);
        for (hold, held) in [("h1", 3), ("h2", 4), ("h3", 2)] {
            assert_eq!(ledger.hold("eur", hold, "ada", held).await.unwrap(), Moved::Done);
        }
        assert_eq!(ledger.hold("eur", "h4", "ada", 2).await.unwrap(), Moved::Insufficient);
        assert_eq!(ledger.balance("eur", "ada").await.unwrap(), 1);

        assert_eq!(ledger.settle("eur", "h1", Some("bob")).await.unwrap(), Closed::Done);
        assert_eq!(ledger.settle("eur", "h1", Some("bob")).await.unwrap(), Closed::Duplicate);
        assert_eq!(ledger.settle("eur", "h1", Some("cy")).await.unwrap(), Closed::Conflict);
        assert_eq!(ledger.release("eur", "h1").await.unwrap(), Closed::Conflict);
        assert_eq!(ledger.release("eur", "h2").await.unwrap(), Closed::Done);
        assert_eq!(ledger.release("eur", "h2").await.unwrap(), Closed::Duplicate);
        assert_eq!(ledger.settle("eur", "h2", None).await.unwrap(), Closed::Conflict);
        assert_eq!(ledger.settle("eur", "h4", None).await.unwrap(), Closed::Unknown);
        assert_eq!(ledger.release("eur", "never").await.unwrap(), Closed::Unknown);
        // The request of a hold stays known after it was closed.
        let again = ledger.hold("eur", "h1", "ada", 3).await.unwrap();
        assert_eq!(again, Moved::Duplicate(First::Done));

        assert_eq!(ledger.total("eur").await.unwrap(), 10);
        assert_eq!(ledger.settle("eur", "h3", None).await.unwrap(), Closed::Done);
        assert_eq!(ledger.total("eur").await.unwrap(), 8);
        assert_eq!(ledger.balances("eur", &["ada", "bob"]).await.unwrap(), [5, 3]);
    }

    async fn an_amount_moves_between_ledgers_however_often_each_step_is_sent(world: World) {
        let ledger = ledger(&world.store);
        assert_eq!(ledger.credit("eur", "c", "ada", 10).await.unwrap(), Moved::Done);
        for _ in 0..2 {
            assert!(ledger.hold("eur", "x", "ada", 4).await.unwrap().is_done());
            assert!(ledger.credit("usd", "x", "ada", 4).await.unwrap().is_done());
            let settled = ledger.settle("eur", "x", None).await.unwrap();
            assert!(matches!(settled, Closed::Done | Closed::Duplicate));
        }
        let totals = (ledger.total("eur").await.unwrap(), ledger.total("usd").await.unwrap());
        assert_eq!(totals, (6, 4));
    }

    async fn an_id_is_forgotten_after_its_retention_and_an_open_hold_is_not(world: World) {
        let ledger = ledger(&world.store).with_retention(Ttl::from_secs(60));
        assert_eq!(ledger.credit("eur", "c", "ada", 10).await.unwrap(), Moved::Done);
        assert_eq!(ledger.hold("eur", "h", "ada", 1).await.unwrap(), Moved::Done);
        world.advance(Duration::from_secs(59));
        let again = ledger.credit("eur", "c", "ada", 10).await.unwrap();
        assert_eq!(again, Moved::Duplicate(First::Done));
        world.advance(Duration::from_secs(1));
        assert_eq!(ledger.credit("eur", "c", "ada", 10).await.unwrap(), Moved::Done);
        assert_eq!(ledger.settle("eur", "h", None).await.unwrap(), Closed::Done);
        world.advance(Duration::from_secs(60));
        assert_eq!(ledger.settle("eur", "h", None).await.unwrap(), Closed::Unknown);
        world.advance(Duration::from_secs(86_400));
        assert_eq!(ledger.total("eur").await.unwrap(), 0, "the ledger outlived its TTL");
    }

    async fn what_there_is_no_room_for_is_refused_and_moves_nothing(world: World) {
        let ledger = ledger(&world.store).with_max_accounts(2).with_max_requests(4);
        assert_eq!(ledger.credit("eur", "1", "ada", 10).await.unwrap(), Moved::Done);
        assert_eq!(ledger.transfer("eur", transfer("2", "ada", "bob", 1)).await.unwrap(), Moved::Done);
        let error = ledger.transfer("eur", transfer("3", "ada", "cy", 1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused(Refusal::Full));
        for id in ["3", "4"] {
            assert_eq!(ledger.transfer("eur", transfer(id, "ada", "bob", 1)).await.unwrap(), Moved::Done);
        }
        let error = ledger.transfer("eur", transfer("5", "ada", "bob", 1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused(Refusal::Full));
        // An id that is known still has its answer.
        let again = ledger.transfer("eur", transfer("4", "ada", "bob", 1)).await.unwrap();
        assert_eq!(again, Moved::Duplicate(First::Done));
        assert_eq!(ledger.balances("eur", &["ada", "bob", "cy"]).await.unwrap(), [7, 3, 0]);
    }

    async fn what_was_held_is_given_back_though_the_accounts_are_full(world: World) {
        let ledger = ledger(&world.store).with_max_accounts(1);
        assert_eq!(ledger.credit("eur", "1", "ada", 5).await.unwrap(), Moved::Done);
        assert_eq!(ledger.hold("eur", "2", "ada", 5).await.unwrap(), Moved::Done);
        assert_eq!(ledger.credit("eur", "3", "bob", 1).await.unwrap(), Moved::Done);
        let error = ledger.settle("eur", "2", Some("cy")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused(Refusal::Full));
        assert_eq!(ledger.release("eur", "2").await.unwrap(), Closed::Done);
        assert_eq!(ledger.balances("eur", &["ada", "bob"]).await.unwrap(), [5, 1]);
    }

    async fn a_total_stays_exact_up_to_its_limit(world: World) {
        let ledger = ledger(&world.store);
        assert_eq!(ledger.credit("eur", "1", "ada", MAX_INT).await.unwrap(), Moved::Done);
        let error = ledger.credit("eur", "2", "bob", 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert_eq!(ledger.transfer("eur", transfer("3", "ada", "bob", MAX_INT)).await.unwrap(), Moved::Done);
        assert_eq!(ledger.balances("eur", &["ada", "bob"]).await.unwrap(), [0, MAX_INT]);
        for wrong in [0, -1, MAX_INT + 1] {
            let error = ledger.credit("eur", "4", "ada", wrong).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
    }

    async fn the_sum_is_constant_whatever_replies_are_lost(world: World) {
        let (store, switch) = world.faulty();
        let ledger = ledger(&(store as Arc<dyn Store>));
        assert_eq!(ledger.credit("eur", "c", "a", 100).await.unwrap(), Moved::Done);
        let mut rng = fastrand::Rng::with_seed(7);
        let names = ["a", "b", "c"];
        let mut moved = [100, 0, 0];
        for n in 0..150 {
            let (from, to, amount) = (rng.usize(..3), rng.usize(..3), rng.i64(1..40));
            let id = n.to_string();
            // Each request is sent until its result is known.
            let result = loop {
                match rng.u8(..4) {
                    0 => switch.set_next(1, Trouble::LoseAnswer),
                    1 => switch.set_next(1, Trouble::Fail(ErrorKind::MayHaveRun)),
                    _ => switch.clear(),
                }
                let transfer = transfer(&id, names[from], names[to], amount);
                if let Ok(result) = ledger.transfer("eur", transfer).await {
                    break result;
                }
            };
            assert_eq!(result.is_done(), moved[from] >= amount);
            if result.is_done() {
                moved[from] -= amount;
                moved[to] += amount;
            }
        }
        switch.clear();
        let balances = ledger.balances("eur", &names).await.unwrap();
        assert_eq!(balances, moved);
        assert_eq!(balances.iter().sum::<i64>(), 100);
    }
}
