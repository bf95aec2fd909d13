//! How a session is ended from outside, what its browser is told, and what needs a recent sign-in.

use crate::plan::Plan;
use crate::visitor::{ADA, ADMIN, GRACE, Visitor};

on_both_backends! {
    a_browser_is_told_that_it_was_signed_out_elsewhere,
    a_form_of_a_visitor_who_was_signed_out_leads_back_to_its_page,
    an_administrator_disables_an_account_and_enables_it,
    an_email_is_changed_after_a_recent_sign_in_alone,
}

fn signed_in(app: &crate::app::App, account: crate::visitor::Account) -> Visitor {
    let visitor = Visitor::with_a_browser();
    visitor.sign_in(app.first(), account);
    visitor
}

fn a_browser_is_told_that_it_was_signed_out_elsewhere(plan: Plan) {
    let app = plan.open();
    let (phone, firefox) = (signed_in(&app, ADA), signed_in(&app, ADA));
    firefox.post(app.last(), "/account/revoke-others", &[]);
    let said = |visitor: &Visitor| {
        let page = visitor.get(app.first(), "/sign-in?next=/account").body;
        page.contains("You signed out on another device.")
    };
    assert!(!said(&Visitor::new()) && !said(&firefox));
    assert!(said(&phone), "it is told");
    assert!(!said(&phone), "it is told once");
    phone.sign_in(app.last(), ADA);
    assert_eq!(phone.get(app.first(), "/account").status, 200);
}

fn a_form_of_a_visitor_who_was_signed_out_leads_back_to_its_page(plan: Plan) {
    let app = plan.open();
    let page = format!("http://{}/showings/7", app.first().address());
    let phone = Visitor::with_a_browser().with("referer", page);
    phone.sign_in(app.first(), ADA);
    signed_in(&app, ADA).post(app.last(), "/account/revoke-others", &[]);
    let form = [("seat", "C3")];
    let sent = phone.post(app.first(), "/showings/7/hold", &form);
    let to = "/sign-in?next=%2Fshowings%2F7";
    assert_eq!((sent.status.as_u16(), sent.header("location")), (303, to));
    let form = phone.get(app.first(), to).body;
    assert!(form.contains("You signed out on another device."), "{form}");
    assert!(form.contains("value=\"/showings/7\""), "{form}");
}

fn an_administrator_disables_an_account_and_enables_it(plan: Plan) {
    let app = plan.open();
    let (admin, ada, grace) = (
        signed_in(&app, ADMIN),
        signed_in(&app, ADA),
        signed_in(&app, GRACE),
    );
    let page = admin.get(app.first(), "/admin/accounts").body;
    let (before, _) = page.split_once("Disable the account of Ada").unwrap();
    let (_, path) = before.rsplit_once("action=\"").unwrap();
    let path = path.split('"').next().unwrap();
    assert_eq!(
        grace.post(app.first(), path, &[("disabled", "yes")]).status,
        403
    );
    assert_eq!(ada.get(app.first(), "/account").status, 200);

    let done = admin.post(app.first(), path, &[("disabled", "yes")]);
    assert_eq!(
        (done.status.as_u16(), done.header("location")),
        (303, "/admin/accounts")
    );
    let page = admin.get(app.last(), "/admin/accounts").body;
    assert!(page.contains("The account has been disabled"), "{page}");
    assert_eq!(ada.get(app.last(), "/account").status, 303);
    let form = ada.get(app.last(), "/sign-in?next=/account").body;
    assert!(form.contains("This account is disabled."), "{form}");
    let refused = ada.try_sign_in(app.last(), ADA.email, ADA.password);
    assert_eq!(refused.status, 403);
    // A wrong password gets the usual answer.
    assert_eq!(ada.try_sign_in(app.last(), ADA.email, "wrong").status, 401);
    assert_eq!(grace.get(app.last(), "/account").status, 200);

    admin.post(app.last(), path, &[("disabled", "no")]);
    ada.sign_in(app.first(), ADA);
    assert_eq!(ada.get(app.last(), "/account").status, 200);
    // No administrator is disabled by mistake.
    assert_eq!(
        admin
            .post(app.first(), "/admin/accounts/99999", &[("disabled", "yes")])
            .status,
        404
    );
}

fn an_email_is_changed_after_a_recent_sign_in_alone(plan: Plan) {
    let app = plan.with("REAUTH_AFTER", "3s").open();
    let (ada, admin) = (signed_in(&app, ADA), signed_in(&app, ADMIN));
    std::thread::sleep(std::time::Duration::from_millis(3_100));
    // The operators' page needs a recent sign-in, too.
    let late = admin.get(app.last(), "/admin/operations");
    let form = "/sign-in?next=%2Fadmin%2Foperations";
    assert_eq!((late.status.as_u16(), late.header("location")), (303, form));
    assert!(
        admin
            .get(app.first(), form)
            .body
            .contains("this needs a recent sign-in")
    );
    let new = [("email", "Ada@New.example")];
    let late = ada.post(app.first(), "/account/email", &new);
    assert_eq!(late.header("location"), "/sign-in?next=%2Faccount");
    let form = ada.get(app.first(), late.header("location")).body;
    assert!(form.contains("this needs a recent sign-in"), "{form}");
    let form = ada.get(app.first(), late.header("location")).body;
    assert!(
        !form.contains("this needs a recent sign-in"),
        "it is told once"
    );
    ada.sign_in(app.last(), ADA);
    for (email, said) in [
        ("no address", "That is not an email address."),
        (GRACE.email, "That email cannot be used."),
        ("Ada@New.example", "Your email has been changed."),
    ] {
        // On a busy machine, the sign-in may already be too old.
        ada.sign_in(app.last(), ADA);
        let done = ada.post(app.first(), "/account/email", &[("email", email)]);
        assert_eq!(done.header("location"), "/account", "{email}");
        let page = ada.get(app.last(), "/account").body;
        assert!(page.contains(said), "{email}: {page}");
    }
    let other = Visitor::new();
    assert_eq!(
        other
            .try_sign_in(app.first(), ADA.email, ADA.password)
            .status,
        401
    );
    assert_eq!(
        other
            .try_sign_in(app.first(), "ada@new.example", ADA.password)
            .status,
        303
    );
    // The answer says which emails have accounts, so a user cannot try many.
    for _ in 0..4 {
        let signed_in = ada.try_sign_in(app.last(), "ada@new.example", ADA.password);
        assert_eq!(signed_in.status, 303);
        let taken = [("email", GRACE.email)];
        ada.post(app.first(), "/account/email", &taken);
    }
    let page = ada.get(app.last(), "/account").body;
    assert!(page.contains("You have tried too many emails."), "{page}");
    let nobody = Visitor::new().post(app.first(), "/account/email", &new);
    assert_eq!(nobody.header("location"), "/sign-in?next=%2Faccount");
}
