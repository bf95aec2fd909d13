use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use larder_store::{ErrorKind, Store, Ttl};
use larder_structures::recent_list::{ItemId, MAX_ITEM, MAX_PAGE, Page, RecentList};
use larder_worlds::{World, on_every_store};

const HOUR: Ttl = Ttl::from_secs(3600);

fn list(store: &Arc<dyn Store>) -> RecentList {
    RecentList::new(store.clone(), "test", HOUR).unwrap()
}

fn values(page: &Page) -> Vec<&str> {
    let value = |value| std::str::from_utf8(value).unwrap();
    page.items.iter().map(|item| value(&item.value)).collect()
}

on_every_store! { memory, redis, cluster;
    async fn the_id_of_a_removed_item_is_never_given_again(world: World) {
        let list = list(&world.store);
        let one = list.push("a", "one").await.unwrap();
        assert!(list.remove("a", one).await.unwrap());
        assert_eq!(list.inspect("a").await.unwrap().fields(), []);
        let two = list.push("a", "two").await.unwrap();
        assert!(two > one, "{two:?} after {one:?}");
        assert_eq!(values(&list.after("a", one, 9).await.unwrap()), ["two"]);
        assert_eq!(list.clear("a").await.unwrap(), 1);
        assert_eq!((list.len("a").await.unwrap(), list.clear("a").await.unwrap()), (0, 0));
        let three = list.push("a", "three").await.unwrap();
        assert!(three > two, "{three:?} after {two:?}");
    }

    async fn an_item_that_is_a_part_of_something_large_keeps_nothing_else_alive(world: World) {
        let (list, body) = (list(&world.store), Bytes::from(vec![7; 1 << 20]));
        list.push("a", body.slice(..10)).await.unwrap();
        assert!(body.is_unique(), "its ten bytes hold a mebibyte");
    }

    async fn the_newest_items_come_first(world: World) {
        let list = list(&world.store);
        assert_eq!(list.newest("a", 10).await.unwrap(), Page::default());
        for item in ["one", "two", "three"] {
            list.push("a", item).await.unwrap();
        }
        let page = list.newest("a", 10).await.unwrap();
        assert_eq!((values(&page), page.next), (vec!["three", "two", "one"], None));
        assert_eq!((list.len("a").await.unwrap(), list.len("b").await.unwrap()), (3, 0));
        let shown = list.inspect("a").await.unwrap();
        assert_eq!(shown.fields(), [("items".to_owned(), "3".to_owned())]);
        assert_eq!(list.clear("a").await.unwrap(), 3);
        assert_eq!(list.clear("a").await.unwrap(), 0);
    }

    async fn a_page_shows_no_item_twice_whatever_is_pushed_and_removed_meanwhile(world: World) {
        let list = list(&world.store);
        let mut ids = Vec::new();
        for n in 0..10 {
            ids.push(list.push("a", n.to_string()).await.unwrap());
            world.advance(Duration::from_micros(n % 3));
        }
        assert!(ids.is_sorted_by(|one, other| one < other), "ids rise: {ids:?}");
        let mut page = list.newest("a", 4).await.unwrap();
        let mut seen = Vec::new();
        loop {
            seen.extend(values(&page).into_iter().map(str::to_owned));
            let Some(next) = page.next else { break };
            list.push("a", "new").await.unwrap();
            // The item that the page goes on from may be gone.
            list.remove("a", next).await.unwrap();
            let link = ItemId::from_u64(next.as_u64());
            page = list.before("a", link, 4).await.unwrap();
        }
        assert_eq!(seen, ["9", "8", "7", "6", "5", "4", "3", "2", "1", "0"]);
    }

    async fn no_id_is_given_again_though_older_items_are_removed_after_the_newest(world: World) {
        let list = list(&world.store);
        for clears in [false, true] {
            // All within a microsecond.
            let one = list.push("a", "one").await.unwrap();
            let two = list.push("a", "two").await.unwrap();
            assert!(list.remove("a", two).await.unwrap());
            if clears {
                assert_eq!(list.clear("a").await.unwrap(), 1);
            } else {
                assert!(list.remove("a", one).await.unwrap());
            }
            let three = list.push("a", "three").await.unwrap();
            assert!(three > two, "{three:?} after {two:?}");
            list.clear("a").await.unwrap();
        }
    }

    async fn what_is_new_since_an_item_comes_oldest_first(world: World) {
        let list = list(&world.store);
        let first = list.push("a", "one").await.unwrap();
        for item in ["two", "three", "four"] {
            list.push("a", item).await.unwrap();
        }
        let page = list.after("a", first, 2).await.unwrap();
        assert_eq!(values(&page), ["two", "three"]);
        let page = list.after("a", page.next.unwrap(), 2).await.unwrap();
        assert_eq!((values(&page), page.next), (vec!["four"], None));
    }

    async fn a_page_of_long_items_is_at_most_a_megabyte_and_says_that_there_are_more(world: World) {
        let list = list(&world.store);
        for n in 0..100 {
            list.push("a", vec![n; 60_000]).await.unwrap();
        }
        for newest_first in [true, false] {
            let start = ItemId::from_u64(if newest_first { u64::MAX } else { 0 });
            let (mut seen, mut pages, mut next) = (Vec::new(), 0, Some(start));
            while let Some(at) = next {
                let page = match newest_first {
                    true => list.before("a", at, 100).await.unwrap(),
                    false => list.after("a", at, 100).await.unwrap(),
                };
                assert!((1..=17).contains(&page.items.len()), "{}", page.items.len());
                seen.extend(page.items.iter().map(|item| item.value[0]));
                (pages, next) = (pages + 1, page.next);
            }
            if newest_first {
                seen.reverse();
            }
            assert_eq!((seen, pages), ((0..100).collect(), 6));
        }
    }

    async fn a_page_of_short_items_has_as_many_as_were_asked_for(world: World) {
        let list = list(&world.store);
        for n in 0..40 {
            list.push("a", vec![n]).await.unwrap();
        }
        for (many, has_more) in [(16, true), (39, true), (40, false), (41, false)] {
            let page = list.newest("a", many).await.unwrap();
            let seen: Vec<_> = page.items.iter().map(|item| item.value[0]).collect();
            assert_eq!(seen, (0..40).rev().take(many as usize).collect::<Vec<_>>());
            assert_eq!(page.next, page.items.last().filter(|_| has_more).map(|item| item.id));
        }
    }

    async fn the_oldest_items_make_room(world: World) {
        let list = list(&world.store).with_max_items(2);
        for item in ["one", "two", "three"] {
            list.push("a", item).await.unwrap();
        }
        assert_eq!(values(&list.newest("a", 9).await.unwrap()), ["three", "two"]);
    }

    async fn an_item_is_removed_once_and_the_ttl_stays(world: World) {
        let list = list(&world.store);
        let one = list.push("a", "one").await.unwrap();
        list.push("a", "two").await.unwrap();
        world.advance(Duration::from_secs(1_800));
        assert!(list.remove("a", one).await.unwrap());
        assert!(!list.remove("a", one).await.unwrap());
        world.advance(Duration::from_secs(1_800));
        assert_eq!(list.len("a").await.unwrap(), 0);
    }

    async fn what_is_out_of_bounds_is_refused(world: World) {
        let list = list(&world.store);
        let error = list.push("a", vec![0; MAX_ITEM + 1]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        let error = list.newest("a", MAX_PAGE + 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        // Any number may be in a link.
        let page = list.before("a", ItemId::from_u64(u64::MAX), 5).await.unwrap();
        assert_eq!(page, Page::default());
        let page = list.after("a", ItemId::from_u64(u64::MAX), 5).await.unwrap();
        assert_eq!(page, Page::default());
    }
}

#[tokio::test]
async fn a_last_number_that_no_list_writes_keeps_nobody_from_pushing() {
    let world = World::redis().await;
    let (server, list) = (world.server.as_ref().unwrap(), list(&world.store));
    for noise in ["99999999999999999999", "9007199254740992", "nan", "x"] {
        let item = list.push("a", "gone").await.unwrap();
        assert!(list.remove("a", item).await.unwrap());
        let last = server.command(&["KEYS", "*:last"]).unwrap();
        let last = last.array().unwrap()[0].text().unwrap().into_owned();
        server
            .command(&["SET", &last, noise, "PX", "3600000"])
            .unwrap();
        let item = list.push("a", noise).await.unwrap();
        assert_eq!(values(&list.newest("a", 9).await.unwrap()), [noise]);
        assert!(list.remove("a", item).await.unwrap());
    }
}
