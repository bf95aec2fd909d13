use larder_store::{Delete, IdWriter, Key, KeyId, Result};
use tracing::Instrument;

use super::{Far, again};

impl<V: Send + Sync + 'static> Far<V> {
    /// Returns the key of `id`: `kind:{v<schema>:id}`.
    pub(crate) fn key(&self, id: &impl KeyId) -> Key {
        Key::new(self.kind, (Schema(self.format.schema), id))
    }

    /// Returns the keys of `id` in the schemas of other releases.
    pub(crate) fn keys_beside(&self, id: &impl KeyId) -> impl Iterator<Item = Key> {
        let schemas = self.other_schemas.iter();
        schemas.map(move |schema| Key::new(self.kind, (Schema(*schema), id)))
    }

    /// Returns the key of `id` in each schema.
    pub(crate) fn all_keys(&self, id: &impl KeyId) -> impl Iterator<Item = Key> {
        std::iter::once(self.key(id)).chain(self.keys_beside(id))
    }

    /// Removes the entries of some ids in each schema, with a result for each id.
    ///
    /// One round trip per node.
    pub(crate) async fn remove_many<'a, K: KeyId + 'a>(
        &self,
        ids: impl IntoIterator<Item = &'a K>,
    ) -> Vec<Result<()>> {
        let keys: Vec<_> = ids.into_iter().flat_map(|id| self.all_keys(id)).collect();
        let mut results = self.invalidate_many(&keys).await.into_iter();
        let schemas = 1 + self.other_schemas.len();
        (0..keys.len() / schemas)
            .map(|_| results.by_ref().take(schemas).fold(Ok(()), Result::and))
            .collect()
    }

    /// Removes the entries of some ids in the schemas of other releases. No round trip without such
    /// schemas.
    pub(crate) async fn remove_beside<'a, K: KeyId + 'a>(
        &self,
        ids: impl IntoIterator<Item = &'a K>,
    ) -> Result<()> {
        let keys = ids.into_iter().flat_map(|id| self.keys_beside(id));
        let keys: Vec<_> = keys.collect();
        match keys.is_empty() {
            true => Ok(()),
            false => self.invalidate_many(&keys).await.into_iter().collect(),
        }
    }

    /// Removes the entries of some keys, so that no load that began before is stored either.
    ///
    /// One round trip per node.
    async fn invalidate_many(&self, keys: &[Key]) -> Vec<Result<()>> {
        let removed = async {
            Ok(match (&self.leases, keys) {
                (Some(leases), [key]) => vec![leases.invalidate(key).await],
                (Some(leases), keys) => leases.invalidate_many(keys).await,
                (None, [key]) => vec![self.store.delete(&Delete::new(key.clone())).await],
                (None, keys) => {
                    let deletes: Vec<_> = keys.iter().cloned().map(Delete::new).collect();
                    self.store.delete_many(&deletes).await
                }
            })
        };
        let removed = self.timeout.run("invalidate", removed);
        match removed.instrument(self.spans().remove(keys)).await {
            Ok(removed) => {
                let removed = removed.into_iter();
                removed.map(|one| self.heard_aside(one).map(drop)).collect()
            }
            Err(error) => {
                self.failed_aside(&error);
                keys.iter().map(|_| Err(again(&error))).collect()
            }
        }
    }
}

/// The schema number of a value, as the first component of its id.
struct Schema(u32);

impl KeyId for Schema {
    fn write_id(&self, id: &mut IdWriter<'_>) {
        // 'v' and ten digits at most.
        let mut text = [0; 11];
        let mut at = text.len();
        let mut rest = self.0;
        loop {
            at -= 1;
            text[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        text[at - 1] = b'v';
        id.bytes(&text[at - 1..]);
    }
}

#[cfg(test)]
mod tests {
    use larder_store::Kind;

    use super::*;

    #[test]
    fn the_schema_is_the_first_component_of_the_id() {
        const FILM: Kind = Kind::evictable("film");
        for (schema, text) in [
            (0, "film:{v0:7}"),
            (42, "film:{v42:7}"),
            (u32::MAX, "film:{v4294967295:7}"),
        ] {
            assert_eq!(Key::new(FILM, (Schema(schema), 7_u32)).as_str(), text);
        }
    }
}
