// What the examples of the documentation begin with: a ledger in a folder of its own, and alice with 50 points.
{
    let folder = tempfile::tempdir()?;
    let options = counterfoil::Ledger::options().create_if_missing(true).pricing_file("config/pricing.toml");
    let ledger = options.open(folder.path().join("points.ledger"))?;
    let alice = counterfoil::AccountId::new("alice")?;
    let recharge = counterfoil::Recharge::new(counterfoil::Points::new(50)?, "wxpay");
    let bought = ledger.recharge(&alice, &counterfoil::Key::new("order:1")?, recharge)?;
    (folder, ledger, alice, bought)
}
