//! What can be a step.

use heck::{ToSnakeCase, ToUpperCamelCase};
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DeriveInput, FnArg, GenericParam, Generics, Ident, ImplItem, ImplItemFn, ItemFn,
    ItemImpl, LitBool, LitInt, ReceiverKind, ReturnType, Safety, Signature, Type,
};

use super::text;
use crate::facade::Private;
use crate::fallback::Refused;
use crate::parse::StepOptions;

/// A handler that can be declared.
pub(crate) struct Handler {
    pub(crate) private: Private,
    /// The type that declares it; its span is the place.
    pub(crate) ident: Ident,
    /// The same with its generic arguments.
    pub(crate) self_type: TokenStream,
    pub(crate) generics: Generics,
    /// `#[cfg]` of the item.
    pub(crate) conditions: Vec<Attribute>,
    pub(crate) name: String,
    pub(crate) policy: Policy,
    pub(crate) arguments: Vec<Argument>,
    /// What the derive's `process` may read.
    pub(crate) declarations: Vec<Declaration>,
}

/// `impl DependsOn<P>` and the like.
pub(crate) struct Declaration {
    pub(crate) marker: &'static str,
    pub(crate) of: Type,
}

/// What is said about attempts; the rest is left to the defaults.
pub(crate) struct Policy {
    pub(crate) retry_limit: Option<LitInt>,
    pub(crate) retryable: Option<LitBool>,
    pub(crate) skippable: Option<LitBool>,
    pub(crate) timeout_seconds: Option<LitInt>,
}

/// One argument of a step.
pub(crate) struct Argument {
    pub(crate) ty: TokenStream,
    pub(crate) span: Span,
    /// The function takes a reference to it.
    pub(crate) by_reference: bool,
}

/// A function or a method that can be called as a step.
pub(crate) struct Called {
    pub(crate) handler: Handler,
    pub(crate) output: Type,
}

/// One that cannot, and what a stand-in needs.
pub(crate) struct Unsound {
    pub(crate) refused: Refused,
    /// `None` when a stand-in would only make more errors.
    pub(crate) handler: Option<Handler>,
    pub(crate) output: Option<Type>,
}

pub(crate) fn conditions(attributes: &[Attribute]) -> Vec<Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect()
}

/// `#[step] async fn`.
pub(crate) fn function(
    mut options: StepOptions,
    function: &ItemFn,
) -> Result<(Called, Refused), Box<Unsound>> {
    let signature = &function.sig;
    let mut refused = std::mem::take(&mut options.refused);
    refuse_dependencies(&options, &mut refused);
    let plain = signature.ident.unraw().to_string();
    let made = Ident::new(&plain.to_upper_camel_case(), signature.ident.span());
    let clashes = options.type_name.is_none() && mentions(signature.to_token_stream(), &made);
    if clashes {
        refused.fatal(
            signature.ident.span(),
            format!(
                "`#[step]` makes a type `{made}` of the function `{plain}`, and its signature already uses another \
                 `{made}`; name the function after what it does (`make_{plain}`), or the type: `#[step(type = {made}Step)]`"
            ),
        );
    }
    let ident = options.type_name.clone().unwrap_or(made);
    let handler = Handler {
        private: Private::under(options.facade.as_ref()),
        self_type: ident.to_token_stream(),
        ident,
        generics: Generics::default(),
        conditions: conditions(&function.attrs),
        name: name(&options, plain, &mut refused),
        arguments: arguments(signature, &mut refused),
        policy: policy(options, &mut refused),
        declarations: vec![],
    };
    let output = callable(signature, &mut refused);
    match output {
        Some(output) if !refused.is_fatal() => Ok((Called { handler, output }, refused)),
        output => Err(Box::new(Unsound { refused, handler: (!clashes).then_some(handler), output })),
    }
}

/// `#[step] impl`.
pub(crate) fn block(mut options: StepOptions, block: &ItemImpl) -> Result<(Called, Refused), Box<Unsound>> {
    let mut refused = std::mem::take(&mut options.refused);
    refuse_dependencies(&options, &mut refused);
    refuse_type(&options, &mut refused);
    if let Some((path, _)) = &block.trait_ {
        refused.fatal(
            path,
            "`#[step]` stands on `impl Handler`, without a trait; for a type with its own `impl Step`, write \
             `#[derive(StepHandler)]` on the type",
        );
    }
    let Some(ident) = last_segment(&block.self_ty) else {
        refused.fatal(&block.self_ty, "a step handler is a type with a name");
        return Err(Box::new(Unsound { refused, handler: None, output: None }));
    };
    refuse_lifetimes(&block.generics, &mut refused);
    let process = methods(block).find(|method| method.sig.ident == "process");
    if process.is_none() {
        let near = methods(block).find(|method| method.sig.asyncness.is_some());
        let hint = near.map(|near| format!("; rename `{}`", near.sig.ident)).unwrap_or_default();
        let span = near.map_or(ident.span(), |near| near.sig.ident.span());
        refused.fatal(span, format!("`#[step] impl` needs a method `async fn process(&self, …)`{hint}"));
    }
    let handler = Handler {
        private: Private::under(options.facade.as_ref()),
        self_type: block.self_ty.to_token_stream(),
        generics: block.generics.clone(),
        conditions: conditions(&block.attrs),
        name: name(&options, ident.unraw().to_string().to_snake_case(), &mut refused),
        ident,
        arguments: process.map(|process| arguments(&process.sig, &mut refused)).unwrap_or_default(),
        policy: policy(options, &mut refused),
        declarations: vec![],
    };
    let output = process.and_then(|process| method(&process.sig, &mut refused));
    match output {
        Some(output) if !refused.is_fatal() => Ok((Called { handler, output }, refused)),
        output => Err(Box::new(Unsound { refused, handler: Some(handler), output })),
    }
}

