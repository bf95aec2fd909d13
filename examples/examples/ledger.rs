//! A ledger: vouchers that are charged once, however often the request is sent.
//!
//! `STORE_URL` is optional.
//!
//! ```text
//! $ cargo run -p larder-examples --example ledger
//! ada gets 20: Done
//! ada pays 12: Done
//! the same request again: Duplicate(Done)
//! ada pays 12 more: Insufficient
//! a table for 8 is held: Done
//! ada has 0, the cinema has 12, all together 20
//! the table is given back: Done
//! ada has 8, the cinema has 12, all together 20
//! ```

use std::env::var;
use std::io::Write;

use larder::{Result, Ttl};
use larder_structures::ledger::{Ledger, Transfer};

async fn sums(ledger: &Ledger) -> Result<String> {
    let balances = ledger.balances("eur", &["ada", "cinema"]).await?;
    let total = ledger.total("eur").await?;
    Ok(format!(
        "ada has {}, the cinema has {}, all together {total}",
        balances[0], balances[1]
    ))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = larder::connect(&var("STORE_URL").unwrap_or("memory://".to_owned())).await?;
    let ledger = Ledger::new(store, "vouchers", Ttl::from_secs(365 * 86_400))?;
    let mut out = std::io::stdout();

    let credited = ledger.credit("eur", "gift-1", "ada", 20).await?;
    writeln!(out, "ada gets 20: {credited:?}")?;
    let pay = |id| Transfer {
        id,
        from: "ada",
        to: "cinema",
        amount: 12,
    };
    let paid = ledger.transfer("eur", pay("order-1")).await?;
    writeln!(out, "ada pays 12: {paid:?}")?;
    // As after a lost reply: the id identifies the request.
    let paid = ledger.transfer("eur", pay("order-1")).await?;
    writeln!(out, "the same request again: {paid:?}")?;
    let paid = ledger.transfer("eur", pay("order-2")).await?;
    writeln!(out, "ada pays 12 more: {paid:?}")?;

    let held = ledger.hold("eur", "table-1", "ada", 8).await?;
    writeln!(out, "a table for 8 is held: {held:?}")?;
    writeln!(out, "{}", sums(&ledger).await?)?;
    let released = ledger.release("eur", "table-1").await?;
    writeln!(out, "the table is given back: {released:?}")?;
    writeln!(out, "{}", sums(&ledger).await?)?;
    Ok(())
}
