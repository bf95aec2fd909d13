//! Queues and streams.

use larder_test::server::Reply;

use super::two_clients;

#[test]
fn a_job_that_was_popped_is_lost_with_its_worker() {
    let (_server, mut app, mut worker) = two_clients();
    app.run("LPUSH jobs mail");
    assert_eq!(worker.text("RPOP jobs").as_deref(), Some("mail"));
    drop(worker); // it is killed
    assert_eq!(app.int("EXISTS jobs"), 0);
}

#[test]
fn a_slow_worker_acknowledges_the_job_that_another_has_by_now() {
    let (_server, mut slow, mut next) = two_clients();
    slow.run("LPUSH jobs mail");
    slow.run("LMOVE jobs working RIGHT LEFT");
    // It takes so long that its job is moved back, and given to the next.
    next.run("LMOVE working jobs RIGHT LEFT");
    next.run("LMOVE jobs working RIGHT LEFT");
    assert_eq!(
        slow.int("LREM working 1 mail"),
        1,
        "nothing says that it is too late"
    );

    drop(next); // the other worker is killed, and its job is nowhere
    assert_eq!(slow.int("EXISTS jobs working"), 0);
}

#[test]
fn a_consumer_that_was_too_slow_acknowledges_what_another_has_by_now() {
    let (_server, mut slow, mut next) = two_clients();
    slow.run("XGROUP CREATE log mailer 0 MKSTREAM");
    let id = slow.text("XADD log * booking 1").expect("an id");
    slow.run("XREADGROUP GROUP mailer slow STREAMS log >");
    next.run(&format!("XCLAIM log mailer next 0 {id}"));
    assert_eq!(slow.int(&format!("XACK log mailer {id}")), 1);

    // The next one fails, and there is nothing left to be tried again.
    let pending = next.run("XPENDING log mailer");
    let pending = pending.array().expect("a summary")[0].int();
    assert_eq!(pending, Some(0));
}

#[test]
fn a_consumer_that_is_deleted_takes_what_it_had_along() {
    let (_server, mut app, mut consumer) = two_clients();
    app.run("XGROUP CREATE log mailer 0 MKSTREAM");
    app.run("XADD log * booking 1");
    consumer.run("XREADGROUP GROUP mailer gone STREAMS log >");
    assert_eq!(app.int("XGROUP DELCONSUMER log mailer gone"), 1);

    // Nothing new, nothing pending, though the event is still in the stream.
    let again = app.run("XREADGROUP GROUP mailer next STREAMS log >");
    assert_eq!(again, Reply::Nil, "it is never delivered");
    let claimed = app.run("XAUTOCLAIM log mailer next 0 0");
    let claimed = &claimed.array().expect("a cursor and events")[1];
    assert_eq!(claimed, &Reply::Array(Vec::new()), "nobody can claim it");
    assert_eq!(app.int("XLEN log"), 1);
}