fn methods(block: &ItemImpl) -> impl Iterator<Item = &ImplItemFn> {
    block.items.iter().filter_map(|item| match item {
        ImplItem::Fn(method) => Some(method),
        _ => None,
    })
}

fn last_segment(ty: &Type) -> Option<Ident> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.clone()),
        _ => None,
    }
}

/// What a method must be besides what any step must.
fn method(signature: &Signature, refused: &mut Refused) -> Option<Type> {
    match signature.receiver() {
        Some(receiver) if matches!(receiver.kind, ReceiverKind::Reference(_, _, None)) => {}
        Some(receiver) => refused.fatal(
            receiver,
            "a handler is shared by all its attempts: take `&self`, and keep what changes in a `State<…>`",
        ),
        None => refused.fatal(&signature.ident, "`process` takes `&self`"),
    }
    callable(signature, refused)
}

/// What the engine must be able to call: not generic, asynchronous, with a result.
fn callable(signature: &Signature, refused: &mut Refused) -> Option<Type> {
    if signature.asyncness.is_none() {
        refused.fatal(signature.fn_token.span, "a step is an `async fn`");
    }
    if let Some(parameter) = signature.generics.params.first() {
        let text = match parameter {
            GenericParam::Lifetime(_) => {
                "a step owns what it takes, or takes `&Output<…>` without naming a lifetime"
            }
            _ => {
                "a step function cannot be generic: the engine must know its types; write `#[step]` on the `impl` of a \
                 generic type, and register each use with `Handlers::with::<Fetch<Order>>()`"
            }
        };
        refused.fatal(parameter, text);
    }
    if let Safety::Unsafe(unsafety) = &signature.safety {
        refused.fatal(unsafety, "a step is called by the engine: it cannot be `unsafe`");
    }
    match &signature.output {
        ReturnType::Type(_, ty) => signature.generics.params.is_empty().then(|| (**ty).clone()),
        ReturnType::Default => {
            refused.fatal(
                &signature.ident,
                "a step returns a `Result`: write `-> StepResult<()>` when there is nothing to tell, and end with `Ok(())`",
            );
            None
        }
    }
}

fn arguments(signature: &Signature, refused: &mut Refused) -> Vec<Argument> {
    let typed = signature.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(typed) => Some(&*typed.ty),
        FnArg::Receiver(_) => None,
    });
    let arguments: Vec<_> = typed.map(|ty| argument(ty, refused)).collect();
    refuse_second_context(signature, refused);
    arguments
}

fn argument(ty: &Type, refused: &mut Refused) -> Argument {
    let (ty, by_reference) = match ty {
        Type::Reference(reference) => {
            if reference.mutability.is_some() {
                refused.fatal(ty, "a step cannot change what others gave it; take it by value");
            }
            // Any other has to be declared, and is refused there.
            if let Some(lifetime) = reference.lifetime.as_ref().filter(|lifetime| lifetime.ident == "static")
            {
                refused.fatal(
                    lifetime,
                    "a step owns what it takes, or takes `&Output<…>` without naming a lifetime",
                );
            }
            (&*reference.elem, true)
        }
        Type::ImplTrait(_) => {
            refused.fatal(ty, "a step says what it takes: `impl Trait` does not");
            (ty, false)
        }
        ty => (ty, false),
    };
    Argument { ty: ty.to_token_stream(), span: ty.span(), by_reference }
}

fn refuse_second_context(signature: &Signature, refused: &mut Refused) {
    let contexts = signature.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(typed) => {
            Some(&*typed.ty).filter(|ty| last_segment(ty).is_some_and(|last| last == "Context"))
        }
        FnArg::Receiver(_) => None,
    });
    let contexts: Vec<_> = contexts.collect();
    if let [first, second, ..] = contexts[..]
        && first != second
    {
        refused.fatal(second, "a step works on one context; take `Part<…>` to read a part of it");
    }
}

