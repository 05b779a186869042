//! Every refusal that the syntax alone allows, all of them reported together; what is left is sound to expand.

use heck::{ToSnakeCase, ToUpperCamelCase};
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DeriveInput, Expr, Fields, FnArg, GenericParam, Generics, Ident, ImplItem, ImplItemFn, ItemFn,
    ItemImpl, LitBool, LitInt, LitStr, Path, ReceiverKind, ReturnType, Safety, Signature, Type,
};

use crate::facade::Private;
use crate::fallback::Refused;
use crate::parse::{FailOptions, Listed, Seconds, StepOptions, StepRef, WorkflowOptions, attributes};

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
pub(crate) fn function(mut options: StepOptions, function: &ItemFn) -> Result<(Called, Refused), Unsound> {
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
        output => Err(Unsound { refused, handler: (!clashes).then_some(handler), output }),
    }
}

/// `#[step] impl`.
pub(crate) fn block(mut options: StepOptions, block: &ItemImpl) -> Result<(Called, Refused), Unsound> {
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
        return Err(Unsound { refused, handler: None, output: None });
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
        output => {
            Err(Unsound { refused, handler: Some(handler), output })
        }
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
            GenericParam::Lifetime(_) => "a step owns what it takes, or takes `&Output<…>` without naming a lifetime",
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
            if let Some(lifetime) = reference.lifetime.as_ref().filter(|lifetime| lifetime.ident == "static") {
                refused.fatal(lifetime, "a step owns what it takes, or takes `&Output<…>` without naming a lifetime");
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
        FnArg::Typed(typed) => Some(&*typed.ty).filter(|ty| last_segment(ty).is_some_and(|last| last == "Context")),
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
        refused.at(name, "the type is there already; `type` names the one that `#[step]` makes of a function");
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

/// A text that must fit its column.
fn text(literal: &LitStr, max: usize, refused: &mut Refused) {
    let text = literal.value();
    let length = text.chars().count();
    if text.trim().is_empty() || text.contains('\0') {
        refused.at(literal, "this is blank, or contains U+0000");
    } else if length > max {
        refused.at(literal, format!("this has {length} characters, at most {max} are allowed"));
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

/// A workflow that can be expanded.
pub(crate) struct Workflow {
    pub(crate) private: Private,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) description: Option<LitStr>,
    pub(crate) context: Type,
    pub(crate) hooks: Option<Expr>,
    pub(crate) one_step_at_a_time: bool,
    pub(crate) steps: Vec<WorkflowStep>,
}

/// A step of a workflow.
pub(crate) struct WorkflowStep {
    /// Its name, when the workflow gives it one.
    pub(crate) name: Option<String>,
    pub(crate) handler: Path,
    pub(crate) fields: Option<TokenStream>,
    /// Places of steps that it waits for.
    pub(crate) after: Vec<usize>,
}

impl WorkflowStep {
    /// How messages call it: as the user wrote it.
    pub(crate) fn says(&self) -> String {
        self.name.clone().unwrap_or_else(|| written(&self.handler))
    }
}

fn written(path: &Path) -> String {
    path.to_token_stream().to_string().replace(' ', "")
}

/// `#[derive(Workflow)]`; `None` when there is nothing to check its steps against.
pub(crate) fn workflow(options: WorkflowOptions, item: &DeriveInput, refused: &mut Refused) -> Option<Workflow> {
    for (literal, max) in [(&options.namespace, 64), (&options.name, 64), (&options.description, 255)] {
        if let Some(literal) = literal {
            text(literal, max, refused);
        }
    }
    if let Some(version) = &options.version
        && !is_version(&version.value())
    {
        refused.at(version, "a version is three dotted numbers of at most 16 characters, as `1.0.0`");
    }
    let steps = steps(options.steps, refused);
    let Some(context) = options.context else {
        refused.fatal(&item.ident, "say what the workflow works on: `#[workflow(context = Order, …)]`");
        return None;
    };
    let or = |literal: Option<LitStr>, default: String| literal.map_or(default, |literal| literal.value());
    Some(Workflow {
        private: Private::under(options.facade.as_ref()),
        namespace: or(options.namespace, "default".to_owned()),
        name: or(options.name, item.ident.unraw().to_string().to_snake_case()),
        version: or(options.version, "0.1.0".to_owned()),
        description: options.description,
        context,
        hooks: options.hooks,
        one_step_at_a_time: options.one_step_at_a_time.is_some_and(|flag| flag.value),
        steps,
    })
}

fn is_version(text: &str) -> bool {
    let number = |part: &str| part.parse::<u32>().is_ok_and(|number| number.to_string() == part);
    let parts: Vec<_> = text.split('.').collect();
    parts.len() == 3 && parts.into_iter().all(number) && text.len() <= 16
}

fn steps(listed: Vec<Listed>, refused: &mut Refused) -> Vec<WorkflowStep> {
    let known: Vec<_> = listed.iter().map(|step| (step.name.as_ref(), &step.handler)).collect();
    let known: Vec<(Option<String>, Path)> =
        known.into_iter().map(|(name, path)| (name.map(|name| name.text.clone()), path.clone())).collect();
    for step in &listed {
        if let Some(name) = &step.name
            && (name.text.trim().is_empty() || name.text.chars().count() > 128)
        {
            refused.at_span(name.span, "a step's name has between 1 and 128 characters");
        }
    }
    let steps = listed.into_iter().map(|step| WorkflowStep {
        name: step.name.map(|name| name.text),
        handler: step.handler,
        fields: step.fields,
        after: step.after.iter().filter_map(|reference| place(reference, &known, refused)).collect(),
    });
    steps.collect()
}

/// The place of a step that `after` names: by its own name, or by its handler where that runs no other.
fn place(reference: &StepRef, known: &[(Option<String>, Path)], refused: &mut Refused) -> Option<usize> {
    let (named, span) = match reference {
        StepRef::Name(name) => (name.value(), name.span()),
        StepRef::Path(path) => (written(path), path.span()),
    };
    let by_name = known.iter().position(|(name, _)| name.as_ref() == Some(&named));
    let by_handler = || known.iter().enumerate().filter(|(_, (_, handler))| written(handler) == named);
    if let Some(place) = by_name.or_else(|| by_handler().next().map(|(place, _)| place)) {
        if by_name.is_none() && by_handler().count() > 1 {
            refused.at_span(span, format!("`{named}` runs several steps of this workflow; write the name of one"));
        }
        return Some(place);
    }
    let says = |(name, handler): &(Option<String>, Path)| name.clone().unwrap_or_else(|| written(handler));
    let all = known.iter().map(|step| format!("`{}`", says(step))).collect::<Vec<_>>().join(", ");
    refused.at_span(span, format!("`{named}` is not a step of this workflow; there are {all}"));
    None
}

/// What an error type says of each of its variants.
pub(crate) struct Fail {
    pub(crate) private: Private,
    pub(crate) arms: Vec<FailArm>,
}

/// One variant.
pub(crate) struct FailArm {
    /// `Self::Declined`, or `Self`.
    pub(crate) variant: TokenStream,
    pub(crate) verdict: Verdict,
    pub(crate) code: Option<LitStr>,
    pub(crate) class: Option<LitStr>,
}

/// What is to be done.
pub(crate) enum Verdict {
    /// What the chain of sources says.
    Chain,
    Permanent,
    Retryable,
    RetryAfter(Seconds),
}

/// `#[derive(Fail)]`.
pub(crate) fn fail(item: &DeriveInput, refused: &mut Refused) -> Fail {
    let (whole, more) = attributes::<FailOptions>(&item.attrs, "fail");
    refused.extend(more);
    let arms = match &item.data {
        Data::Enum(data) => {
            let arms = data.variants.iter().map(|variant| {
                let (own, more) = attributes::<FailOptions>(&variant.attrs, "fail");
                refused.extend(more);
                if let Some(facade) = &own.facade {
                    refused.at(facade, "`crate` stands on the type");
                }
                let ident = &variant.ident;
                arm(quote!(Self::#ident), &variant.fields, own, &whole, refused)
            });
            arms.collect()
        }
        Data::Struct(data) => vec![arm(quote!(Self), &data.fields, FailOptions::default(), &whole, refused)],
        Data::Union(data) => {
            refused.fatal(&data.union_token, "an error is a struct or an enum");
            vec![]
        }
    };
    Fail { private: Private::under(whole.facade.as_ref()), arms }
}

fn arm(
    variant: TokenStream,
    fields: &Fields,
    own: FailOptions,
    whole: &FailOptions,
    refused: &mut Refused,
) -> FailArm {
    let mut verdict = match verdict(&own, refused) {
        Verdict::Chain => self::verdict(whole, &mut Refused::default()),
        said => said,
    };
    if let Verdict::RetryAfter(Seconds::Field(field)) = &verdict
        && !fields.iter().any(|found| found.ident.as_ref() == Some(field))
    {
        refused.at(field, format!("there is no field `{field}` here that could hold the seconds"));
        verdict = Verdict::Chain;
    }
    let (code, class) = (own.code.or_else(|| whole.code.clone()), own.class.or_else(|| whole.class.clone()));
    FailArm { variant, verdict, code, class }
}

fn verdict(options: &FailOptions, refused: &mut Refused) -> Verdict {
    let after = options.retry_after_seconds.clone();
    let said = [options.permanent.is_some(), options.retryable.is_some(), after.is_some()];
    if said.into_iter().filter(|said| *said).count() > 1 {
        let spans = [options.retryable, options.permanent].into_iter().flatten();
        let span = spans.last().unwrap_or_else(Span::call_site);
        refused.at_span(span, "say one of `permanent`, `retryable`, `retry_after_seconds`");
    }
    if let Some(Seconds::Number(number)) = &after
        && let Err(error) = number.base10_parse::<u64>()
    {
        refused.add(error);
    }
    match (options.permanent, options.retryable, after) {
        (Some(_), ..) => Verdict::Permanent,
        (_, _, Some(seconds)) => Verdict::RetryAfter(seconds),
        (_, Some(_), _) => Verdict::Retryable,
        (None, None, None) => Verdict::Chain,
    }
}
