use async_trait::async_trait;
use larder_store::scan::{Cursor, MAX_PAGE, Page, Scan};
use larder_store::{Content, ErrorKind, Result};

use super::{BrokenStore, Fault};

/// The prefix of a cursor that is a number of keys.
const OFFSET: &str = "offset:";

impl BrokenStore {
    fn keys(&self, is_listed: impl Fn(&str, Content, bool) -> bool) -> Vec<String> {
        let listing = self.model.listing().into_iter();
        let listed = listing.filter(|(key, form, is_live)| is_listed(key, *form, *is_live));
        listed.map(|(key, ..)| key).collect()
    }

    /// Applies the faults that leave out keys of a page.
    fn wrong_keys(&self, mut keys: Vec<String>) -> Vec<String> {
        match self.fault {
            Some(Fault::ScanSkipsEveryTenth) => {
                keys.retain(|_| !self.count().is_multiple_of(10));
            }
            Some(Fault::ScanSkipsRecords) => {
                let records = self.keys(|_, form, _| form == Content::Record);
                keys.retain(|key| !records.contains(key));
            }
            Some(Fault::ScanSkipsEvictable) => {
                let memory = self.memory.lock();
                keys.retain(|key| !memory.evictable.contains(key));
            }
            _ => {}
        }
        keys
    }

    /// Returns the keys that a fault lists in addition, on the last page.
    fn more_keys(&self, prefix: &str) -> Vec<String> {
        let begins = |key: &String| key.starts_with(prefix);
        match self.fault {
            Some(Fault::ListsExpired) => {
                self.keys(|key, _, is_live| !is_live && key.starts_with(prefix))
            }
            Some(Fault::ListsDeleted) => {
                let memory = self.memory.lock();
                let deleted = memory.deleted.keys().cloned();
                deleted.filter(begins).collect()
            }
            Some(Fault::ListsLeases) => {
                let leased = self.model.leased().into_iter();
                leased.map(|key| key + ":~lease").filter(begins).collect()
            }
            Some(Fault::PrefixIsAnywhere) => self.keys(|key, _, is_live| {
                is_live && key.contains(prefix) && !key.starts_with(prefix)
            }),
            _ => Vec::new(),
        }
    }

    fn page_by_offset(&self, prefix: &str, after: Option<&Cursor>, about: usize) -> Page {
        let offset = after.and_then(|cursor| cursor.as_str().strip_prefix(OFFSET)?.parse().ok());
        let offset: usize = offset.unwrap_or_default();
        let all = self.keys(|key, _, is_live| is_live && key.starts_with(prefix));
        let is_last = all.len() <= offset + about;
        let next = (!is_last).then(|| Cursor::new(format!("{OFFSET}{}", offset + about)));
        let keys = all.into_iter().skip(offset).take(about).collect();
        Page { keys, next }
    }
}

#[async_trait]
impl Scan for BrokenStore {
    async fn page(&self, prefix: &str, after: Option<&Cursor>, about: usize) -> Result<Page> {
        let (mut prefix, mut about) = (prefix, about);
        match self.fault {
            Some(Fault::CursorIsAnOffset) if (1..=MAX_PAGE).contains(&about) => {
                let is_own = |cursor: &&Cursor| cursor.as_str().starts_with(OFFSET);
                if after.is_none() || after.filter(is_own).is_some() {
                    return Ok(self.page_by_offset(prefix, after, about));
                }
            }
            Some(Fault::PrefixIsAPattern) => {
                prefix = prefix
                    .split(['*', '?', '[', '\\'])
                    .next()
                    .unwrap_or_default();
            }
            Some(Fault::TakesAnyPageSize) => about = about.clamp(1, MAX_PAGE),
            Some(Fault::PageHoldsAll) if (1..=MAX_PAGE).contains(&about) => about = MAX_PAGE,
            _ => {}
        }
        let mut page = match (self.fault, self.model.page(prefix, after, about).await) {
            (Some(Fault::AnyCursorStartsOver), Err(error))
                if error.kind() == ErrorKind::Invalid && after.is_some() =>
            {
                self.model.page(prefix, None, about).await?
            }
            (_, page) => page?,
        };
        page.keys = self.wrong_keys(page.keys);
        if page.next.is_none() {
            page.keys.extend(self.more_keys(prefix));
        }
        Ok(page)
    }
}
