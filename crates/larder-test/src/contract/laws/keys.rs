use larder_store::{Delete, Key, Part, Put};

use super::Outcome;
use super::scene::{LONG, Scene};

pub(super) async fn kinds_keep_equal_ids_apart(at: Scene<'_>) -> Outcome {
    let one = Put::new(Key::new(at.kind(), "7"), "one", LONG);
    let other = Put::new(Key::new(at.other_kind(), "7"), "other", LONG);
    keeps_apart(&at, &[one, other]).await
}

pub(super) async fn parts_keep_equal_ids_apart(at: Scene<'_>) -> Outcome {
    const FENCE: Part = Part::new("fence");
    const QUEUE: Part = Part::new("queue");
    let key = at.key("7");
    let keys = [
        key.clone(),
        key.clone().with_part(FENCE),
        key.with_part(QUEUE),
    ];
    let puts = keys.map(|key| Put::new(key, "a part", LONG));
    keeps_apart(&at, &puts).await
}

pub(super) async fn ids_keep_their_case(at: Scene<'_>) -> Outcome {
    let puts = ["ada", "Ada", "ADA"].map(|id| at.put(id, id));
    keeps_apart(&at, &puts).await
}

pub(super) async fn long_ids_are_kept_apart(at: Scene<'_>) -> Outcome {
    let common = "x".repeat(80);
    let mut puts: Vec<Put> = ["a", "b"]
        .map(|end| at.put(format!("{common}{end}"), "1"))
        .into();
    let common = "y".repeat(10_000);
    puts.extend(["a", "b"].map(|end| at.put(format!("{common}{end}"), "2")));
    keeps_apart(&at, &puts).await
}

pub(super) async fn ids_of_any_characters_are_kept_apart(at: Scene<'_>) -> Outcome {
    let ids = [
        "",
        " ",
        "*",
        "?",
        "[a]",
        "%",
        "%25",
        ":",
        "a:b",
        "a%3Ab",
        "{a}",
        "a",
        "a\n",
        "a\r\n",
        "a\0",
        "\u{1f3ac}",
        "\u{e9}",
        "e\u{301}",
        "$1\r\n",
        "#",
        "/../",
        "\\",
        "\"",
        "'; --",
    ];
    let puts: Vec<Put> = ids.iter().map(|id| at.put(*id, id.to_string())).collect();
    keeps_apart(&at, &puts).await
}

/// Checks that each key keeps its value until it is deleted, whatever happens to the others.
async fn keeps_apart(at: &Scene<'_>, puts: &[Put]) -> Outcome {
    for put in puts {
        at.write(put).await?;
    }
    for (number, put) in puts.iter().enumerate() {
        at.holds(put, &format!("key {number} of {}", puts.len()))
            .await?;
        let delete = Delete::new(put.key().clone());
        at.is_deleted(&delete, &format!("delete of key {number}"))
            .await?;
    }
    Ok(())
}
