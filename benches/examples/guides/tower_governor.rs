use std::{net::SocketAddr, time::Duration};

use axum::{Router, routing::get};
use tower_governor::GovernorLayer;
use tower_governor::governor::GovernorConfigBuilder;

async fn hello() -> &'static str {
    "Hello world"
}

async fn serve(listener: tokio::net::TcpListener) -> Result<(), Box<dyn std::error::Error>> {
    let config = GovernorConfigBuilder::default()
        .per_second(2)
        .burst_size(5)
        .finish();
    let config = config.ok_or("a burst or a period of zero")?;
    let limiter = config.limiter().clone();
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_secs(60));
            limiter.retain_recent();
        }
    });
    let app = Router::new()
        .route("/", get(hello))
        .layer(GovernorLayer::new(config));
    Ok(axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .await?)
}
