use std::sync::Arc;

use larder_store::Store;

use super::limits::Tenants;

/// A store of a comparison, and what lasts beside it as long as a sequence.
pub(super) struct Side {
    pub(super) store: Arc<dyn Store>,
    pub(super) tenants: Tenants,
}

impl Side {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        let tenants = Tenants::new(&store).expect("a store that runs programs");
        Self { store, tenants }
    }
}
