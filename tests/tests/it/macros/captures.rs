//! How arguments get into a load: moved, copied, or kept as they are.

use std::sync::Arc;

use larder_cache::Cache;
use larder_macros::{cached, invalidates};

use super::{Runs, near};

type Titles = Cache<u32, String>;

#[derive(Clone)]
struct Films {
    titles: Titles,
    runs: Runs,
}

#[cached(cache = titles, key = id)]
async fn loads_of(titles: Titles, id: u32) -> String {
    format!("{} of {id}", titles.loads_in_flight())
}

#[cached(cache = films.titles, key = id)]
async fn replaced(mut films: Films, (id, mut name): (u32, String)) -> String {
    films.runs.add();
    name.push('!');
    films = Films {
        titles: near(),
        runs: films.runs,
    };
    format!("{name} {}", films.titles.loads_in_flight())
}

#[tokio::test]
async fn a_cache_that_is_given_by_value_may_be_used_in_the_body() {
    let titles = near();
    assert_eq!(*loads_of(titles.clone(), 7).await.unwrap(), "1 of 7");
    let films = Films {
        titles,
        runs: Runs::default(),
    };
    for _ in 0..2 {
        let title = replaced(films.clone(), (8, "Faust".to_owned())).await;
        assert_eq!(*title.unwrap(), "Faust! 0");
    }
    assert_eq!(films.runs.count(), 1);
}

/// A thing that cannot be cloned.
struct Rule(u32);

static RULE: Rule = Rule(3);

impl Rule {
    #[cached(cache = titles, key = self.0)]
    async fn described(&'static self, titles: &Titles) -> String {
        let rule: &'static Rule = self;
        rule.0.to_string()
    }
}

#[cached(cache = names, key = name)]
async fn kept(
    names: &Cache<String, &'static str>,
    mut name: &'static str,
    rule: &'static Rule,
    shown: &'static (dyn std::fmt::Display + Sync),
) -> &'static str {
    if rule.0 == 3 && shown.to_string() == "7" {
        name = &name[1..];
    }
    name
}

#[tokio::test]
async fn a_reference_that_lasts_forever_is_kept_as_it_is() {
    assert_eq!(*RULE.described(&near()).await.unwrap(), "3");
    let kept = kept(&near(), "Faust", &RULE, &7).await;
    assert_eq!(*kept.unwrap(), "aust");
}

impl Films {
    #[cached(cache = self.titles)]
    async fn counted(mut self: Arc<Self>, id: u32) -> String {
        Arc::make_mut(&mut self).runs = Runs::default();
        self.runs.add();
        format!("{} of {id}", self.runs.count())
    }
}

/// A film, and the part that follows it.
#[derive(Clone)]
struct Part {
    number: u32,
    next: Option<Arc<Part>>,
}

impl Part {
    #[cached(cache = titles, key = self.number)]
    async fn last(mut self: &Arc<Self>, titles: &Titles) -> String {
        while let Some(next) = &self.next {
            self = next;
        }
        self.number.to_string()
    }
}

#[tokio::test]
async fn a_method_may_change_the_self_that_it_takes() {
    let films = Films {
        titles: near(),
        runs: Runs::default(),
    };
    assert_eq!(*Arc::new(films.clone()).counted(1).await.unwrap(), "1 of 1");
    assert_eq!(films.runs.count(), 0);
    let part = |number, next| Arc::new(Part { number, next });
    let parts = part(1, Some(part(2, Some(part(3, None)))));
    assert_eq!(*parts.last(&near()).await.unwrap(), "3");
}

#[cached(cache = lengths, key = String::from(name))]
async fn length(lengths: &Cache<String, usize>, name: &str, _: &Runs) -> usize {
    #![allow(unused_variables)]
    //! A body may have attributes of its own.
    let unused = 7;
    name.len()
}

#[invalidates(cache = lengths, key = String::from(name), log_errors)]
async fn forget(lengths: &Cache<String, usize>, name: &str) {
    #![allow(unused_variables)]
    let unused = 7;
}

#[tokio::test]
async fn a_body_may_begin_with_attributes_and_a_key_may_name_its_type() {
    let (lengths, runs) = (near(), Runs::default());
    assert_eq!(*length(&lengths, "Faust", &runs).await.unwrap(), 5);
    assert!(lengths.get_near(&"Faust".to_owned()).is_some());
    forget(&lengths, "Faust").await;
    assert!(lengths.get_near(&"Faust".to_owned()).is_none());
}

#[cached(cache = titles, key = id)]
async fn filtered(
    titles: &Titles,
    id: u32,
    #[cfg(test)] name: &str,
    #[cfg(not(test))] mut number: &u32,
    by: Arc<dyn Fn(&str) -> bool + Send + Sync>,
) -> String {
    #[cfg(test)]
    let text = name.to_owned();
    #[cfg(not(test))]
    let text = number.to_string();
    format!("{text} {}", by(&text))
}

#[tokio::test]
async fn an_argument_may_depend_on_the_build_or_be_a_function() {
    let title = filtered(&near(), 7, "Faust", Arc::new(|name| name == "Faust")).await;
    assert_eq!(*title.unwrap(), "Faust true");
}
