use apalis::prelude::{BoxDynError, Data, TaskSink, WorkerBuilder, WorkerBuilderExt};
use apalis_redis::RedisStorage;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Mail {
    booking: u64,
}

#[derive(Clone)]
struct Mailer;

async fn send(mail: Mail, _mailer: Data<Mailer>) -> Result<(), BoxDynError> {
    let _ = mail.booking; // the mail
    Ok(())
}

async fn run() -> Result<(), BoxDynError> {
    let connection = apalis_redis::connect("redis://127.0.0.1:6379").await?;
    let mut storage = RedisStorage::new(connection);
    storage.push(Mail { booking: 12 }).await?;
    let worker = WorkerBuilder::new("mailer")
        .backend(storage)
        .concurrency(16)
        .data(Mailer)
        .build(send);
    Ok(worker.run().await?)
}
