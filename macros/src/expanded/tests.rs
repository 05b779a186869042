//! Snapshots: `snapshots/NAME.rs` is what a user writes, `snapshots/NAME.expanded.rs` what becomes of it.
//!
//! `SNAPSHOTS=overwrite cargo test -p tasker-macros --lib` writes them again; read what changed.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::{env, fs};

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Attribute, Item, Meta};

use super::{derived, fail, step, step_handler, workflow};

macro_rules! snapshots {
    ($($name:ident),*) => {$(
        #[test]
        fn $name() {
            check(stringify!($name));
        }
    )*};
}
snapshots!(function, block, long_form, list_of_steps, error, refused);

fn check(name: &str) {
    let written = format!("snapshots/{name}.rs");
    let file = syn::parse_file(&fs::read_to_string(&written).expect(&written)).expect(&written);
    let expanded = formatted(&file.items.into_iter().map(expanded).collect());
    let kept = format!("snapshots/{name}.expanded.rs");
    if env::var_os("SNAPSHOTS").is_some() {
        fs::write(&kept, &expanded).expect(&kept);
    }
    assert!(fs::read_to_string(&kept).expect(&kept) == expanded, "{kept} is another now:\n{expanded}");
}

/// As rustc would: the attribute goes in apart, the derive sees the item as it is.
fn expanded(mut item: Item) -> TokenStream {
    let attributes = match &mut item {
        Item::Fn(item) => &mut item.attrs,
        Item::Impl(item) => &mut item.attrs,
        Item::Struct(item) => &mut item.attrs,
        Item::Enum(item) => &mut item.attrs,
        _ => panic!("a snapshot holds steps, types and nothing else"),
    };
    let place = attributes.iter().position(is_macro).expect("one of our macros");
    let attribute = attributes.remove(place);
    let tokens = item.to_token_stream();
    match attribute.meta {
        Meta::List(list) if list.path.is_ident("step") => step(list.tokens, tokens),
        Meta::List(list) => derived(tokens, derive(&list.tokens.to_string())),
        _ => step(TokenStream::new(), tokens),
    }
}

fn is_macro(attribute: &Attribute) -> bool {
    attribute.path().is_ident("step") || attribute.path().is_ident("derive")
}

fn derive(name: &str) -> fn(&syn::DeriveInput) -> TokenStream {
    match name {
        "StepHandler" => step_handler,
        "Workflow" => workflow,
        "Fail" => fail,
        other => panic!("`{other}` is not a derive of ours"),
    }
}

fn formatted(tokens: &TokenStream) -> String {
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path", "../rustfmt.toml"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("rustfmt is installed");
    let mut input = rustfmt.stdin.take().expect("it is piped");
    input.write_all(tokens.to_string().as_bytes()).expect("rustfmt reads");
    drop(input);
    let output = rustfmt.wait_with_output().expect("rustfmt ends");
    assert!(output.status.success(), "what was expanded is no Rust");
    String::from_utf8(output.stdout).expect("Rust is UTF-8")
}
