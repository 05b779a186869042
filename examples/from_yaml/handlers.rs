//! What the templates can name. Three take a configuration; one is no typed handler but a value, put in by hand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use serde_json::json;
use tasker::prelude::*;
use tasker::{DynHandler, handler_fn};

/// All of them.
pub(crate) fn handlers() -> Handlers {
    let mut handlers = Handlers::new()
        .with::<ValidateCart>()
        .with::<ProcessPayment>()
        .with::<UpdateInventory>()
        .with::<CreateOrder>();
    handlers.insert("send_confirmation", mail());
    handlers
}

/// Items left, by product: ten of each at first.
#[derive(Default)]
pub(crate) struct Stock {
    /// Held for a look and a change.
    taken: Mutex<BTreeMap<u64, u64>>,
}

const IN_STOCK: u64 = 10;

#[derive(Deserialize)]
struct Lines {
    cart_items: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    product_id: u64,
    quantity: u64,
}

#[derive(Deserialize)]
struct Payment {
    payment_info: PaymentInfo,
}

#[derive(Deserialize)]
struct PaymentInfo {
    amount_cents: u64,
    token: String,
    currency: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Cart {
    pub(crate) items: u64,
    pub(crate) total_cents: u64,
}

#[derive(Serialize, Deserialize)]
struct Receipt {
    payment_id: String,
    charged: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) order_number: String,
}

/// Its fields are the step's `handler_config`.
#[derive(Serialize, Deserialize)]
struct ValidateCart {
    tax_percent: u64,
    catalogue: Vec<Product>,
}

#[derive(Serialize, Deserialize)]
struct Product {
    product_id: u64,
    name: String,
    cents: u64,
}

#[step]
impl ValidateCart {
    async fn process(&self, Part(lines): Part<Lines>) -> StepResult<Cart> {
        let mut subtotal = 0;
        for line in &lines.cart_items {
            let product = self.catalogue.iter().find(|product| product.product_id == line.product_id);
            let product = product.ok_or_else(|| {
                StepError::permanent(format!("there is no product {}", line.product_id))
                    .code("PRODUCT_NOT_FOUND")
            })?;
            subtotal += product.cents * line.quantity;
        }
        let items = lines.cart_items.iter().map(|line| line.quantity).sum();
        let tax = (subtotal * self.tax_percent + 50) / 100;
        Ok(Cart { items, total_cents: subtotal + tax + shipping_cents(items) })
    }
}

/// By weight, at half a pound an item.
const fn shipping_cents(items: u64) -> u64 {
    match items {
        0..=4 => 599,
        5..=20 => 999,
        _ => 1499,
    }
}

#[derive(Serialize, Deserialize)]
struct ProcessPayment {
    gateway: String,
    /// A card that it declines.
    #[serde(default)]
    declines: String,
}

#[step]
impl ProcessPayment {
    async fn process(
        &self,
        Part(Payment { payment_info }): Part<Payment>,
        cart: Output<ValidateCart>,
        call: &Call,
    ) -> StepResult<Receipt> {
        let PaymentInfo { amount_cents, token, currency } = payment_info;
        if token == self.declines {
            return Err(StepError::permanent("the card was declined").code("PAYMENT_DECLINED"));
        }
        if amount_cents != cart.total_cents {
            let text = format!("{amount_cents} cents are offered, the cart costs {}", cart.total_cents);
            return Err(StepError::permanent(text).code("PAYMENT_AMOUNT_MISMATCH"));
        }
        if call.attempt() == 1 {
            return Err(StepError::retryable(format!("{} does not answer", self.gateway)));
        }
        Ok(Receipt {
            payment_id: call.idempotency_key(),
            charged: format!("{amount_cents} {currency} cents"),
        })
    }
}

/// Takes the items off the shelf.
#[step]
async fn update_inventory(Part(lines): Part<Lines>, stock: State<Stock>) -> StepResult<u64> {
    let mut taken = stock.taken.lock().expect("nothing panics while it takes items");
    for line in &lines.cart_items {
        let taken = taken.entry(line.product_id).or_default();
        if *taken + line.quantity > IN_STOCK {
            return Err(format!("of product {} only {} are left", line.product_id, IN_STOCK - *taken).into());
        }
        *taken += line.quantity;
    }
    Ok(lines.cart_items.iter().map(|line| line.quantity).sum())
}

#[derive(Serialize, Deserialize)]
struct CreateOrder {
    #[serde(default = "order")]
    prefix: String,
}

fn order() -> String {
    "ORDER".to_owned()
}

#[step]
impl CreateOrder {
    async fn process(&self, receipt: Output<ProcessPayment>) -> StepResult<Order> {
        Ok(Order { order_number: format!("{}-{}", self.prefix, receipt.payment_id) })
    }
}

/// No typed handler: it takes whatever its step waited for.
fn mail() -> Arc<dyn DynHandler> {
    Arc::new(handler_fn(|call: Call| async move {
        let order: Option<Order> = call.output("create_order")?;
        let number = order.map_or_else(|| "?".to_owned(), |order| order.order_number);
        Ok(
            json!({ "to": call.raw_context()["customer_info"]["email"], "subject": format!("Your order {number}") }),
        )
    }))
}
