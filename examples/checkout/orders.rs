//! The orders file: one order a line, in JSON.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tasker::Timestamp;
use tasker::payload::{Limits, check};

/// What an order may be at most: far more than any has, and far less than can be stored.
const LIMITS: Limits = Limits { bytes: 64 << 10, depth: 8 };

/// What a customer sent: the context of the workflow.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) placed_at: Timestamp,
    pub(crate) customer: Customer,
    pub(crate) ship_to: Address,
    pub(crate) card: Card,
    pub(crate) items: Vec<Item>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gift_note: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Customer {
    pub(crate) name: String,
    pub(crate) email: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Address {
    pub(crate) town: String,
    pub(crate) country: String,
}

/// What a shop may know of a card.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Card {
    pub(crate) brand: String,
    pub(crate) last_digits: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Item {
    pub(crate) product: String,
    pub(crate) quantity: u32,
}

/// A line that is no order, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) line: usize,
    why: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

/// The orders of a file, in their order, and the lines that are none. Blank lines are passed over.
pub(crate) fn parse(file: &[u8]) -> (Vec<Order>, Vec<Malformed>) {
    let (mut orders, mut malformed) = (vec![], vec![]);
    let mut lines = HashMap::new();
    for (text, line) in file.split(|byte| *byte == b'\n').zip(1..) {
        if text.trim_ascii().is_empty() {
            continue;
        }
        match order(text) {
            Ok(order) => match lines.get(&order.id) {
                None => {
                    lines.insert(order.id.clone(), line);
                    orders.push(order);
                }
                Some(first) => {
                    let why = format!("order `{}` stands in line {first} already", order.id);
                    malformed.push(Malformed { line, why });
                }
            },
            Err(why) => malformed.push(Malformed { line, why }),
        }
    }
    (orders, malformed)
}

/// So many of them: from the second round on each has another number.
pub(crate) fn repeated(orders: Vec<Order>, count: Option<usize>) -> Vec<Order> {
    let Some(count) = count else { return orders };
    let rounds = (1..).flat_map(|round: usize| orders.iter().map(move |order| (round, order)));
    let again = |(round, order): (usize, &Order)| match round {
        1 => order.clone(),
        _ => Order { id: format!("{}-{round}", order.id), ..order.clone() },
    };
    if orders.is_empty() { vec![] } else { rounds.take(count).map(again).collect() }
}

fn order(text: &[u8]) -> Result<Order, String> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let order: Order = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let why = in_its_line(error.inner());
        match error.path().to_string() {
            path if path == "." || path == "?" => why,
            path => format!("`{path}`: {why}"),
        }
    })?;
    json.end().map_err(|error| in_its_line(&error))?;
    if order.id.is_empty() || order.id.len() > 64 || order.id.contains(char::is_control) {
        return Err("`id`: 1 to 64 bytes of plain text are allowed".to_owned());
    }
    // One that cannot be stored would keep all that are started with it from being stored.
    check(&json!(order), &LIMITS).map_err(|error| error.to_string())?;
    Ok(order)
}

/// The line that serde counts is always the first one.
fn in_its_line(error: &serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column ", " at column ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"id":"A","placed_at":"2026-03-02T06:00:00Z","customer":{"name":"Ada","email":"ada@example.org"},"ship_to":{"town":"Graz","country":"AT"},"card":{"brand":"visa","last_digits":"1234"},"items":[]}"#;

    #[test]
    fn a_line_that_is_no_order_is_told_with_its_number_and_the_place_in_it() {
        let text = [
            GOOD,
            "",
            "{\"id\":",
            &GOOD.replace("[]", r#"[{"product":"TEA","quantity":-1}]"#),
            GOOD,
            &GOOD.replace(r#""A""#, r#""B""#),
            &(GOOD.replace(r#""A""#, r#""C""#) + " {}"),
            &GOOD.replace(r#""A""#, r#""""#),
            &GOOD.replace(r#""A""#, r#""D""#).replace("Graz", r"Gr\u0000z"),
            &GOOD.replace(r#""A""#, r#""E""#).replace("Graz", &"a".repeat(70_000)),
        ];
        let mut file = text.join("\r\n").into_bytes();
        file.extend(b"\n\xff\n");
        let (orders, malformed) = parse(&file);
        assert_eq!(orders.iter().map(|order| &*order.id).collect::<Vec<_>>(), ["A", "B"]);
        let lines: Vec<_> = malformed.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "line 3: `id`: EOF while parsing a value at column 7",
                "line 4: `items[0].quantity`: invalid value: integer `-1`, expected u32 at column 222",
                "line 5: order `A` stands in line 1 already",
                "line 7: trailing characters at column 196",
                "line 8: `id`: 1 to 64 bytes of plain text are allowed",
                "line 9: the text at `/ship_to/town` contains U+0000, which PostgreSQL cannot store",
                "line 10: the value has 70197 bytes of JSON, at most 65536 are allowed",
                "line 11: expected value at column 1",
            ]
        );
    }

    #[test]
    fn orders_over_and_over_have_numbers_of_their_own() {
        let (orders, _) = parse((GOOD.to_owned() + "\n" + &GOOD.replace(r#""A""#, r#""B""#)).as_bytes());
        let ids = |count| -> Vec<String> {
            repeated(orders.clone(), count).into_iter().map(|order| order.id).collect()
        };
        assert_eq!(ids(None), ["A", "B"]);
        assert_eq!(ids(Some(5)), ["A", "B", "A-2", "B-2", "A-3"]);
        assert_eq!(ids(Some(1)), ["A"]);
        assert!(repeated(vec![], Some(3)).is_empty());
    }
}
