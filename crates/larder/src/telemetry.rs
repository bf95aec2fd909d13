//! Metrics: descriptions for every recorder, and buckets for those that need them.

/// Describes each metric of larder with its unit, to the recorder that is installed.
///
/// Call it once, after the app's recorder is installed and before metrics are recorded. Layers describe
/// their own metrics when they are built; this also describes those that appear only with their first
/// event, such as failures, so that a dashboard finds them before anything fails.
///
/// ```
/// larder::describe_metrics();
/// ```
pub fn describe_metrics() {
    larder_store::describe_metrics();
    #[cfg(feature = "cache")]
    larder_cache::describe_metrics();
    #[cfg(feature = "events")]
    larder_events::describe_metrics();
    #[cfg(feature = "queue")]
    larder_queue::describe_metrics();
    #[cfg(feature = "rate-limit")]
    larder_rate_limit::describe_metrics();
    #[cfg(feature = "redis")]
    larder_redis::describe_metrics();
    #[cfg(feature = "response-cache")]
    larder_response_cache::describe_metrics();
    #[cfg(feature = "session")]
    larder_session::describe_metrics();
    #[cfg(feature = "structures")]
    larder_structures::describe_metrics();
}

/// From a near store to a database, in seconds.
const LOADS: &[f64] = &[
    0.000_25, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// From a handler that does little to a report, in seconds.
const JOBS: &[f64] = &[
    0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0,
];

/// From a number to a page, in bytes.
const VALUES: &[f64] = &[
    64.0,
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
];

/// Returns the upper bounds of buckets for each histogram of larder, by its name.
///
/// Without buckets, an exporter may render a histogram as a summary, and summaries of several processes cannot be
/// aggregated. With `metrics-exporter-prometheus`:
///
/// ```text
/// for (name, bounds) in larder::buckets() {
///     builder = builder.set_buckets_for_metric(Matcher::Full(name.to_string()), bounds)?;
/// }
/// ```
pub const fn buckets() -> &'static [(&'static str, &'static [f64])] {
    &[
        ("larder_cache_load_seconds", LOADS),
        ("larder_cache_value_bytes", VALUES),
        ("larder_lock_wait_seconds", JOBS),
        ("larder_queue_duration_seconds", JOBS),
        ("larder_queue_lateness_seconds", JOBS),
    ]
}
