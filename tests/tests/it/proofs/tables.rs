//! Tables, and how two of them differ.

use larder_proofs::Table;

fn table(time: &str, result: &str) -> Table {
    let mut table = Table::new()
        .column("what")
        .measured("longest")
        .column("result");
    table.row(["kill", time, result]);
    table
}

#[test]
fn what_was_measured_may_differ_and_nothing_else() {
    let page = table("1 ms", "well").to_string();
    let same = table("2 ms", "well");
    assert_eq!(same.skeleton(), same.skeleton_of(&page));
    let other = table("1 ms", "lost");
    assert_ne!(other.skeleton(), other.skeleton_of(&page));
}

#[test]
fn a_column_of_another_name_and_a_row_of_another_length_differ() {
    let page = table("1 ms", "well").to_string();
    let same = table("2 ms", "well");
    assert!(same.has_columns_of(&page));
    assert!(!same.has_columns_of(&page.replace("longest", "shortest")));
    let longer = page.replace("| well |", "| well | and more |");
    assert_ne!(same.skeleton(), same.skeleton_of(&longer));
}

#[test]
fn a_bar_that_is_missed_is_noted() {
    let mut table = table("1 ms", "well");
    table.bar(true, || unreachable!());
    table.bar(false, || "too long".to_owned());
    assert_eq!(table.missed(), ["too long"]);
}
