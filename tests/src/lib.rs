//! Tests over the whole workspace live in `tests/it`. Here are the programs of the pages, compiled.

/// The front page.
#[doc = include_str!("../../README.md")]
pub struct FrontPage;

/// The page about sessions.
#[doc = include_str!("../../docs/sessions.md")]
pub struct SessionsPage;

/// The page about the queue.
#[doc = include_str!("../../docs/queue.md")]
pub struct QueuePage;

/// The page about rate limits.
#[doc = include_str!("../../docs/rate-limits.md")]
pub struct RateLimitsPage;

/// The page about the response cache.
#[doc = include_str!("../../docs/response-cache.md")]
pub struct ResponseCachePage;

/// The page about the typed cache.
#[doc = include_str!("../../docs/caching.md")]
pub struct CachingPage;

/// The page about events.
#[doc = include_str!("../../docs/events.md")]
pub struct EventsPage;

/// The page about structures.
#[doc = include_str!("../../docs/structures.md")]
pub struct StructuresPage;

/// The page about adding a backend.
#[doc = include_str!("../../docs/adding-a-backend.md")]
pub struct BackendPage;

/// The page about adding a layer.
#[doc = include_str!("../../docs/adding-a-layer.md")]
pub struct LayerPage;

/// The cookbook.
#[doc = include_str!("../../docs/patterns.md")]
pub struct PatternsPage;

/// Moving from tower_governor.
#[doc = include_str!("../../docs/migrate/tower_governor.md")]
pub struct FromTowerGovernorPage;

/// Moving from moka.
#[doc = include_str!("../../docs/migrate/moka.md")]
pub struct FromMokaPage;

/// Moving from cached.
#[doc = include_str!("../../docs/migrate/cached.md")]
pub struct FromCachedPage;

/// Moving from axum-response-cache.
#[doc = include_str!("../../docs/migrate/axum-response-cache.md")]
pub struct FromAxumResponseCachePage;

/// Moving from bb8-redis.
#[doc = include_str!("../../docs/migrate/bb8-redis.md")]
pub struct FromBb8RedisPage;

/// Moving from apalis.
#[doc = include_str!("../../docs/migrate/apalis.md")]
pub struct FromApalisPage;

/// The page about running Redis.
#[doc = include_str!("../../docs/running-redis.md")]
pub struct RunningRedisPage;

/// The page about operations.
#[doc = include_str!("../../docs/operations.md")]
pub struct OperationsPage;

/// The page about the doctor.
#[doc = include_str!("../../docs/doctor.md")]
pub struct DoctorPage;

/// The questions.
#[doc = include_str!("../../docs/faq.md")]
pub struct QuestionsPage;
