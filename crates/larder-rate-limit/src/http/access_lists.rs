use crate::key::{ClientAddress, NetworkList, RequestHead};

/// Networks whose requests pass uncounted, and networks whose requests are refused.
///
/// A network on both lists is allowed. A request whose address is not found is on neither list. Neither
/// list calls the store.
///
/// Behind a proxy the address must be that of the client: a proxy's own address on a list would allow or
/// deny everybody.
///
/// ```
/// use larder_rate_limit::{AccessLists, ClientAddress, NetworkList};
/// # fn layer(layer: larder_rate_limit::RateLimitLayer) -> larder_store::Result<()> {
///
/// let banned = NetworkList::default();
/// let lists = AccessLists::new(ClientAddress::peer())
///     .with_allowed("192.0.2.0/24".parse()?)
///     .with_denied(banned.clone());
/// let layer = layer.with_access_lists(lists);
/// // Later, in a task that reads a feed:
/// banned.replace(["198.51.100.0/24".parse().unwrap()]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct AccessLists {
    client: ClientAddress,
    allowed: NetworkList,
    denied: NetworkList,
}

/// The list that a request is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    Allowed,
    Denied,
}

impl AccessLists {
    /// Looks clients up by the address that `client` finds. Both lists are empty.
    pub fn new(client: ClientAddress) -> Self {
        Self {
            client,
            allowed: NetworkList::default(),
            denied: NetworkList::default(),
        }
    }

    /// Lets requests from these networks pass, uncounted.
    #[must_use]
    pub fn with_allowed(mut self, allowed: NetworkList) -> Self {
        self.allowed = allowed;
        self
    }

    /// Refuses requests from these networks with 403.
    #[must_use]
    pub fn with_denied(mut self, denied: NetworkList) -> Self {
        self.denied = denied;
        self
    }

    pub(super) fn find(&self, request: RequestHead<'_>) -> Option<Listed> {
        let client = self.client.find_in(request)?;
        if self.allowed.contains(client) {
            return Some(Listed::Allowed);
        }
        self.denied.contains(client).then_some(Listed::Denied)
    }
}
