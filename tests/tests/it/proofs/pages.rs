//! The pages that proofs write.

use std::fs;
use std::path::PathBuf;

use larder_proofs::{Page, Table, write_or_check};

fn page(text: &str) -> (Page, PathBuf) {
    let dir = std::env::temp_dir().join(format!("larder-page-{:08x}", fastrand::u32(..)));
    fs::create_dir(&dir).expect("a directory");
    let path = dir.join("page.md");
    fs::write(&path, text).expect("a page");
    let name = "it";
    (Page::at(path, name), dir)
}

fn table(column: &'static str) -> Table {
    let mut table = Table::new().column(column).measured("time");
    table.row(["kill", "1 ms"]);
    table
}

#[test]
fn a_page_is_written_between_its_markers_and_nothing_is_left_beside_it() {
    let text = "before\n<!-- prove it -->\n<!-- end of it -->\nafter\n";
    let (page, dir) = page(text);
    assert!(write_or_check(&page, &table("what"), true).is_err());
    assert_eq!(write_or_check(&page, &table("what"), false), Ok(()));
    assert_eq!(write_or_check(&page, &table("what"), true), Ok(()));
    let other = write_or_check(&page, &table("who"), true);
    assert!(other.is_err(), "the heading of a column differs");
    let written = fs::read_to_string(dir.join("page.md")).expect("a page");
    let table = table("what").to_string();
    let expected = text.replace("it -->\n<", &format!("it -->\n{table}<"));
    assert_eq!(written, expected);
    assert_eq!(fs::read_dir(&dir).expect("the directory").count(), 1);
    fs::remove_dir_all(dir).expect("the directory");
}

#[test]
fn a_table_without_rows_is_an_error() {
    let (page, dir) = page("nothing");
    for is_check in [false, true] {
        let shown = write_or_check(&page, &Table::new().column("what"), is_check);
        assert_eq!(shown, Err(vec!["it has shown nothing".to_owned()]));
    }
    fs::remove_dir_all(dir).expect("the directory");
}
