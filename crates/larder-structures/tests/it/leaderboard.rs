use std::sync::Arc;
use std::time::{Duration, SystemTime};

use larder_moka::MokaStore;
use larder_store::program::MAX_INT;
use larder_store::{ErrorKind, Store, Ttl};
use larder_structures::leaderboard::{Leaderboard, MAX_ROWS, Order, Placed, Row, Ties, Window};
use larder_test::faulty::Trouble;
use larder_worlds::on_every_store;

const HOUR: Ttl = Ttl::from_secs(3600);

fn board(store: &Arc<dyn Store>) -> Leaderboard {
    Leaderboard::new(store.clone(), "test", HOUR).unwrap()
}

async fn filled(board: &Leaderboard, scores: &[(&str, i64)]) {
    for (member, score) in scores {
        board.set("a", member, *score).await.unwrap();
    }
}

fn shown(rows: &[Row]) -> Vec<(u64, &str, i64)> {
    rows.iter()
        .map(|row| (row.rank, &*row.member, row.score))
        .collect()
}

on_every_store! { memory, redis, cluster;
    async fn a_range_of_scores_that_no_member_can_have_is_empty(world: World) {
        for board in [board(&world.store), board(&world.store).with_order(Order::LowestFirst)] {
            board.set("a", "ada", MAX_INT).await.unwrap();
            board.set("a", "bob", -MAX_INT).await.unwrap();
            for nothing in [
                i64::MIN..=i64::MIN,
                i64::MAX..=i64::MAX,
                MAX_INT + 1..=i64::MAX,
                i64::MIN..=-MAX_INT - 1,
                #[allow(clippy::reversed_empty_ranges, reason = "a caller may compute it")]
                {3..=-3},
            ] {
                assert_eq!(board.count("a", nothing.clone()).await.unwrap(), 0, "{nothing:?}");
                let rows = board.in_range("a", nothing.clone(), 9).await.unwrap();
                assert_eq!(rows, [], "{nothing:?}");
            }
            assert_eq!(board.count("a", i64::MIN..=i64::MAX).await.unwrap(), 2);
        }
    }

    async fn the_highest_is_first_or_the_lowest(world: World) {
        let high = board(&world.store);
        let low = high.clone().with_order(Order::LowestFirst);
        for board in [&high, &low] {
            filled(board, &[("ada", -5), ("grace", 0), ("kay", 7)]).await;
        }
        let rows = high.top("a", 10).await.unwrap();
        assert_eq!(shown(&rows), [(1, "kay", 7), (2, "grace", 0), (3, "ada", -5)]);
        let rows = low.top("a", 2).await.unwrap();
        assert_eq!(shown(&rows), [(1, "ada", -5), (2, "grace", 0)]);
        assert_eq!((high.len("a").await.unwrap(), low.len("b").await.unwrap()), (3, 0));
    }

    async fn a_tie_has_the_ranks_that_the_board_says(world: World) {
        let scores = [("ada", 9), ("bob", 9), ("cy", 7), ("dee", 7), ("eve", 0)];
        for (ties, ranks) in [
            (Ties::Unique, [1, 2, 3, 4, 5]),
            (Ties::Competition, [1, 1, 3, 3, 5]),
            (Ties::Dense, [1, 1, 2, 2, 3]),
        ] {
            let board = board(&world.store).with_ties(ties);
            filled(&board, &scores).await;
            let rows = board.top("a", 10).await.unwrap();
            assert_eq!(rows.iter().map(|row| row.rank).collect::<Vec<_>>(), ranks, "{ties:?}");
            // A page that begins within a tie goes on with its rank.
            for skip in 0..5 {
                let page = board.range("a", skip, 2).await.unwrap();
                assert_eq!(page, rows[skip as usize..rows.len().min(skip as usize + 2)]);
            }
            for row in &rows {
                assert_eq!(board.get("a", &row.member).await.unwrap().as_ref(), Some(row));
            }
        }
    }

    async fn the_one_who_reached_a_score_earlier_is_first(world: World) {
        let board = board(&world.store).with_earlier_first();
        filled(&board, &[("zoe", 5), ("ada", 5), ("bob", 4)]).await;
        board.add("a", "bob", 1).await.unwrap();
        // The same score again is not reached again.
        board.set("a", "zoe", 5).await.unwrap();
        let rows = board.top("a", 10).await.unwrap();
        assert_eq!(shown(&rows), [(1, "zoe", 5), (2, "ada", 5), (3, "bob", 5)]);
        board.set("a", "zoe", 6).await.unwrap();
        board.set("a", "zoe", 5).await.unwrap();
        let rows = board.top("a", 10).await.unwrap();
        assert_eq!(shown(&rows), [(1, "ada", 5), (2, "bob", 5), (3, "zoe", 5)]);
    }

    async fn a_score_is_set_added_to_or_kept_if_it_is_better(world: World) {
        let board = board(&world.store);
        let shown = |placed: Placed| (placed.score, placed.previous, placed.is_kept);
        assert_eq!(shown(board.add("a", "ada", 3).await.unwrap()), (3, None, true));
        assert_eq!(shown(board.add("a", "ada", -1).await.unwrap()), (2, Some(3), true));
        assert_eq!(shown(board.keep_best("a", "ada", 1).await.unwrap()), (2, Some(2), true));
        assert_eq!(shown(board.keep_best("a", "ada", 9).await.unwrap()), (9, Some(2), true));
        assert_eq!(shown(board.set("a", "ada", 0).await.unwrap()), (0, Some(9), true));
        let low = board.with_order(Order::LowestFirst);
        assert_eq!(shown(low.keep_best("a", "ada", 5).await.unwrap()), (5, None, true));
        assert_eq!(shown(low.keep_best("a", "ada", 6).await.unwrap()), (5, Some(5), true));
        assert_eq!(shown(low.keep_best("a", "ada", 4).await.unwrap()), (4, Some(5), true));
    }

    async fn scores_stay_exact_and_a_sum_past_the_limit_changes_nothing(world: World) {
        let board = board(&world.store);
        filled(&board, &[("ada", MAX_INT - 1), ("bob", -MAX_INT)]).await;
        for (member, by) in [("ada", 2), ("bob", -1)] {
            let error = board.add("a", member, by).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
        assert_eq!(board.add("a", "ada", 1).await.unwrap().score, MAX_INT);
        let rows = board.top("a", 2).await.unwrap();
        assert_eq!(shown(&rows), [(1, "ada", MAX_INT), (2, "bob", -MAX_INT)]);
        let error = board.set("a", "ada", MAX_INT + 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }

    async fn a_member_is_shown_with_its_neighbours(world: World) {
        let board = board(&world.store);
        filled(&board, &[("a", 5), ("b", 4), ("c", 3), ("d", 2), ("e", 1)]).await;
        let members = |rows: Option<Vec<Row>>| {
            let rows = rows.unwrap();
            rows.iter().map(|row| row.member.to_string()).collect::<String>()
        };
        assert_eq!(members(board.around("a", "c", 1).await.unwrap()), "bcd");
        assert_eq!(members(board.around("a", "a", 1).await.unwrap()), "ab");
        assert_eq!(members(board.around("a", "e", 9).await.unwrap()), "abcde");
        assert_eq!(members(board.around("a", "d", 0).await.unwrap()), "d");
        assert_eq!(board.around("a", "nobody", 1).await.unwrap(), None);
    }

    async fn friends_have_their_rank_among_all(world: World) {
        let board = board(&world.store);
        filled(&board, &[("a", 5), ("b", 4), ("c", 3)]).await;
        let friends = board.among("a", &["c", "nobody", "a"]).await.unwrap();
        let ranks: Vec<_> = friends.iter().map(|row| row.as_ref().map(|row| row.rank)).collect();
        assert_eq!(ranks, [Some(3), None, Some(1)]);
        assert_eq!(board.among("a", [""; 0]).await.unwrap(), []);
    }

    async fn members_are_found_and_counted_by_their_scores(world: World) {
        let board = board(&world.store);
        filled(&board, &[("a", 5), ("b", 4), ("c", 4), ("d", 2)]).await;
        let rows = board.in_range("a", 3..=4, 10).await.unwrap();
        assert_eq!(shown(&rows), [(2, "b", 4), (3, "c", 4)]);
        let rows = board.in_range("a", i64::MIN..=4, 2).await.unwrap();
        assert_eq!(shown(&rows), [(2, "b", 4), (3, "c", 4)]);
        assert_eq!(board.in_range("a", 6..=9, 10).await.unwrap(), []);
        assert_eq!(board.count("a", 4..=5).await.unwrap(), 3);
        assert_eq!(board.percentile("a", "b").await.unwrap(), Some(25.0));
        assert_eq!(board.percentile("a", "nobody").await.unwrap(), None);
        assert_eq!(board.score_at_percentile("a", 100).await.unwrap(), Some(5));
        assert_eq!(board.score_at_percentile("a", 0).await.unwrap(), Some(2));
        assert_eq!(board.score_at_percentile("b", 50).await.unwrap(), None);
    }

    async fn members_are_removed_and_the_worst_are_trimmed(world: World) {
        for dense in [Ties::Unique, Ties::Dense] {
            let board = board(&world.store).with_ties(dense).with_earlier_first();
            filled(&board, &[("a", 5), ("b", 4), ("c", 4), ("d", 2)]).await;
            assert_eq!(board.remove("a", &["a", "nobody"]).await.unwrap(), 1);
            assert_eq!(board.trim("a", 2).await.unwrap(), 1);
            let rows = board.top("a", 9).await.unwrap();
            assert_eq!(rows.iter().map(|row| &*row.member).collect::<String>(), "bc");
            assert_eq!(rows[0].rank, 1, "the score of a removed member still counts");
            assert_eq!(board.trim("a", 0).await.unwrap(), 2);
            assert_eq!(board.len("a").await.unwrap(), 0);
        }
    }

    async fn a_full_board_keeps_the_best(world: World) {
        let board = board(&world.store).with_max_members(2);
        filled(&board, &[("a", 5), ("b", 4)]).await;
        assert!(!board.set("a", "c", 3).await.unwrap().is_kept);
        assert!(board.set("a", "d", 9).await.unwrap().is_kept);
        let rows = board.top("a", 9).await.unwrap();
        assert_eq!(shown(&rows), [(1, "d", 9), (2, "a", 5)]);
    }

    async fn a_board_ends_after_its_last_change(world: World) {
        let board = board(&world.store).with_ties(Ties::Dense).with_earlier_first();
        board.set("a", "ada", 1).await.unwrap();
        world.advance(Duration::from_secs(3000));
        board.set("a", "bob", 1).await.unwrap();
        world.advance(Duration::from_secs(3000));
        // A call that changes nothing renews nothing.
        board.keep_best("a", "bob", 1).await.unwrap();
        assert_eq!(board.get("a", "bob").await.unwrap().unwrap().rank, 1);
        world.advance(Duration::from_secs(600));
        assert_eq!(board.len("a").await.unwrap(), 0);
        board.set("a", "cy", 1).await.unwrap();
        assert_eq!(board.get("a", "cy").await.unwrap().unwrap().rank, 1);
    }

    async fn one_score_counts_for_the_day_the_week_and_for_ever(world: World) {
        let board = board(&world.store);
        let monday = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_392_000);
        let windows = |at| [Window::Day, Window::Week, Window::All].map(|window| window.at(at));
        for day in 0..8 {
            let at = monday + Duration::from_secs(day * 86_400);
            for placed in board.add_to(windows(at), "ada", 1).await.unwrap() {
                placed.unwrap();
            }
        }
        let mut scores = Vec::new();
        for window in windows(monday) {
            scores.push(board.get(window, "ada").await.unwrap().unwrap().score);
        }
        assert_eq!(scores, [1, 7, 8]);
    }

    async fn after_a_lost_reply_a_score_was_added_once_or_not(world: World) {
        let (store, switch) = world.faulty();
        let board = board(&(store as Arc<dyn Store>));
        switch.set_next(1, Trouble::LoseAnswer);
        let error = board.add("a", "ada", 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MayHaveRun);
        assert_eq!(board.get("a", "ada").await.unwrap().unwrap().score, 1);
    }
}

#[tokio::test]
async fn what_is_out_of_bounds_is_refused_with_a_reason() {
    let board = board(&(Arc::new(MokaStore::new()) as Arc<dyn Store>));
    let long = "m".repeat(257);
    for member in ["", long.as_str()] {
        let error = board.set("a", member, 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("1 to 256 bytes"), "{error}");
    }
    let error = board.top("a", MAX_ROWS + 1).await.unwrap_err();
    assert!(error.to_string().contains("at most 1,000 rows"), "{error}");
    let many: Vec<_> = (0..1_001).map(|n: u32| n.to_string()).collect();
    assert!(board.among("a", &many).await.is_err());
    assert!(board.remove("a", &many).await.is_err());
}

/// A board of `members` members, each with a score of its own.
async fn large(members: u32) -> Leaderboard {
    let board = board(&(Arc::new(MokaStore::new()) as Arc<dyn Store>)).with_max_members(members);
    for n in 0..members {
        // A step through all numbers in another order.
        let score = i64::from(n) * 7_919 % i64::from(members);
        board.set("a", &format!("member-{n}"), score).await.unwrap();
    }
    board
}

#[tokio::test]
async fn a_large_board_in_process_finds_any_member_where_it_is() {
    let board = large(20_000).await;
    for rank in [1_u64, 2, 777, 10_000, 19_999, 20_000] {
        let row = board
            .range("a", rank as u32 - 1, 1)
            .await
            .unwrap()
            .remove(0);
        assert_eq!((row.rank, row.score), (rank, 20_000 - rank as i64));
        let around = board.around("a", &row.member, 1).await.unwrap().unwrap();
        assert!(around.contains(&row), "{rank}");
    }
}
