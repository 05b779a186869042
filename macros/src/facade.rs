//! Where generated code finds what it names.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::Path;

/// `::tasker::__private`, or the same under the path that `crate = …` gives.
#[derive(Clone)]
pub(crate) struct Private {
    facade: Option<Path>,
    tokens: TokenStream,
}

impl Private {
    pub(crate) fn under(facade: Option<&Path>) -> Self {
        let tokens = facade.map_or_else(|| quote!(::tasker::__private), |facade| quote!(#facade::__private));
        Self { facade: facade.cloned(), tokens }
    }

    /// The same at another place: an error in a path is reported where the path begins.
    pub(crate) fn at(&self, span: Span) -> Self {
        let tokens = match &self.facade {
            None => quote_spanned!(span=> ::tasker::__private),
            Some(_) => moved(self.tokens.clone(), span),
        };
        Self { facade: self.facade.clone(), tokens }
    }
}

impl ToTokens for Private {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.tokens.to_tokens(tokens);
    }
}

/// What the user's tokens mean is kept, as for `$crate`; only the place is another.
fn moved(tokens: TokenStream, span: Span) -> TokenStream {
    let tokens = tokens.into_iter().map(|token| {
        let mut token = match token {
            TokenTree::Group(group) => Group::new(group.delimiter(), moved(group.stream(), span)).into(),
            token => token,
        };
        token.set_span(span.resolved_at(token.span()));
        token
    });
    tokens.collect()
}
