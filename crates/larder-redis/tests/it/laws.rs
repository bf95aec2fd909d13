use larder_test::{RealTimeFixture, laws};

use crate::support::{server, store};

/// Makes a store on its own server.
async fn fixture() -> RealTimeFixture {
    let server = server();
    RealTimeFixture::new(store(&server).await).keeping(server)
}

laws!(redis, fixture().await);
