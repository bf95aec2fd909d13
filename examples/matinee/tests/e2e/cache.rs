//! Where a page comes from.

use crate::plan::Plan;
use crate::visitor::Visitor;

on_both_backends! {
    a_film_is_loaded_once_and_then_kept_near_and_far,
    fifty_visitors_of_one_cold_page_cause_one_load,
}

fn a_film_is_loaded_once_and_then_kept_near_and_far(plan: Plan) {
    let house = plan.open();
    let visitor = Visitor::new();
    let (here, there) = (house.first(), house.last());
    let page = visitor.get(here, "/films/7");
    assert_eq!(page.source(), "miss loaded");
    assert_eq!(visitor.get(here, "/films/7").source(), "hit near");
    // The twin shows the same load.
    assert_eq!(visitor.get(here, "/api/films/7").source(), "hit near");

    let elsewhere = visitor.get(there, "/films/7");
    if house.shares_a_store() {
        assert_eq!(elsewhere.source(), "hit far");
        assert_eq!(visitor.get(there, "/films/7").source(), "hit near");
    }
    let loads = |door| {
        let metrics = visitor.get(door, "/metrics");
        metrics.metric("larder_cache_loads_total", &["outcome=\"ok\""])
    };
    assert_eq!(house.doors().iter().map(loads).sum::<u64>(), 1);

    assert_eq!(visitor.get(here, "/?q=alien").source(), "miss loaded");
    assert_eq!(visitor.get(here, "/?q=%20ALIEN").source(), "hit near");
    assert_eq!(
        visitor.get(here, "/?q=alien&page=2").source(),
        "miss loaded"
    );
}

fn fifty_visitors_of_one_cold_page_cause_one_load(plan: Plan) {
    let house = plan.alone().open();
    let answers = house.crowd(50, |visitor, _, _| visitor.get(house.first(), "/films/99"));
    for answer in &answers {
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains(" ago with 2 queries"));
    }
    let loaded = answers.iter().filter(|it| it.source() == "miss loaded");
    assert_eq!(loaded.count(), 1);
    let metrics = house.get("/metrics");
    assert_eq!(metrics.metric("larder_cache_loads_total", &[]), 1);
}