/// `#[derive(StepHandler)]`.
pub(crate) fn handler(options: StepOptions, item: &DeriveInput, refused: &mut Refused) -> Handler {
    refuse_type(&options, refused);
    refuse_lifetimes(&item.generics, refused);
    if let Data::Union(data) = &item.data {
        refused.fatal(&data.union_token, "a step handler is a struct or an enum");
    }
    let private = Private::under(options.facade.as_ref());
    let (_, arguments, _) = item.generics.split_for_impl();
    let ident = &item.ident;
    let (arguments, declarations, self_type) =
        (declared(&options, ident, &private), declarations(&options), quote!(#ident #arguments));
    Handler {
        self_type,
        ident: ident.clone(),
        generics: item.generics.clone(),
        conditions: vec![],
        name: name(&options, ident.unraw().to_string().to_snake_case(), refused),
        arguments,
        declarations,
        policy: policy(options, refused),
        private,
    }
}

/// The options of a derive as the arguments that they stand for.
fn declared(options: &StepOptions, ident: &Ident, private: &Private) -> Vec<Argument> {
    let span = ident.span();
    let own = private.at(span);
    let context = quote_spanned!(span=> #own::Context<<Self as #own::Step>::Context>);
    let mut arguments = vec![Argument { ty: context, span, by_reference: false }];
    let mut add = |types: &[Type], wrap: &dyn Fn(&Type, Private, Span) -> TokenStream| {
        for ty in types {
            let span = ty.span();
            arguments.push(Argument { ty: wrap(ty, private.at(span), span), span, by_reference: false });
        }
    };
    add(&options.depends_on, &|ty, at, span| quote_spanned!(span=> #at::Output<#ty>));
    add(&options.optional, &|ty, at, span| quote_spanned!(span=> ::core::option::Option<#at::Output<#ty>>));
    add(&options.all, &|ty, at, span| quote_spanned!(span=> #at::Outputs<#ty>));
    add(&options.state, &|ty, at, span| quote_spanned!(span=> #at::State<#ty>));
    add(&options.spawns, &|ty, at, span| quote_spanned!(span=> #at::Spawn<#ty>));
    arguments
}

/// The same as what `process` may read.
fn declarations(options: &StepOptions) -> Vec<Declaration> {
    let all = [
        ("DependsOn", &options.depends_on),
        ("MayDependOn", &options.optional),
        ("DependsOnAll", &options.all),
        ("Uses", &options.state),
        ("Spawns", &options.spawns),
    ];
    let each = all.into_iter().flat_map(|(marker, types)| types.iter().map(move |of| (marker, of.clone())));
    each.map(|(marker, of)| Declaration { marker, of }).collect()
}

fn refuse_dependencies(options: &StepOptions, refused: &mut Refused) {
    for (types, argument) in [
        (&options.depends_on, "Output"),
        (&options.optional, "Option<Output"),
        (&options.all, "Outputs"),
        (&options.state, "State"),
        (&options.spawns, "Spawn"),
    ] {
        if let Some(ty) = types.first() {
            let close = if argument.contains('<') { ">>" } else { ">" };
            let named = quote!(#ty);
            refused.at(ty, format!("arguments declare what a step needs: take `{argument}<{named}{close}`"));
        }
    }
}

fn refuse_type(options: &StepOptions, refused: &mut Refused) {
    if let Some(name) = &options.type_name {
        refused
            .at(name, "the type is there already; `type` names the one that `#[step]` makes of a function");
    }
}

fn refuse_lifetimes(generics: &Generics, refused: &mut Refused) {
    if let Some(lifetime) = generics.lifetimes().next() {
        refused.fatal(lifetime, "a handler owns what it holds: it outlives whatever made it");
    }
}

fn name(options: &StepOptions, default: String, refused: &mut Refused) -> String {
    let Some(name) = &options.name else { return default };
    text(name, 128, refused);
    if name.value().contains("::") {
        refused.at(name, "a handler's name has no `::`; templates write it for the path before the name");
    }
    name.value()
}

fn policy(options: StepOptions, refused: &mut Refused) -> Policy {
    if let Some(limit) = &options.retry_limit {
        number::<u32>(limit, "a retry limit counts attempts, so it is at least 1", refused);
    }
    if let Some(seconds) = &options.timeout_seconds {
        number::<u64>(seconds, "a timeout is at least one second", refused);
    }
    Policy {
        retry_limit: options.retry_limit,
        retryable: options.retryable,
        skippable: options.skippable,
        timeout_seconds: options.timeout_seconds,
    }
}

fn number<N>(literal: &LitInt, at_least_one: &str, refused: &mut Refused)
where
    N: std::str::FromStr<Err: std::fmt::Display> + Default + PartialEq,
{
    match literal.base10_parse::<N>() {
        Ok(number) if number == N::default() => refused.at(literal, at_least_one),
        Ok(_) => {}
        Err(error) => refused.add(error),
    }
}

/// Whether a type of that name is used, other than as the handler of an output.
fn mentions(tokens: TokenStream, ident: &Ident) -> bool {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(word) if ["Output", "Outputs", "Spawn"].iter().any(|name| word == name) => {
                // Up to the handler's name, which may have a path before it.
                while tokens.next_if(|next| !is_punct(next, '>')).is_some() {}
            }
            TokenTree::Ident(word) if word == *ident => return true,
            TokenTree::Group(group) if mentions(group.stream(), ident) => return true,
            _ => {}
        }
    }
    false
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}
