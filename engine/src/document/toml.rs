//! TOML text to a tree of nodes.

use std::sync::Arc;

use serde_json::Number;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Data, Fault, Mistake, Node, Pair, Source};

/// Bytes of a file.
const LONGEST: usize = 4 << 20;

/// Reads a text. Whatever is no TOML is told, and the rest read.
pub(crate) fn parse(source: &Arc<Source>, text: &str, mistakes: &mut Vec<Mistake>) -> Option<Node> {
    if text.len() > LONGEST {
        let fault = Fault::TooLarge { what: "bytes", found: text.len(), max: LONGEST };
        mistakes.push(Mistake::new(&source.whole(), fault));
        return None;
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let at = source.at_byte(error.span().map_or(0, |span| span.start));
        mistakes.push(Mistake::new(&at, Fault::Syntax(error.message().trim().to_owned())));
    }
    let at = source.at(1, 1);
    Some(Node { at, data: table_data(source, table.get_ref(), mistakes) })
}

fn table_data(source: &Arc<Source>, table: &DeTable<'_>, mistakes: &mut Vec<Mistake>) -> Data {
    let pairs = table.iter().map(|(key, value)| Pair {
        key: key.get_ref().to_string(),
        at: source.at_byte(key.span().start),
        node: node(source, value, mistakes),
    });
    Data::Map(pairs.collect())
}

fn node(source: &Arc<Source>, value: &Spanned<DeValue<'_>>, mistakes: &mut Vec<Mistake>) -> Node {
    let at = source.at_byte(value.span().start);
    let data = match value.get_ref() {
        DeValue::Boolean(value) => Data::Bool(*value),
        DeValue::String(text) => Data::Text(text.to_string()),
        DeValue::Datetime(moment) => Data::Text(moment.to_string()),
        DeValue::Array(items) => Data::List(items.iter().map(|item| node(source, item, mistakes)).collect()),
        DeValue::Table(table) => table_data(source, table, mistakes),
        number => match self::number(number) {
            Some(number) => Data::Number(number),
            None => {
                mistakes.push(Mistake::new(&at, Fault::Syntax("JSON has no such number".to_owned())));
                Data::Null
            }
        },
    };
    Node { at, data }
}

fn number(value: &DeValue<'_>) -> Option<Number> {
    match value {
        DeValue::Integer(integer) => {
            let (digits, radix) = (integer.as_str(), integer.radix());
            let unsigned = u64::from_str_radix(digits, radix).map(Number::from);
            unsigned.or_else(|_| i64::from_str_radix(digits, radix).map(Number::from)).ok()
        }
        DeValue::Float(float) => float.as_str().parse().ok().and_then(Number::from_f64),
        _ => None,
    }
}
