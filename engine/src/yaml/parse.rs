//! YAML text to a tree of nodes, within bounds: what a stranger sends costs no more than it is long, aliases included.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use granit_parser::{ErrorKind, Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::Number;

use crate::document::{Data, Fault, Location, Mistake, Node, Pair, Source};

/// How large a document may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YamlLimits {
    /// Bytes of the text; 4 MiB by default.
    pub bytes: usize,
    /// Maps and lists inside each other; 64 by default, at most 255.
    pub depth: usize,
    /// Values, aliases written out, and what an anchor names counted once more; 250 000 by default.
    pub values: usize,
}

impl Default for YamlLimits {
    fn default() -> Self {
        Self { bytes: 4 << 20, depth: 64, values: 250_000 }
    }
}

/// Reads the one document of a text. A mistake in a value does not hide the others; one in the syntax ends the reading.
pub(crate) fn parse(
    source: &Arc<Source>,
    text: &str,
    limits: YamlLimits,
    mistakes: &mut Vec<Mistake>,
) -> Option<Node> {
    // A little deeper than allowed, so that it is we who tell the limit.
    let depth = limits.depth.min(254) + 1;
    let options = granit_parser::options! {
        flow_nesting_limit: depth, block_nesting_limit: depth, emit_unresolved_aliases: true,
    };
    let events = Parser::new_from_str_with_options(text, options);
    let reader = Reader { source, limits, events, anchors: HashMap::new(), values: 0, mistakes };
    match reader.document() {
        Ok(node) => Some(node),
        Err(mistake) => {
            mistakes.push(*mistake);
            None
        }
    }
}

struct Reader<'a> {
    source: &'a Arc<Source>,
    limits: YamlLimits,
    events: Parser<'a, StrInput<'a>>,
    /// Finished nodes that an alias may name.
    anchors: HashMap<usize, Anchored>,
    values: usize,
    mistakes: &'a mut Vec<Mistake>,
}

/// What an alias stands for, and what it costs to write it out.
struct Anchored {
    data: Data,
    values: usize,
    height: usize,
}

/// A mistake after which nothing can be read.
type Read<T> = Result<T, Box<Mistake>>;

impl<'a> Reader<'a> {
    fn document(mut self) -> Read<Node> {
        let mut node = None;
        loop {
            let (event, span) = self.next()?;
            let at = self.at(span.start);
            match event {
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                Event::StreamEnd => {
                    let empty = || Box::new(syntax(&self.source.at(1, 1), "there is nothing here"));
                    return node.ok_or_else(empty);
                }
                _ if node.is_some() => {
                    return Err(syntax(&at, "a second document begins here; write one in each file").into());
                }
                event => node = Some(self.node(event, span, 0)?),
            }
        }
    }

