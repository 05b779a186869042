//! The workflow: what is done for an order, and what waits for what.
//!
//! ```text
//! validate ─┬─▶ price ───┬─▶ charge ──▶ ship ──▶ notify
//!           └─▶ reserve ─┘
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

use crate::errors::{Refusal, Unavailable, Unpaid};
use crate::orders::{Address, Customer, Order};
use crate::shop::{Catalogue, Courier, Gateway, Stock};

/// What is wanted, by product.
type Cart = BTreeMap<String, u32>;

/// An empty cart, a product that nobody sells, a quantity that nobody means: no attempt will change them.
#[step]
async fn validate(order: Context<Order>, catalogue: State<Catalogue>) -> Result<Cart, Refusal> {
    let mut cart = Cart::new();
    for item in &order.items {
        catalogue.find(&item.product)?;
        if !(1..=99).contains(&item.quantity) {
            return Err(Refusal::BadQuantity { product: item.product.clone(), quantity: item.quantity });
        }
        *cart.entry(item.product.clone()).or_default() += item.quantity;
    }
    if cart.is_empty() { Err(Refusal::EmptyCart) } else { Ok(cart) }
}

/// Prices a cart. Its fields are the step's configuration, which the workflow gives.
#[derive(Serialize, Deserialize)]
struct Price {
    shipping_cents: u64,
    free_shipping_from_cents: u64,
}

#[step]
impl Price {
    async fn process(&self, cart: Output<Validate>, catalogue: State<Catalogue>) -> Result<Quote, Refusal> {
        let mut goods_cents = 0;
        for (product, quantity) in &*cart {
            let (_, cents) = catalogue.find(product)?;
            goods_cents += cents * u64::from(*quantity);
        }
        let is_free = goods_cents >= self.free_shipping_from_cents;
        let shipping_cents = if is_free { 0 } else { self.shipping_cents };
        Ok(Quote { goods_cents, shipping_cents })
    }
}

#[derive(Serialize, Deserialize)]
struct Quote {
    goods_cents: u64,
    shipping_cents: u64,
}

/// Puts aside what is wanted, while it is priced.
#[step]
async fn reserve(cart: Output<Validate>, stock: State<Stock>) -> Result<u32, Refusal> {
    stock.reserve(&cart)?;
    Ok(cart.values().sum())
}

/// Nobody pays for what is not there: waits for the reservation, too. A declined card is final; a gateway that does not
/// answer is tried again after some milliseconds.
#[step(retry_limit = 3)]
async fn charge(
    order: Context<Order>,
    quote: Output<Price>,
    _reserved: Output<Reserve>,
    gateway: State<Gateway>,
    call: Call,
) -> Result<Payment, Unpaid> {
    let number = gateway.charge(&order.card, &order.id, call.attempt()).await?;
    Ok(Payment { number, cents: quote.goods_cents + quote.shipping_cents })
}

#[derive(Serialize, Deserialize)]
struct Payment {
    number: String,
    cents: u64,
}

/// Has the parcel fetched, which is worth a few attempts more: it is paid for.
#[step(retry_limit = 6)]
async fn ship(
    order: Context<Order>,
    paid: Output<Charge>,
    courier: State<Courier>,
    call: Call,
) -> Result<Parcel, Unavailable> {
    let tracking = courier.fetch(&order.id, call.attempt()).await?;
    let Address { town, country } = &order.ship_to;
    Ok(Parcel { to: format!("{town}, {country}"), tracking, payment: paid.number.clone() })
}

#[derive(Serialize, Deserialize)]
struct Parcel {
    to: String,
    tracking: String,
    payment: String,
}

/// Writes to the customer.
#[step]
async fn notify(order: Context<Order>, paid: Output<Charge>, parcel: Output<Ship>) -> StepResult<String> {
    let Customer { name, email } = &order.customer;
    let (euros, cents) = (paid.cents / 100, paid.cents % 100);
    let Parcel { to, tracking, .. } = &*parcel;
    let wrapped = if order.gift_note.is_some() { ", wrapped as a gift" } else { "" };
    Ok(format!(
        "To {email}: Dear {name}, your order {} of EUR {euros}.{cents:02} is on its way to {to}{wrapped}: {tracking}",
        order.id
    ))
}

/// The whole of it, checked by the compiler: who takes an output that nobody here yields does not compile.
#[derive(Workflow)]
#[workflow(
    namespace = "shop",
    name = "checkout",
    version = "1.0.0",
    description = "From a cart to a parcel on its way",
    context = Order,
    steps(
        Validate,
        Price { shipping_cents: 490, free_shipping_from_cents: 5_000 },
        Reserve,
        Charge,
        Ship,
        Notify,
    )
)]
pub(crate) struct Checkout;
