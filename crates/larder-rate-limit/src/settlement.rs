/// What becomes of a request's charge: for a handler to say among the extensions of its response.
///
/// It overrules the condition of a layer that [gives charges back](crate::RateLimitLayer::with_refunds);
/// other layers do not look at it. So a sign-in that answers every attempt with the same status has its
/// failed attempts counted alone. It is one word for all limits around the handler that give charges
/// back; to tell them apart, put a type of your own among the extensions, and look for it in
/// [`with_refund_if`](crate::RateLimitLayer::with_refund_if).
///
/// ```
/// use http::{Response, StatusCode, header::LOCATION};
/// use larder_rate_limit::Settlement;
///
/// fn answer(is_right: bool) -> http::Result<Response<()>> {
///     let (to, settlement) = match is_right {
///         true => ("/account", Settlement::Refund),
///         false => ("/sign-in", Settlement::Charge),
///     };
///     let response = Response::builder().status(StatusCode::SEE_OTHER).header(LOCATION, to);
///     response.extension(settlement).body(())
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Settlement {
    /// The charge stays.
    Charge,
    /// The charge is given back.
    Refund,
}
