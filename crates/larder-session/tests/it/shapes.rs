//! What a field keeps: a shape of serde's either reads back as it was written, or its write is
//! refused. `docs/sessions.md` has the table.

use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::{COOKIE, SET_COOKIE};
use http::{Request, Response};
use http_body_util::Full;
use larder_session::{Result, Session, SessionErrorKind, SessionKey, SessionLayer};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{World, on_both_stores};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Internal {
    SeenFrom { address: IpAddr },
    Gone,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type")]
enum InternalWide {
    Wide { wide: u128 },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", content = "value")]
enum Adjacent {
    SeenFrom(IpAddr),
    Pair(u8, u8),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum External {
    Unit,
    Tuple(u8, String),
    SeenFrom { address: IpAddr },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Address(IpAddr),
    Number(i64),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Overlapping {
    Narrow(u8),
    Wide(u16),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Flat {
    id: u32,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Rest {
    address: IpAddr,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Forgetful {
    #[serde(skip_deserializing)]
    n: u8,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Nested(Vec<Nested>);

impl Nested {
    fn of_depth(depth: usize) -> Self {
        (1..depth).fold(Self(vec![]), |nested, _| Self(vec![nested]))
    }
}

on_both_stores! { Manual;
    async fn each_shape_reads_back_as_it_was_written_or_is_refused_as_the_docs_say(world: World) {
        let address = IpAddr::from([192, 0, 2, 7]);
        let numbers = BTreeMap::from([(1_u32, "one".to_owned()), (70_000, "many".to_owned())]);
        let set: HashSet<u32> = (0..100).collect();
        let world = &world;
        let rows = [
            row(world, "struct, tuple, list, text", (Rest { address }, vec![1], "a".to_owned())).await,
            row(world, "integers in a list", vec![i64::MIN, -1, i64::MAX]).await,
            row(world, "integer", 1_u64 << 53).await,
            row(world, "integer past 2^53", u64::MAX).await,
            row(world, "`u128`, `i128`", (u128::MAX, i128::MIN)).await,
            row(world, "floats in a tuple, infinity, NaN", (0.1_f32, -0.0_f64, f64::INFINITY, f64::NAN)).await,
            row(world, "float", 5.0_f64).await,
            row(world, "option", (None::<u8>, Some(1_u8))).await,
            row(world, "option in an option", Some(None::<u8>)).await,
            row(world, "unit in an option", Some(())).await,
            row(world, "`Duration`, `Result`", (Duration::new(7, 1), Ok::<u8, String>(1))).await,
            row(world, "type with two forms, such as `IpAddr`", address).await,
            row(world, "map with numbers as keys", numbers).await,
            row(world, "externally tagged enum", External::Unit).await,
            row(world, "externally tagged enums in a list", vec![
                External::Tuple(1, "a".to_owned()),
                External::SeenFrom { address },
            ]).await,
            row(world, "internally tagged enum", vec![
                Internal::SeenFrom { address },
                Internal::Gone,
            ]).await,
            row(world, "internally tagged, `u128` past 64 bits", InternalWide::Wide { wide: u128::MAX })
                .await,
            row(world, "adjacently tagged enum", vec![
                Adjacent::SeenFrom(address),
                Adjacent::Pair(1, 2),
            ]).await,
            row(world, "untagged enum", vec![Untagged::Address(address), Untagged::Number(-7)]).await,
            row(world, "untagged, where an earlier variant fits too", Overlapping::Wide(5)).await,
            row(world, "flattened struct", Flat { id: 7, rest: Rest { address } }).await,
            row(world, "field that is written and not read", Forgetful { n: 1 }).await,
            row(world, "nested 60 deep", Nested::of_depth(60)).await,
            row(world, "nested 400 deep", Nested::of_depth(400)).await,
        ];
        let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sessions.md");
        let docs = std::fs::read_to_string(docs).unwrap();
        let missing: Vec<_> = rows.iter().filter(|row| !docs.contains(*row)).collect();
        assert!(missing.is_empty(), "not in docs/sessions.md: {missing:#?}");
        assert!(rows.iter().any(|row| row.contains("refused")));
        // Their order is another one each time.
        write_and_read(world, set.clone()).await.1.unwrap().unwrap();
    }

    async fn an_update_to_a_value_that_does_not_read_back_is_refused(world: World) {
        let key = SessionKey::<Forgetful>::new("shape");
        let (_, updated) = request(&world, None, move |session| async move {
            session.update(key, |_| Forgetful { n: 1 }).await
        }).await;
        assert_eq!(updated.unwrap_err().kind(), SessionErrorKind::Invalid);
    }
}

/// The line of the table in the docs.
async fn row<V>(world: &World, shape: &str, value: V) -> String
where
    V: Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let (written, read) = write_and_read(world, value.clone()).await;
    match written {
        Ok(()) => {
            // By their text, so that NaN is itself.
            let read = format!("{:?}", read.unwrap().unwrap());
            assert_eq!(read, format!("{value:?}"), "{shape}");
            format!("| {shape} | kept |")
        }
        Err(error) => {
            assert!(read.unwrap().is_none(), "{shape}");
            assert_eq!(error.kind(), SessionErrorKind::Invalid);
            let text = error.to_string();
            assert!(text.contains("change its shape"), "{text}");
            assert!(text.contains(std::any::type_name::<V>()), "{text}");
            format!("| {shape} | refused |")
        }
    }
}

/// Writes a value in one request and reads it in the next.
async fn write_and_read<V>(world: &World, value: V) -> (Result<()>, Result<Option<V>>)
where
    V: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let key = SessionKey::<V>::new("shape");
    let (cookie, written) = request(world, None, move |session| {
        let value = value.clone();
        async move { session.insert(key, &value).await }
    })
    .await;
    let (_, read) = request(world, cookie, move |session| async move {
        session.get(key).await
    })
    .await;
    (written, read)
}

/// Sends one request, and returns the browser's cookie after it and what the handler returned.
async fn request<T, F>(
    world: &World,
    cookie: Option<String>,
    handler: impl Fn(Session) -> F + Clone + Send + 'static,
) -> (Option<String>, T)
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let returned = Arc::new(Mutex::new(None));
    let slot = returned.clone();
    let page = service_fn(move |request: Request<()>| {
        let (handler, slot) = (handler.clone(), slot.clone());
        async move {
            let session = Session::from_extensions(request.extensions()).unwrap();
            let value = handler(session).await;
            *slot.lock().unwrap() = Some(value);
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }
    });
    let layer = SessionLayer::new(world.sessions());
    let sent = Request::builder().header(COOKIE, cookie.clone().unwrap_or_default());
    let response = layer.layer(page).oneshot(sent.body(()).unwrap());
    let response = response.await.unwrap();
    let set = response.headers().get(SET_COOKIE);
    let set = set.map(|set| set.to_str().unwrap().split(';').next().unwrap().to_owned());
    let returned = returned.lock().unwrap().take();
    (set.or(cookie), returned.unwrap())
}
