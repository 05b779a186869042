/// Charges the card.
#[step(retry_limit = 5, skippable)]
pub async fn charge_card(order: Context<Order>, cents: &Output<PriceCart>) -> StepResult<Receipt> {
    pay(&order.card, **cents).await
}