    fn next(&mut self) -> Read<(Event<'a>, Span)> {
        match self.events.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => {
                let at = self.at(*error.marker());
                let mistake = match error.kind() {
                    ErrorKind::RecursionLimitExceeded => {
                        Mistake::new(&at, Fault::TooDeep { max: self.limits.depth })
                    }
                    _ => syntax(&at, error.info()),
                };
                Err(mistake.into())
            }
            None => Err(syntax(&self.source.whole(), "the document ends too early").into()),
        }
    }

    fn at(&self, marker: Marker) -> Location {
        self.source.at(marker.line().max(1), marker.col() + 1)
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Read<Node> {
        let at = self.at(span.start);
        let before = self.values;
        self.count(1, &at)?;
        let opens = matches!(event, Event::SequenceStart(..) | Event::MappingStart(..));
        self.check_depth(depth + usize::from(opens), &at)?;
        let (data, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (self.scalar(text, style, tag.as_deref(), &at), anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), "seq", &at);
                (Data::List(self.items(depth)?), anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), "map", &at);
                (Data::Map(self.pairs(depth)?), anchor)
            }
            Event::Alias(anchor) => {
                let Some(anchored) = self.anchors.get(&anchor) else {
                    return Err(syntax(&at, "this alias stands inside what it names").into());
                };
                let (values, height) = (anchored.values, anchored.height);
                self.count(values, &at)?;
                self.check_depth(depth + height, &at)?;
                (self.anchors[&anchor].data.clone(), 0)
            }
            Event::UnresolvedAlias(name) => {
                self.mistakes.push(syntax(&at, format!("nothing is named `&{name}` above")));
                (Data::Null, 0)
            }
            other => return Err(syntax(&at, format!("a value was expected, not {other:?}")).into()),
        };
        if anchor != 0 {
            let (values, height) = (self.values - before, height(&data));
            // It is kept a second time, and so is what stands in it under names of its own.
            self.count(values, &at)?;
            self.anchors.insert(anchor, Anchored { data: data.clone(), values, height });
        }
        Ok(Node { at, data })
    }

    fn check_depth(&self, depth: usize, at: &Location) -> Read<()> {
        if depth <= self.limits.depth {
            return Ok(());
        }
        Err(Mistake::new(at, Fault::TooDeep { max: self.limits.depth }).into())
    }

    /// Counts values before they are made, so that a bomb of aliases is refused when it is lit.
    fn count(&mut self, more: usize, at: &Location) -> Read<()> {
        self.values = self.values.saturating_add(more);
        if self.values <= self.limits.values {
            return Ok(());
        }
        let fault = Fault::TooLarge { what: "values", found: self.values, max: self.limits.values };
        Err(Mistake::new(at, fault).into())
    }

    fn items(&mut self, depth: usize) -> Read<Vec<Node>> {
        let mut items = vec![];
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn pairs(&mut self, depth: usize) -> Read<Vec<Pair>> {
        let mut pairs: Vec<Pair> = vec![];
        let mut places: HashMap<String, u32> = HashMap::new();
        let mut merged = vec![];
        loop {
            let (event, span) = match self.next()? {
                (Event::MappingEnd, _) => break,
                next => next,
            };
            let at = self.at(span.start);
            let plain = matches!(&event, Event::Scalar(_, ScalarStyle::Plain, _, _));
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let node = self.node(event, span, depth + 1)?;
            let Some(key) = self.key(key) else { continue };
            if plain && key == "<<" {
                merged.push(node);
                continue;
            }
            if let Some(first) = places.insert(key.clone(), at.line().unwrap_or_default()) {
                self.mistakes.push(Mistake::new(&at, Fault::DuplicateKey { key, first }));
                continue;
            }
            pairs.push(Pair { key, at, node });
        }
        for node in merged {
            self.merge(node, &mut pairs, &mut places);
        }
        Ok(pairs)
    }

    fn key(&mut self, key: Node) -> Option<String> {
        match key.data {
            Data::Text(text) => Some(text),
            Data::Bool(value) => Some(value.to_string()),
            Data::Number(number) => Some(number.to_string()),
            data => {
                let text = format!("a key must be a text, not {}", data.described());
                self.mistakes.push(syntax(&key.at, text));
                None
            }
        }
    }

    /// `<<: *base`: what the map does not say itself, its base says.
    fn merge(&mut self, node: Node, pairs: &mut Vec<Pair>, places: &mut HashMap<String, u32>) {
        match node.data {
            Data::Map(base) => {
                for pair in base {
                    if let Entry::Vacant(vacant) = places.entry(pair.key.clone()) {
                        vacant.insert(pair.at.line().unwrap_or_default());
                        pairs.push(pair);
                    }
                }
            }
            Data::List(bases) if bases.iter().all(|base| matches!(base.data, Data::Map(_))) => {
                bases.into_iter().for_each(|base| self.merge(base, pairs, places));
            }
            data => {
                let text = format!("`<<` takes a map, or a list of maps, not {}", data.described());
                self.mistakes.push(syntax(&node.at, text));
            }
        }
    }

    fn scalar(&mut self, text: Cow<'_, str>, style: ScalarStyle, tag: Option<&Tag>, at: &Location) -> Data {
        let name = tag.and_then(Tag::core_suffix);
        match (tag, name) {
            (None, _) if style == ScalarStyle::Plain => self.number(plain(&text), at),
            (None, _) | (_, Some("str")) => Data::Text(text.into_owned()),
            (_, Some("null" | "bool" | "int" | "float")) => self.number(plain(&text), at),
            (Some(tag), _) => {
                self.mistakes.push(unknown_tag(tag, at));
                Data::Text(text.into_owned())
            }
        }
    }

    fn number(&mut self, data: Option<Data>, at: &Location) -> Data {
        data.unwrap_or_else(|| {
            self.mistakes.push(syntax(at, "JSON has no such number"));
            Data::Null
        })
    }

    fn check_tag(&mut self, tag: Option<&Tag>, expected: &str, at: &Location) {
        if let Some(tag) = tag.filter(|tag| tag.core_suffix() != Some(expected)) {
            self.mistakes.push(unknown_tag(tag, at));
        }
    }
}

