//! A process that was killed, and comes back.

use crate::plan::Plan;

on_both_backends! {
    a_house_whose_processes_were_killed_opens_again_on_what_it_had,
}

fn a_house_whose_processes_were_killed_opens_again_on_what_it_had(plan: Plan) {
    let mut house = plan.open();
    let before = house.get("/api/films/5").json();
    house.crash_and_reopen();
    for door in house.doors() {
        let answer = crate::visitor::Visitor::new().get(door, "/api/films/5");
        let kept = if house.shares_a_store() {
            "hit far"
        } else {
            "miss loaded"
        };
        assert_eq!(answer.source(), kept);
        let after = answer.json();
        assert_eq!(after["film"], before["film"]);
        assert_eq!(after["showings"], before["showings"]);
    }
}
