#[step(retries = 5)]
fn price_cart(order: &mut Context<Order>) -> StepResult<u64> {
    Ok(order.total)
}
