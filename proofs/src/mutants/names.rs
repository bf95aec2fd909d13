//! The names of mutants, as cargo-mutants prints them.

/// Returns the first module of a file's path.
#[must_use]
pub fn module(file: &str) -> &str {
    let (_, below) = file.split_once("/src/").unwrap_or_default();
    below.split(['/', '.']).next().unwrap_or_default()
}

/// Escapes what has a meaning in a regular expression.
#[must_use]
pub fn escaped(name: &str) -> String {
    let escape = |character: char| match character {
        'a'..='z'
        | 'A'..='Z'
        | '0'..='9'
        | ' '
        | '_'
        | '/'
        | ':'
        | '<'
        | '>'
        | '='
        | '!'
        | '&'
        | '"'
        | '\''
        | ',' => {
            vec![character]
        }
        _ => vec!['\\', character],
    };
    name.chars().flat_map(escape).collect()
}

/// Removes line and column, which change with every edit, from `file.rs:1:2: replace …`.
#[must_use]
pub fn without_place(name: &str) -> String {
    match name.splitn(4, ':').collect::<Vec<_>>()[..] {
        [file, _, _, what] => format!("{file}:{what}"),
        _ => name.to_owned(),
    }
}
