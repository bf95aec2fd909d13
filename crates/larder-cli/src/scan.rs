//! Lists the records of a kind.

use std::collections::BTreeSet;

use larder::store::Key;
use larder::store::program::Record;
use larder::store::scan::MAX_PAGE;

use crate::error::Result;
use crate::output::Output;
use crate::target::Target;

/// Returns the keys of the records of type `R` whose ids begin with `id`, `limit` at most.
///
/// The id is as it stands in a key. A record in several parts is listed once.
pub(crate) async fn records<R: Record>(
    target: &Target,
    output: &mut Output<'_, '_>,
    id: &str,
    limit: usize,
) -> Result<Vec<Key>> {
    let scan = target.scan()?;
    let prefix = format!("{}:{{{id}", R::KIND.name());
    let (mut found, mut next) = (BTreeSet::new(), None);
    loop {
        let page = scan.page(&prefix, next.as_ref(), MAX_PAGE).await?;
        for key in page.keys {
            // What another client wrote under such a name is not a record.
            if let Ok(key) = Key::parse(&key, &[R::KIND]) {
                found.insert(key.without_part().as_str().to_owned());
            }
        }
        output.progress(&format!("{} found", found.len()));
        next = page.next;
        if next.is_none() || found.len() >= limit {
            break;
        }
    }
    output.end_progress();
    let keys = found.iter().take(limit);
    Ok(keys
        .filter_map(|key| Key::parse(key, &[R::KIND]).ok())
        .collect())
}

/// Returns the part of a key inside of its braces.
pub(crate) fn id_of(key: &Key) -> &str {
    let text = key.as_str();
    let inside = text
        .split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'));
    inside.map_or(text, |(id, _)| id)
}
