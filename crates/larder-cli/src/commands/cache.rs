use std::sync::Arc;

use larder::cache::{Cache as TypedCache, Codec, Json, MsgPack, Postcard, Tier};
use larder::response_cache::{Profile, Purger, ResponseCacheLayer};
use larder::store::{Prefixed, Store};
use larder::{Kind, Namespace, Result as StoreResult, Ttl};
use larder_ops::text::of;
use larder_ops::time::span;
use serde_json::{Value, json};

use super::{DONE, NOT_DONE};
use crate::args::{Cache, Targets};
use crate::error::{Error, Result};
use crate::key::{CacheKey, RawId};
use crate::output::{Output, escape, escape_bytes};
use crate::target::{LAYER_PATIENCE, Target};

/// The bytes of a value, which are not decoded.
pub(super) type Raw = TypedCache<RawId, Vec<u8>>;

/// Reads the bytes that a codec of the app wrote, as they are.
struct Undecoded(u8);

impl Codec<Vec<u8>> for Undecoded {
    fn id(&self) -> u8 {
        self.0
    }

    fn encode(&self, value: &Vec<u8>, out: &mut Vec<u8>) -> StoreResult<()> {
        out.extend_from_slice(value);
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        Some(bytes.to_vec())
    }
}

/// Larder's codecs: their numbers and names.
pub(super) fn codecs() -> [(u8, &'static str); 3] {
    [
        (Codec::<()>::id(&MsgPack), "MessagePack"),
        (Codec::<()>::id(&Postcard), "postcard"),
        (Codec::<()>::id(&Json), "JSON"),
    ]
}

/// Returns a cache of the undecoded values of one kind, as a codec wrote them.
pub(super) fn raw(target: &Target, key: &CacheKey, codec: u8) -> Result<Raw> {
    let store: Arc<dyn Store> = match &key.namespace {
        None => target.store.clone(),
        Some(namespace) => {
            let (environment, app) = namespace.split_once(':').unwrap_or((namespace, ""));
            let namespace = Namespace::new(environment, app)?;
            Arc::new(Prefixed::new(namespace, target.store.clone()))
        }
    };
    of_kind(store, key.kind, key.schema, codec)
}

fn of_kind(store: Arc<dyn Store>, kind: Kind, schema: u32, codec: u8) -> Result<Raw> {
    let builder = TypedCache::builder(kind, Ttl::from_secs(60));
    // With a fallback, an expired value stays for failing loads, as it does in the app.
    let builder = builder
        .with_stale_if_error(Ttl::from_secs(60))
        .with_store_timeout(LAYER_PATIENCE)
        .without_near();
    let builder = builder
        .with_far_codec(store, Undecoded(codec))
        .with_schema(schema);
    Ok(builder.build()?)
}

/// Returns the cache of a key by the codec that wrote its value, and the tier that explains it.
pub(super) async fn find(target: &Target, key: &CacheKey) -> Result<(Raw, &'static str, Tier)> {
    let mut last = None;
    for (codec, name) in codecs() {
        let cache = raw(target, key, codec)?;
        let far = cache.explain(&key.id).await.far;
        if let Tier::Failed(error) = far {
            return Err(error.into());
        }
        if !matches!(far, Tier::Unusable) {
            return Ok((cache, name, far));
        }
        last = Some((cache, "unknown", far));
    }
    last.ok_or_else(|| Error::usage("there is no codec"))
}

pub(super) async fn run(
    target: &Target,
    command: &Cache,
    output: &mut Output<'_, '_>,
) -> Result<u8> {
    match command {
        Cache::Get { key, show_values } => get(target, key, *show_values, output).await,
        Cache::Expire(targets) => change(target, targets, Change::Expire, output).await,
        Cache::Purge(targets) => change(target, targets, Change::Purge, output).await,
    }
}

async fn get(
    target: &Target,
    text: &str,
    shows_value: bool,
    output: &mut Output<'_, '_>,
) -> Result<u8> {
    let key = CacheKey::of(target, text)?;
    let (cache, codec, far) = find(target, &key).await?;
    let value = cache.get(&key.id).await;
    let Tier::Entry(entry) = far else {
        output.fields(vec![("value", json!(what(&far)))])?;
        return Ok(NOT_DONE);
    };
    let mut fields = vec![
        ("bytes", json!(value.as_ref().map(|value| value.len()))),
        ("codec", json!(codec)),
        ("age", json!(span(entry.age))),
        ("fresh for", json!(span(entry.fresh_for))),
        ("tags", json!(entry.tags)),
    ];
    // A value that is not fresh is not served.
    let code = if value.is_some() { DONE } else { NOT_DONE };
    if shows_value {
        let value = value.map(|value| escape_bytes(&value));
        if output.is_json() {
            fields.push(("value", value.map_or(Value::Null, Value::String)));
        } else {
            output.fields(fields)?;
            // It is already escaped, and shown in full.
            output.line(&value.unwrap_or_else(|| what(&Tier::Entry(entry))))?;
            return Ok(code);
        }
    }
    output.fields(fields)?;
    Ok(code)
}

/// Describes what is stored, without its times.
pub(super) fn what(far: &Tier) -> String {
    match far {
        Tier::Entry(entry) if entry.is_not_found => "a cached 'not found'".to_owned(),
        Tier::Entry(entry) if entry.fresh_for.is_zero() => {
            "a value, a miss because it is no longer fresh".to_owned()
        }
        Tier::Entry(_) => "a value".to_owned(),
        far => far.to_string(),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Expire,
    Purge,
}

impl Change {
    /// Returns whether the value would be removed instead of becoming stale: its times cannot be changed here.
    fn cannot_do(self, far: &Tier) -> bool {
        self == Self::Expire && matches!(far, Tier::Unusable)
    }
}

const UNREADABLE: &str = "only the app can make it stale; `larder cache purge` removes it";

async fn change(
    target: &Target,
    targets: &Targets,
    change: Change,
    output: &mut Output<'_, '_>,
) -> Result<u8> {
    let what = &targets.what;
    let keys = what.keys.iter().map(|key| CacheKey::of(target, key));
    let keys = keys.collect::<Result<Vec<_>>>()?;
    let responses = responses(target)?;
    // Before anything is changed.
    for uri in &what.uri {
        let [responses, ..] = &responses;
        responses.check(uri)?;
    }
    let verb = match change {
        Change::Expire => "makes stale",
        Change::Purge => "removes",
    };
    let described = format!(
        "This {verb} {}.",
        described(keys.len(), what.uri.len(), what.tag.len())
    );
    if targets.dry_run {
        let mut rows = Vec::new();
        let mut code = DONE;
        for (key, text) in keys.iter().zip(&what.keys) {
            let (_, _, far) = find(target, key).await?;
            let there = if change.cannot_do(&far) {
                code = NOT_DONE;
                format!("unreadable, and would not be changed: {UNREADABLE}")
            } else {
                self::what(&far)
            };
            rows.push(vec![json!(text), json!(there)]);
        }
        let tags = what
            .tag
            .iter()
            .map(|tag| vec![json!(tag), json!("a tag: its values are not counted")]);
        let uris = what
            .uri
            .iter()
            .map(|uri| vec![json!(uri), json!("a response, with all its variants")]);
        rows.extend(tags.chain(uris));
        output.table(&["target", "what is there"], rows)?;
        output.line(&format!("{described} Nothing was done."))?;
        return Ok(code);
    }
    if !output.confirm(&described)? {
        return Ok(NOT_DONE);
    }
    let (mut absent, mut unreadable) = (Vec::new(), Vec::new());
    let mut done = 0;
    // One by one, so that changes before an error are counted.
    let changed = async {
        for (key, text) in keys.iter().zip(&what.keys) {
            let (cache, _, far) = find(target, key).await?;
            if change.cannot_do(&far) {
                unreadable.push(text.as_str());
                continue;
            }
            if matches!(far, Tier::Absent) {
                absent.push(text.as_str());
            }
            // A value that is not in the store may still be near in a process.
            match change {
                Change::Expire => cache.expire(&key.id).await?,
                Change::Purge => cache.remove(&key.id).await?,
            }
            done += 1;
        }
        for uri in &what.uri {
            for responses in &responses {
                match change {
                    Change::Expire => responses.expire(uri).await?,
                    Change::Purge => responses.purge(uri).await?,
                }
            }
            done += 1;
        }
        // Tags belong to the whole store, whatever the kind.
        let any = of_kind(target.store.clone(), Kind::evictable("larder-cli"), 0, 0)?;
        let [responses, ..] = &responses;
        for tag in &what.tag {
            match change {
                Change::Expire => {
                    any.expire_tag(tag).await?;
                    responses.expire_tag(tag).await?;
                }
                Change::Purge => {
                    any.remove_tag(tag).await?;
                    responses.purge_tag(tag).await?;
                }
            }
            done += 1;
        }
        Ok::<_, Error>(())
    };
    let changed = changed.await;
    changed.map_err(|error| error.after(done, "targets were changed"))?;
    let uncounted: Vec<_> = what.uri.iter().chain(&what.tag).collect();
    let changed = keys.len() - absent.len() - unreadable.len();
    if output.is_json() {
        output.json(&json!({
            "done": changed + uncounted.len(),
            "absent": absent,
            "unreadable": unreadable,
            "uncounted": uncounted,
        }))?;
    } else {
        if !keys.is_empty() {
            output.line(&of(changed as u64, "value changed", "values changed"))?;
        }
        for key in &absent {
            output.line(&format!("nothing was there: {}", escape(key)))?;
        }
        for key in &unreadable {
            output.line(&format!("unreadable, and not changed: {}", escape(key)))?;
        }
        if !unreadable.is_empty() {
            output.line(UNREADABLE)?;
        }
        if !uncounted.is_empty() {
            let uris = of(what.uri.len() as u64, "URI", "URIs");
            let tags = of(what.tag.len() as u64, "tag", "tags");
            output.line(&format!(
                "{uris} and {tags} changed; their values and responses are not counted"
            ))?;
        }
    }
    Ok(if absent.is_empty() && unreadable.is_empty() {
        DONE
    } else {
        NOT_DONE
    })
}

/// Describes the targets of a change.
fn described(values: usize, uris: usize, tags: usize) -> String {
    let counted = [
        (values, "value", "values"),
        (
            uris,
            "URI with all its responses",
            "URIs with all their responses",
        ),
        (
            tags,
            "tag with everything that carries it",
            "tags with everything that carries them",
        ),
    ];
    let named = counted.iter().filter(|(count, ..)| *count > 0);
    let named: Vec<_> = named
        .map(|(count, one, many)| of(*count as u64, one, many))
        .collect();
    named.join(", ")
}

/// Returns the purgers that purge and explain responses, one for each profile that the app may have
/// chosen.
///
/// Two profiles share no response. Tags belong to both.
pub(super) fn responses(target: &Target) -> Result<[Purger; 2]> {
    let purger = |profile| -> Result<Purger> {
        let builder = ResponseCacheLayer::builder(target.store.clone())
            .with_profile(profile)
            .with_store_timeout(LAYER_PATIENCE);
        Ok(builder.build()?.purger())
    };
    Ok([purger(Profile::Safe)?, purger(Profile::Rfc)?])
}
