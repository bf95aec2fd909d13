//! The judge of the histories of writes behind.

use larder_proofs::write_behind::checker::{Acknowledged, Given, judge};

fn acknowledged(writes: &[u64]) -> Vec<Acknowledged> {
    let of = |write: &u64| Acknowledged {
        key: 3,
        write: *write,
    };
    writes.iter().map(of).collect()
}

fn given(writes: &[u64]) -> Given {
    Given::from([(3, writes.to_vec())])
}

#[test]
fn a_write_may_be_replaced_and_may_be_carried_out_twice() {
    let found = judge(&acknowledged(&[1, 2, 3]), &given(&[1, 3, 3]));
    assert_eq!((found.lost, found.disordered, found.repeated), (0, 0, 1));
    // One more was queued than the process lived to tell.
    assert_eq!(judge(&acknowledged(&[1, 2]), &given(&[3])).lost, 0);
}

#[test]
fn an_acknowledged_write_that_the_source_has_not_is_lost() {
    assert_eq!(judge(&acknowledged(&[1, 2, 3]), &given(&[1])).lost, 2);
    assert_eq!(judge(&acknowledged(&[1]), &Given::new()).lost, 1);
    assert_eq!(
        judge(&acknowledged(&[1]), &Given::from([(4, vec![1])])).lost,
        1
    );
}

#[test]
fn a_write_after_a_later_one_of_its_key_is_out_of_order() {
    let found = judge(&acknowledged(&[1, 2]), &given(&[2, 1, 2]));
    assert_eq!((found.lost, found.disordered), (0, 1));
    // The older value is what stays.
    let found = judge(&acknowledged(&[1, 2]), &given(&[2, 1]));
    assert_eq!((found.lost, found.disordered), (1, 1));
}
