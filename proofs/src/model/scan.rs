use std::collections::BTreeSet;
use std::sync::Arc;

use larder_store::program::Record;
use larder_store::{Result, Store};
use larder_test::records::Journal;

/// More pages than any sequence writes keys.
const MOST_PAGES: usize = 1_000;

/// Returns the keys that begin with `prefix`, out of pages of about `about`.
pub(crate) async fn all(
    store: &Arc<dyn Store>,
    prefix: &str,
    about: usize,
) -> Result<BTreeSet<String>> {
    let scan = store.clone().scan().expect("scan");
    let mut keys = BTreeSet::new();
    let mut after = None;
    for _ in 0..MOST_PAGES {
        let page = scan.page(prefix, after.as_ref(), about).await?;
        // The ids of sessions are random.
        let named = page
            .keys
            .into_iter()
            .filter(|key| !key.starts_with("session"));
        keys.extend(named.map(whole));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(keys),
        }
    }
    // A store with a few keys must not have that many pages.
    keys.insert(format!("more than {MOST_PAGES} pages"));
    Ok(keys)
}

/// Returns the key of a journal, of which a store may list one for each part, without the part.
fn whole(mut key: String) -> String {
    if let Some(end) = key.rfind('}')
        && key.starts_with(Journal::KIND.name())
    {
        key.truncate(end + 1);
    }
    key
}
