use larder_test::{RealTimeFixture, laws};

use crate::support::{server, store};

/// A store on a server of its own.
async fn fixture() -> RealTimeFixture {
    let server = server();
    RealTimeFixture::new(store(&server).await).keeping(server)
}

laws!(redis, fixture().await);
