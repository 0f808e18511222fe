//! skeleton
use counterfoil::*;
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "/tmp/skel.ledger".into());
    let ledger = Ledger::options().create_if_missing(true).pricing_file("config/pricing.toml").open(&path)?;
    let me = AccountId::new("local-user")?;
    let r = ledger.recharge(&me, &Key::new("order:1")?, Recharge::new(Points::new(320)?, "wxpay"))?;
    println!("{}", serde_json::to_string(&r)?);
    let quote = ledger.estimate("tts", &Usage::chars(1200))?;
    println!("{}", serde_json::to_string(&quote)?);
    let h = ledger.hold(&me, &Key::new("task:19")?, Hold::quoted(&quote, std::time::Duration::from_secs(3600)))?;
    println!("{}", serde_json::to_string(&h.receipt)?);
    let r = ledger.capture(&h.id, &Key::new("task:19")?, Usage::seconds("61.2")?)?;
    println!("{}", serde_json::to_string(&r)?);
    let r = ledger.consume(&me, &Key::new("x")?, Consume::points(Points::new(400)?))?;
    println!("{}", serde_json::to_string(&r)?);
    println!("{}", serde_json::to_string(&ledger.balance(&me)?)?);
    for e in ledger.history(&me, &HistoryQuery::new())?.items { println!("{}", serde_json::to_string(&e)?); }
    println!("{}", serde_json::to_string(&ledger.verify()?)?);
    ledger.close()?;
    Ok(())
}
