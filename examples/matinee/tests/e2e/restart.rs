//! Processes that are killed and started again.

use crate::plan::Plan;

on_both_backends! {
    an_app_whose_processes_were_killed_starts_again_with_what_it_had,
}

fn an_app_whose_processes_were_killed_starts_again_with_what_it_had(plan: Plan) {
    let mut app = plan.with_a_new_database().open();
    let before = app.get("/api/films/5").json();
    app.crash_and_reopen();
    for server in app.servers() {
        let answer = crate::visitor::Visitor::new().get(server, "/api/films/5");
        let kept = if app.shares_a_store() {
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
