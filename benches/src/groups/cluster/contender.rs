use std::future::Future;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use larder_store::{Key, Kind, Put, Store, Ttl};
use larder_test::server::RedisCluster;
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::{AsyncCommands, ProtocolVersion, cmd};

use crate::load::store;

/// Keys spread over all slots, and so over all masters.
pub(super) static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    const FILM: Kind = Kind::evictable("film");
    (0..1_000_u32).map(|film| Key::new(FILM, film)).collect()
});
const TTL: Ttl = Ttl::from_secs(3600);
static VALUE: [u8; 100] = [7; 100];
/// As long as what a store writes: a version and then the value.
static VERSIONED: [u8; 116] = [7; 116];

/// One of two that do the same on the same servers.
pub(super) trait Contender: Clone + Send + 'static {
    fn get(&mut self, key: &Key) -> impl Future<Output = ()> + Send;
    fn set(&mut self, key: &Key) -> impl Future<Output = ()> + Send;
}

/// A store.
#[derive(Clone)]
pub(super) struct Ours(pub(super) Arc<dyn Store>);

impl Ours {
    /// Connects, and puts all values.
    pub(super) async fn connect(url: &str) -> Self {
        let mut ours = Self(store(url).await);
        for key in &*KEYS {
            ours.set(key).await;
        }
        ours
    }
}

impl Contender for Ours {
    async fn get(&mut self, key: &Key) {
        let entry = self.0.get(key).await.expect("Redis answers");
        assert!(entry.expect("a hit").value.len() >= VALUE.len());
    }

    async fn set(&mut self, key: &Key) {
        let put = Put::new(key.clone(), Bytes::from_static(&VALUE), TTL);
        assert!(self.0.put(&put).await.expect("Redis answers").is_stored());
    }
}

/// A connection of redis-rs.
#[derive(Clone)]
pub(super) struct Peer<C>(pub(super) C);

impl<C: AsyncCommands + Clone + Send + Sync + 'static> Contender for Peer<C> {
    async fn get(&mut self, key: &Key) {
        let value: Vec<u8> = self.0.get(key.as_bytes()).await.expect("Redis answers");
        assert_eq!(value.len(), VERSIONED.len());
    }

    async fn set(&mut self, key: &Key) {
        let mut set = cmd("SET");
        set.arg(key.as_bytes())
            .arg(&VERSIONED)
            .arg("PX")
            .arg(3_600_000);
        let () = set.query_async(&mut self.0).await.expect("Redis answers");
    }
}

/// The cluster client of redis-rs as it is, with the protocol and the socket option of ours.
pub(super) async fn cluster_client(cluster: &RedisCluster) -> ClusterConnection {
    let client = ClusterClientBuilder::new(cluster.urls())
        .use_protocol(ProtocolVersion::RESP3)
        .tcp_settings(TcpSettings::default().set_nodelay(true))
        .build()
        .expect("a client");
    client.get_async_connection().await.expect("a connection")
}
