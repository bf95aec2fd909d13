//! What a crate says about itself.

use super::super::rules::breaches;
use super::{PLACES, assert_caught, of, sound};

#[test]
fn a_package_that_is_published_from_elsewhere_or_hidden_in_crates_is_caught() {
    let breach = "is published, or is in `crates/`: it must be both or neither";
    assert_caught(&[&format!("tape {breach}")], |workspace| {
        of(workspace, "tape").publishable = false;
    });
    assert_caught(&[&format!("tape {breach}")], |workspace| {
        of(workspace, "tape").in_crates = false;
    });
}

#[test]
fn a_crate_that_does_not_say_what_it_is_is_caught() {
    assert_caught(&["tape has no description"], |workspace| {
        of(workspace, "tape").description = Some(String::new());
    });
    assert_caught(&["tape has no license"], |workspace| {
        of(workspace, "tape").license = None
    });
    assert_caught(&["tape has no readme"], |workspace| {
        of(workspace, "tape").readme = None
    });
}

#[test]
fn a_crate_that_cannot_be_found_or_read_about_is_caught() {
    let keywords = "tape does not have one to five keywords of up to 20 letters";
    for words in [&[][..], &["a"; 6], &["twenty-one-characters"]] {
        assert_caught(&[keywords], |workspace| {
            of(workspace, "tape").keywords = words.iter().map(|it| (*it).to_owned()).collect();
        });
    }
    assert_caught(
        &["tape does not have one to five categories"],
        |workspace| of(workspace, "tape").categories.clear(),
    );
    assert_caught(
        &["tape does not have its documentation built with all features"],
        |workspace| of(workspace, "tape").is_documented_whole = false,
    );
}

#[test]
fn a_crate_with_a_compiler_or_a_version_of_its_own_is_caught() {
    assert_caught(&["tape does not have rust-version 1.88"], |workspace| {
        of(workspace, "tape").rust_version = Some("1.90".to_owned());
    });
    assert_caught(
        &["tape does not inherit the version of the workspace"],
        |workspace| {
            of(workspace, "tape").manifest =
                "[package]\nversion = \"1.0.0\"\n[lints]\nworkspace=true".to_owned();
        },
    );
}

#[test]
fn crates_of_two_versions_are_caught() {
    let mut workspace = sound();
    of(&mut workspace, "all").version = "1.0.1".to_owned();
    let breaches = breaches(&workspace, PLACES);
    assert!(
        breaches.contains(&"store is 1.0.0, and all is 1.0.1".to_owned()),
        "{breaches:?}"
    );
}

#[test]
fn a_package_without_the_lints_of_the_workspace_is_caught() {
    let without = [
        "",
        "# workspace = true\n",
        "[lints.rust]\nworkspace = true\n",
    ];
    for lints in
        without.map(|lints| format!("[package]\nversion.workspace = true\n[lints]\n{lints}"))
    {
        assert_caught(
            &["example does not inherit the lints of the workspace"],
            |workspace| {
                of(workspace, "example").manifest = lints;
            },
        );
    }
}
