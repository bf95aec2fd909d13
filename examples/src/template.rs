//! Renders the template of the starter: the part of Liquid that it uses.

/// The choices that the template asks for, in the order of their bits in a combination.
pub const CHOICES: [&str; 6] = [
    "sessions",
    "limits",
    "response_cache",
    "typed_cache",
    "queue",
    "redis",
];

/// The combination that is stored in `examples/starter`: everything except the queue.
pub const STARTER: u32 = 0b10_1111;

/// The name of a project as that of its namespace: in lower case, and of at most 32 characters.
const NAMESPACE: &str = "{{project-name | downcase | truncate: 32, ''}}";

/// Renders a template of the project `name` for a combination of [`CHOICES`].
///
/// `{{project-name}}`, also in the form of a namespace, and `{{larder}}` are replaced. For `{% if a or b %}`,
/// `{% elsif a and b %}`, `{% else %}` and `{% endif %}` the branch that applies is kept; a tag that begins with
/// `{%-` removes the white space before it.
///
/// # Panics
/// If the template has an unknown tag or name.
#[must_use]
pub fn render(template: &str, name: &str, larder: &str, combination: u32) -> String {
    let mut rendered = String::new();
    // For each open `if`: whether this branch is kept, and whether any branch was kept so far.
    let mut open: Vec<(bool, bool)> = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{%") {
        let (tag, after) = after.split_once("%}").expect("a tag has an end");
        let (tag, before) = match tag.strip_prefix('-') {
            Some(tag) => (tag.trim(), before.trim_end()),
            None => (tag.trim(), before),
        };
        assert!(!tag.ends_with('-'), "'{tag}' trims what follows");
        if open.iter().all(|(kept, _)| *kept) {
            rendered.push_str(before);
        }
        let (word, condition) = tag.split_once(' ').unwrap_or((tag, ""));
        match word {
            "if" => {
                let kept = holds(condition, combination);
                open.push((kept, kept));
            }
            "elsif" | "else" => {
                let (kept, was_kept) = open.last_mut().expect("an open if");
                *kept = !*was_kept && (word == "else" || holds(condition, combination));
                *was_kept |= *kept;
            }
            "endif" => drop(open.pop().expect("an open if")),
            _ => panic!("the tag '{tag}' is not known here"),
        }
        rest = after;
    }
    assert!(open.is_empty(), "an if has no end");
    rendered.push_str(rest);
    let rendered = rendered.replace("{{project-name}}", name);
    let rendered = rendered.replace(NAMESPACE, &namespace(name));
    let rendered = rendered.replace("{{larder}}", larder);
    assert!(!rendered.contains("{{"), "a name is not known here");
    rendered
}

fn namespace(name: &str) -> String {
    name.to_lowercase().chars().take(32).collect()
}

fn holds(condition: &str, combination: u32) -> bool {
    let chosen = |name: &str| {
        let bit = CHOICES.iter().position(|it| *it == name.trim());
        let bit = bit.unwrap_or_else(|| panic!("'{name}' is not a choice"));
        combination & (1 << bit) != 0
    };
    match condition.contains(" and ") {
        true => condition.split(" and ").all(chosen),
        false => condition.split(" or ").any(chosen),
    }
}
