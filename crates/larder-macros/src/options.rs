use proc_macro2::{Span, TokenStream};
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, Ident, Result, Token};

/// The options of an attribute, each at most once.
pub(crate) struct Options {
    given: Vec<Given>,
}

/// An option as written: `name` or `name = value`.
struct Given {
    name: Ident,
    value: Option<Expr>,
}

impl Options {
    /// Reads `options`, whose names are among `known`.
    pub(crate) fn read(options: TokenStream, known: &[&str]) -> Result<Self> {
        let given = Punctuated::<Given, Token![,]>::parse_terminated.parse2(options)?;
        let given: Vec<_> = given.into_iter().collect();
        for (at, option) in given.iter().enumerate() {
            let name = &option.name;
            if !known.iter().any(|known| name == known) {
                let known = known.join(", ");
                return Err(Error::new(
                    name.span(),
                    format!("unknown option `{name}`: expected one of {known}"),
                ));
            }
            if given[..at].iter().any(|earlier| earlier.name == *name) {
                return Err(Error::new(
                    name.span(),
                    format!("`{name}` is given twice: remove one"),
                ));
            }
        }
        Ok(Self { given })
    }

    /// Returns the cache, which is required.
    pub(crate) fn cache(&self) -> Result<&Expr> {
        self.value("cache")?.ok_or_else(|| {
            Error::new(
                Span::call_site(),
                "no cache is named: add `cache = EXPR`, such as `cache = self.films`",
            )
        })
    }

    /// Returns the value of an option that has one, or None if it was not given.
    pub(crate) fn value(&self, name: &str) -> Result<Option<&Expr>> {
        let Some(given) = self.find(name) else {
            return Ok(None);
        };
        let value = given.value.as_ref().ok_or_else(|| {
            Error::new(
                given.name.span(),
                format!("`{name}` needs a value: write `{name} = EXPR`"),
            )
        })?;
        Ok(Some(value))
    }

    /// Returns whether an option without a value was given.
    pub(crate) fn flag(&self, name: &str) -> Result<bool> {
        match self.find(name) {
            Some(Given {
                name,
                value: Some(_),
            }) => Err(Error::new(
                name.span(),
                format!("`{name}` takes no value: write `{name}` alone"),
            )),
            given => Ok(given.is_some()),
        }
    }

    fn find(&self, name: &str) -> Option<&Given> {
        self.given.iter().find(|given| given.name == name)
    }
}

impl Parse for Given {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name = input.parse()?;
        let value = if input.parse::<Option<Token![=]>>()?.is_some() {
            Some(input.parse()?)
        } else {
            None
        };
        Ok(Self { name, value })
    }
}
