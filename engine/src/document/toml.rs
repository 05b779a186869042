//! TOML text to a tree of nodes.

use std::sync::Arc;

use serde_json::Number;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::location::end_of;
use super::{Data, Fault, Location, Mistake, Node, Pair, Source};

/// Reads a text. Whatever is no TOML is told, and the rest read.
pub(crate) fn parse(source: &Arc<Source>, text: &str, mistakes: &mut Vec<Mistake>) -> Option<Node> {
    let places = Places::of(source, text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let at = places.at(error.span().map_or(0, |span| span.start));
        mistakes.push(Mistake::new(&at, Fault::Syntax(error.message().trim().to_owned())));
    }
    let at = source.at(1, 1);
    Some(Node { at, data: table_data(&places, table.get_ref(), mistakes) })
}

fn table_data(places: &Places<'_>, table: &DeTable<'_>, mistakes: &mut Vec<Mistake>) -> Data {
    let pairs = table.iter().map(|(key, value)| Pair {
        key: key.get_ref().to_string(),
        at: places.at(key.span().start),
        node: node(places, value, mistakes),
    });
    Data::Map(pairs.collect())
}

fn node(places: &Places<'_>, value: &Spanned<DeValue<'_>>, mistakes: &mut Vec<Mistake>) -> Node {
    let at = places.at(value.span().start);
    let data = match value.get_ref() {
        DeValue::Boolean(value) => Data::Bool(*value),
        DeValue::String(text) => Data::Text(text.to_string()),
        DeValue::Datetime(moment) => Data::Text(moment.to_string()),
        DeValue::Array(items) => Data::List(items.iter().map(|item| node(places, item, mistakes)).collect()),
        DeValue::Table(table) => table_data(places, table, mistakes),
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

/// Finds lines and columns by bytes, with a mark at every so many of them, so that a place costs no more than a look
/// around.
struct Places<'a> {
    source: &'a Arc<Source>,
    text: &'a str,
    /// The byte, the line and the column of each mark, ascending.
    marks: Vec<(usize, usize, usize)>,
}

impl<'a> Places<'a> {
    const APART: usize = 1024;

    fn of(source: &'a Arc<Source>, text: &'a str) -> Self {
        let mut places = Self { source, text, marks: vec![(0, 1, 1)] };
        for byte in (Self::APART..text.len()).step_by(Self::APART) {
            let byte = text.floor_char_boundary(byte);
            let (line, column) = places.line_and_column(byte);
            places.marks.push((byte, line, column));
        }
        places
    }

    fn at(&self, byte: usize) -> Location {
        let (line, column) = self.line_and_column(self.text.floor_char_boundary(byte));
        self.source.at(line, column)
    }

    fn line_and_column(&self, byte: usize) -> (usize, usize) {
        let after = self.marks.partition_point(|(mark, ..)| *mark <= byte);
        let (mark, line, column) = self.marks[after - 1];
        let (more, last) = end_of(&self.text[mark..byte]);
        (line + more - 1, if more == 1 { column + last - 1 } else { last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_text_however_far_down_they_are() {
        let text = "é = 1\n\n".repeat(400) + "k = { a = 1, b = [2] } # é\n" + &"x = 'é'\n".repeat(300);
        let source = Source::file("t", &text, None);
        let places = Places::of(&source, &text);
        assert!(places.marks.len() > 3);
        for (byte, _) in text.char_indices() {
            let (line, column) = end_of(&text[..byte]);
            assert_eq!(places.at(byte), source.at(line, column), "{byte}");
        }
    }
}
