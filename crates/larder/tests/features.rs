//! The features, as the manifest and the README have them.

#[test]
fn the_readme_lists_every_feature() {
    let manifest = include_str!("../Cargo.toml");
    let (_, features) = manifest.split_once("[features]\n").expect("features");
    let (features, _) = features.split_once("\n[").expect("their end");
    let names = features.lines().filter_map(|line| line.split_once(" = "));
    let names: Vec<_> = names.map(|(name, _)| name).collect();
    assert!(names.contains(&"default") && names.contains(&"axum"));
    let readme = include_str!("../README.md");
    let rows: Vec<_> = readme.lines().filter(|it| it.starts_with("| `")).collect();
    for name in names.into_iter().filter(|name| *name != "default") {
        let quoted = format!("`{name}`");
        let is_listed = |row: &&str| row.split('|').nth(1).is_some_and(|it| it.contains(&quoted));
        assert!(
            rows.iter().any(is_listed),
            "the README does not list {name}"
        );
    }
}
