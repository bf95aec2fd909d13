//! Missing pages.

use crate::plan::Plan;
use crate::visitor::Visitor;

on_both_backends! {
    a_missing_page_is_html_for_people_and_problem_details_for_programs,
}

fn a_missing_page_is_html_for_people_and_problem_details_for_programs(plan: Plan) {
    let app = plan.open();
    let browser = Visitor::with_a_browser();
    for path in ["/films/999999", "/nothing", "/assets/nothing.css"] {
        let page = browser.get(app.first(), path);
        assert_eq!(page.status, 404, "{path}");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert!(page.body.contains("This reel is missing"), "{path}");
    }
    for path in ["/api/films/999999", "/api/nothing", "/api"] {
        let problem = browser.get(app.first(), path);
        assert_eq!(problem.status, 404, "{path}");
        assert_eq!(problem.header("content-type"), "application/problem+json");
        let problem = problem.json();
        assert_eq!(problem["status"], 404);
        assert_eq!(problem["title"], "Not Found");
        assert!(!problem["detail"].as_str().unwrap().is_empty());
    }
}
