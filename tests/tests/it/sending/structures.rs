//! The structures of data.

use std::time::Duration;

use larder::structures::blob::{BlobReader, Blobs};
use larder::structures::buckets::Buckets;
use larder::structures::counter::Counter;
use larder::structures::leaderboard::Leaderboard;
use larder::structures::ledger::{Ledger, Transfer};
use larder::structures::member_set::MemberSet;
use larder::structures::membership::Membership;
use larder::structures::recent_list::{ItemId, RecentList};
use larder::structures::record::Record;
use larder::structures::unique_count::UniqueCount;
use larder::structures::update::{Next, Updates};
use larder_store::Key;

use super::{assert_send, send_and_sync};

fn numbers(counter: &Counter, buckets: &Buckets, span: Duration) {
    sent! {
        counter.add("id", 1);
        counter.add_many([("id", 1)]);
        counter.get("id");
        counter.get_many(["id"]);
        counter.set("id", 1);
        counter.take("id");
        counter.inspect("id");
        buckets.add("id", 1);
        buckets.sum("id", span);
        buckets.series("id", span, 1);
        buckets.inspect("id");
    }
}

fn boards(board: &Leaderboard) {
    sent! {
        board.set("id", "ada", 1);
        board.add("id", "ada", 1);
        board.add_to(["id"], "ada", 1);
        board.keep_best("id", "ada", 1);
        board.remove("id", &["ada"]);
        board.trim("id", 1);
        board.top("id", 1);
        board.range("id", 1, 1);
        board.around("id", "ada", 1);
        board.in_range("id", 0..=1, 1);
        board.among("id", &["ada"]);
        board.get("id", "ada");
        board.percentile("id", "ada");
        board.score_at_percentile("id", 1);
        board.len("id");
        board.count("id", 0..=1);
        board.inspect("id");
    }
}

fn ledgers(ledger: &Ledger, transfer: Transfer<'_>) {
    sent! {
        ledger.transfer("id", transfer);
        ledger.credit("id", "1", "ada", 1);
        ledger.hold("id", "1", "ada", 1);
        ledger.settle("id", "1", Some("ada"));
        ledger.release("id", "1");
        ledger.balance("id", "ada");
        ledger.balances("id", &["ada"]);
        ledger.total("id");
        ledger.inspect("id");
    }
}

fn sets(unique: &UniqueCount, set: &MemberSet, filter: &Membership) {
    sent! {
        unique.add("id", ["ada"]);
        unique.count("id");
        unique.count_union(["id"]);
        unique.merge("id", ["id"]);
        unique.clear("id");
        unique.inspect("id");
        set.add("id", &["ada"]);
        set.remove("id", &["ada"]);
        set.contains("id", "ada");
        set.contains_many("id", &["ada"]);
        set.page("id", None, 1);
        set.random("id", 1);
        set.pop("id", 1);
        set.len("id");
        set.union(["id"], 1);
        set.intersection(["id"], 1);
        set.difference(["id"], 1);
        set.inspect("id");
        filter.add("id", "ada");
        filter.add_many("id", ["ada"]);
        filter.contains("id", "ada");
        filter.contains_many("id", ["ada"]);
        filter.fill("id");
        filter.clear("id");
        filter.inspect("id");
    }
}

fn lists(list: &RecentList, item: ItemId, record: &Record<Vec<u32>>, value: &Vec<u32>) {
    sent! {
        list.push("id", "item");
        list.newest("id", 1);
        list.before("id", item, 1);
        list.after("id", item, 1);
        list.remove("id", item);
        list.clear("id");
        list.len("id");
        list.inspect("id");
        record.put("id", value);
        record.create("id", value);
        record.get("id");
        record.get_part::<Vec<u32>>("id", &["field"]);
        record.set_part("id", value);
        record.increment("id", "field", 1);
        record.compare_and_set("id", "field", Some(value), None);
        record.remove("id");
        record.inspect("id");
    }
}

fn values(updates: &Updates, key: &Key, blobs: &Blobs, [one, other]: [&mut BlobReader; 2]) {
    let mut target = Vec::new();
    sent! {
        updates.update(key, |_| Next::Keep(()));
        blobs.put("id", &b"data"[..]);
        blobs.get("id");
        blobs.get_range("id", 0, 1);
        blobs.info("id");
        blobs.remove("id");
        one.next();
        other.copy_to(&mut target);
    }
}

#[test]
fn the_futures_of_structures_can_be_sent() {
    let _ = numbers;
    let _ = boards;
    let _ = ledgers;
    let _ = sets;
    let _ = lists;
    let _ = values;
    send_and_sync::<(Counter, Buckets, Leaderboard, Ledger)>();
    send_and_sync::<(UniqueCount, MemberSet, Membership, RecentList)>();
    send_and_sync::<(Record<Vec<u32>>, Updates, Blobs, BlobReader)>();
}