/// How many maps and lists stand inside each other there.
fn height(data: &Data) -> usize {
    match data {
        Data::List(items) => 1 + items.iter().map(|item| height(&item.data)).max().unwrap_or(0),
        Data::Map(pairs) => 1 + pairs.iter().map(|pair| height(&pair.node.data)).max().unwrap_or(0),
        _ => 0,
    }
}

fn syntax(at: &Location, text: impl Into<String>) -> Mistake {
    Mistake::new(at, Fault::Syntax(text.into()))
}

fn unknown_tag(tag: &Tag, at: &Location) -> Mistake {
    syntax(at, format!("the tag `{}` is not supported; write the value without it", tag.original()))
}

/// A plain scalar by the core schema of YAML 1.2; `None` for a number that JSON cannot hold.
fn plain(text: &str) -> Option<Data> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Data::Null,
        "true" | "True" | "TRUE" => Data::Bool(true),
        "false" | "False" | "FALSE" => Data::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return None,
        text if matches!(text.trim_start_matches(['+', '-']), ".inf" | ".Inf" | ".INF") => return None,
        text => match number(text) {
            Some(number) => Data::Number(number?),
            None => Data::Text(text.to_owned()),
        },
    })
}

/// The number that a text looks like: none when it looks like none, and `Some(None)` for one that is too large.
#[expect(clippy::option_option, reason = "it may be no number, and it may be one that is too large")]
fn number(text: &str) -> Option<Option<Number>> {
    let radix = |digits: &str, radix| u64::from_str_radix(digits, radix).ok().map(Number::from);
    if let Some(digits) = text.strip_prefix("0x") {
        return digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| radix(digits, 16));
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return digits.bytes().all(|byte| matches!(byte, b'0'..=b'7')).then(|| radix(digits, 8));
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !looks_decimal(unsigned) {
        return None;
    }
    let plain = text.strip_prefix('+').unwrap_or(text);
    if unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        let whole = plain.parse::<u64>().map(Number::from);
        if let Ok(whole) = whole.or_else(|_| plain.parse::<i64>().map(Number::from)) {
            return Some(Some(whole));
        }
    }
    Some(plain.parse::<f64>().ok().and_then(Number::from_f64))
}

