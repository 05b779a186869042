//! The services of the shop, which steps share: catalogue, stock, payment gateway, courier.
//!
//! All that they answer depends on what they are asked and on the seed, never on who asked before: a run gives the same
//! results every time, wherever its tasks are kept and in whatever order its steps run.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::chance::Chance;
use crate::errors::{Refusal, Unavailable, Unpaid};
use crate::orders::Card;

/// A product, with how many of it one order may take: what it takes is put back overnight.
struct Product(&'static str, &'static str, u64, u32);

const PRODUCTS: [Product; 24] = [
    Product("BISCUIT-GINGER-150", "Ginger biscuits", 320, 50),
    Product("CADDY-OAK", "Oak tea caddy", 4_900, 0),
    Product("COCOA-PURE-200", "Pure cocoa", 690, 22),
    Product("COFFEE-DECAF-250", "Decaffeinated coffee", 940, 8),
    Product("COFFEE-HUILA-500", "Coffee, Huila", 1_650, 18),
    Product("COFFEE-SIDAMO-250", "Coffee, Sidamo", 1_090, 25),
    Product("CUP-STONEWARE-300", "Stoneware cup", 1_450, 24),
    Product("FILTER-PAPER-100", "Paper filters", 390, 80),
    Product("GIFTBOX-SMALL", "Gift box", 450, 40),
    Product("HONEY-LIME-350", "Lime blossom honey", 780, 16),
    Product("KETTLE-GOOSENECK", "Gooseneck kettle", 7_900, 3),
    Product("MILL-HAND", "Hand mill", 6_450, 4),
    Product("POT-GLASS-1200", "Glass tea pot", 3_200, 6),
    Product("POT-IRON-900", "Iron tea pot", 8_900, 2),
    Product("STRAINER-STEEL", "Steel strainer", 590, 35),
    Product("TEA-ASSAM-100", "Assam", 620, 14),
    Product("TEA-ASSAM-250", "Assam, large", 1_380, 12),
    Product("TEA-DARJEELING-100", "Darjeeling", 890, 9),
    Product("TEA-EARLGREY-20BAGS", "Earl Grey in bags", 410, 60),
    Product("TEA-MINT-50", "Mint", 350, 40),
    Product("TEA-ROOIBOS-250", "Rooibos", 980, 30),
    Product("TEA-SENCHA-100", "Sencha", 1_120, 20),
    Product("TIN-TEA-250", "Tea tin", 760, 15),
    Product("WHISK-BAMBOO", "Bamboo whisk", 1_690, 5),
];

fn product(id: &str) -> Result<&'static Product, Refusal> {
    let found = PRODUCTS.iter().find(|product| product.0 == id);
    found.ok_or_else(|| Refusal::UnknownProduct(id.to_owned()))
}

/// Knows what there is to buy.
pub(crate) struct Catalogue;

impl Catalogue {
    /// The title and the price of a product.
    pub(crate) fn find(&self, id: &str) -> Result<(&'static str, u64), Refusal> {
        product(id).map(|Product(_, title, cents, _)| (*title, *cents))
    }
}

/// Knows what is on the shelves.
pub(crate) struct Stock;

impl Stock {
    /// Puts all of it aside, or nothing.
    pub(crate) fn reserve(&self, wanted: &BTreeMap<String, u32>) -> Result<(), Refusal> {
        for (id, wanted) in wanted {
            let Product(_, title, _, there) = *product(id)?;
            if *wanted > there {
                return Err(Refusal::OutOfStock { title, wanted: *wanted, there });
            }
        }
        Ok(())
    }
}

/// Takes money from cards. One call in four gets no answer.
pub(crate) struct Gateway(pub(crate) Chance);

impl Gateway {
    /// Takes the money. Gives the number of the payment.
    pub(crate) async fn charge(&self, card: &Card, order: &str, attempt: u32) -> Result<String, Unpaid> {
        tokio::time::sleep(Duration::from_millis(2)).await;
        if self.0.happens(25, order, "charge", attempt) {
            return Err(Unpaid::Down(Unavailable { service: "payment gateway", attempt }));
        }
        let why = match &*card.last_digits {
            "0013" => "insufficient funds",
            "0027" => "it has expired",
            "0031" => "it was reported stolen",
            "0044" => "the limit of the month is reached",
            _ => return Ok(format!("PAY-{}", self.0.number(order, "charge"))),
        };
        Err(Unpaid::Declined { card: format!("{} …{}", card.brand, card.last_digits), why })
    }
}

/// Fetches parcels. One call in ten gets no answer.
pub(crate) struct Courier(pub(crate) Chance);

impl Courier {
    /// Has the parcel fetched. Gives its tracking number.
    pub(crate) async fn fetch(&self, order: &str, attempt: u32) -> Result<String, Unavailable> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        if self.0.happens(10, order, "ship", attempt) {
            return Err(Unavailable { service: "courier", attempt });
        }
        Ok(format!("PARCEL-{}", self.0.number(order, "ship")))
    }
}
