#[derive(StepHandler)]
#[step(depends_on(PriceCart), optional(GiftWrap), state(Pool))]
struct ChargeCard {
    gateway: String,
}