/// `[0-9]+`, `[0-9]*\.[0-9]*` with a digit, either with an exponent.
fn looks_decimal(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    exponent && digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(text: &str) -> (Option<Value>, Vec<String>) {
        read_within(text, YamlLimits::default())
    }

    fn read_within(text: &str, limits: YamlLimits) -> (Option<Value>, Vec<String>) {
        let mut mistakes = vec![];
        let node = parse(&Source::file("t", text, None), text, limits, &mut mistakes);
        (node.map(|node| node.to_value()), mistakes.iter().map(ToString::to_string).collect())
    }

    fn value(text: &str) -> Value {
        match read(text) {
            (Some(value), mistakes) if mistakes.is_empty() => value,
            other => panic!("{other:?}"),
        }
    }

    fn refused(text: &str) -> Vec<String> {
        let (_, mistakes) = read(text);
        assert!(!mistakes.is_empty(), "{text:?} was read");
        mistakes
    }

    #[test]
    fn scalars_are_those_of_the_core_schema() {
        for (text, same) in [
            ("1", json!(1)),
            ("-2", json!(-2)),
            ("+3", json!(3)),
            ("0x1F", json!(31)),
            ("0o17", json!(15)),
            ("1.5", json!(1.5)),
            ("1e3", json!(1000.0)),
            (".5", json!(0.5)),
            ("1.", json!(1.0)),
            ("true", json!(true)),
            ("False", json!(false)),
            ("~", json!(null)),
            ("null", json!(null)),
            ("yes", json!("yes")),
            ("1.0.0", json!("1.0.0")),
            ("1_000", json!("1_000")),
            ("1e", json!("1e")),
            ("'1'", json!("1")),
            ("!!str 1", json!("1")),
            (r#""\u00e9""#, json!("é")),
        ] {
            assert_eq!(value(text), same, "{text}");
        }
        assert_eq!(value("18446744073709551615"), json!(u64::MAX));
        assert_eq!(value("-9223372036854775808"), json!(i64::MIN));
    }

    #[test]
    fn numbers_that_json_has_not_are_refused() {
        for text in [".inf", "-.Inf", ".nan", "1e999", "0xFFFFFFFFFFFFFFFFFF"] {
            assert_eq!(refused(text), ["t:1:1: JSON has no such number"], "{text}");
        }
    }

    #[test]
    fn a_doubled_key_names_the_first_and_hides_nothing_else() {
        assert_eq!(
            refused("a: 1\nb: .nan\na: 2\n"),
            [
                "t:2:4: JSON has no such number",
                "t:3:1: `a` stands here a second time; the first is in line 1"
            ]
        );
    }

    #[test]
    fn aliases_and_merges_are_expanded() {
        let text = "base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}\ntwo: {<<: [*b, {z: 4}]}\nthree: *b\n";
        assert_eq!(
            value(text),
            json!({
                "base": { "x": 1, "y": 2 }, "one": { "x": 1, "y": 3 },
                "two": { "x": 1, "y": 2, "z": 4 }, "three": { "x": 1, "y": 2 },
            })
        );
        assert_eq!(refused("a: *b"), ["t:1:4: nothing is named `&b` above"]);
        assert_eq!(refused("&a [*a]"), ["t:1:5: this alias stands inside what it names"]);
        assert_eq!(refused("<<: 1"), ["t:1:5: `<<` takes a map, or a list of maps, not the number 1"]);
    }

    #[test]
    fn a_bomb_of_aliases_is_refused_before_it_expands() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..40 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            text += &format!("a{level}: &a{level} [{aliases}]\n");
        }
        let mistakes = refused(&text);
        assert!(mistakes[0].contains("values, at most 250000 are allowed"), "{mistakes:?}");
    }

    #[test]
    fn what_is_too_long_or_too_deep_is_refused() {
        let small = YamlLimits { bytes: 100, depth: 3, values: 10 };
        let mistakes = |text: &str| read_within(text, small).1;
        assert_eq!(mistakes("[[[1]]]"), [""; 0]);
        assert_eq!(mistakes("[[[[1]]]]"), ["t:1:4: maps and lists are nested deeper than 3 levels"]);
        assert_eq!(
            mistakes("a:\n b:\n  c:\n   d: 1"),
            ["t:4:4: maps and lists are nested deeper than 3 levels"]
        );
        assert_eq!(
            mistakes("[1,2,3,4,5,6,7,8,9,0]"),
            ["t:1:20: there are 11 values, at most 10 are allowed"]
        );
        assert_eq!(
            mistakes("[&a [&b [1,2,3,4,5]]]"),
            ["t:1:9: there are 14 values, at most 10 are allowed"],
            "what is named is kept twice"
        );
        let stairs: String = (1..100).map(|step| format!("a{step}: &a{step} [*a{}]\n", step - 1)).collect();
        let mistakes = refused(&format!("a0: &a0 []\n{stairs}"));
        assert!(mistakes[0].ends_with("nested deeper than 64 levels"), "{mistakes:?}");
        let deep = "[".repeat(100_000);
        assert!(read(&deep).1[0].contains("nested deeper than 64"), "{:?}", read(&deep).1);
    }

    #[test]
    fn what_is_no_yaml_is_refused_with_its_place() {
        assert!(refused("a: [1, 2\nb: 3")[0].starts_with("t:2:"), "{:?}", refused("a: [1, 2\nb: 3"));
        assert!(refused("a: 'b")[0].starts_with("t:1:"));
        assert_eq!(refused(""), ["t:1:1: there is nothing here"]);
        assert_eq!(refused("# nothing\n"), ["t:1:1: there is nothing here"]);
        assert_eq!(
            refused("a: 1\n---\nb: 2\n"),
            ["t:3:1: a second document begins here; write one in each file"]
        );
        assert_eq!(
            refused("a: !ruby/object:Foo x"),
            ["t:1:21: the tag `!ruby/object:Foo` is not supported; write the value without it"]
        );
        assert_eq!(refused("? [a]\n: 1"), ["t:1:3: a key must be a text, not a list"]);
    }
}
