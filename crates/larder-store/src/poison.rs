use crate::Kind;

/// Counts stored bytes that could not be read, which the caller treats as a miss.
///
/// The counter is `larder_poisoned_total`, by the kind of the key. It stays at zero unless someone
/// else writes into the store, or two versions of an app disagree.
pub fn count_poisoned(kind: Kind) {
    metrics::counter!("larder_poisoned_total", "kind" => kind.name()).increment(1);
}
