//! The views: each reads its data all at once, and every wait has a deadline.

mod caches;
mod doctor;
mod limits;
mod locks;
mod log;
mod overview;
mod queues;
mod responses;
mod sessions;
mod store;

use axum::http::StatusCode;
use axum::response::Response;
use futures_util::future::{join, join3};
use larder_store::{Error, ErrorKind, Key, Refusal};

pub(super) use sessions::devices;

use super::actions::notice;
use super::drill;
use super::model::{Origin, Panel, Tone};
use super::numbers::of;
use super::patience::ask;
use super::render::frame;
use super::state::Visit;
use super::view::View;

/// The query of a view's address: what was just done.
#[derive(Default, serde::Deserialize)]
pub(super) struct Did {
    #[serde(default)]
    did: String,
    #[serde(default)]
    count: u64,
}

/// Writes a view.
pub(super) async fn show(visit: &Visit, view: View, did: &Did) -> Response {
    let (mut frame, notice, panels) = join3(
        frame(visit, view, None),
        notice(visit, view, &did.did, did.count),
        panels(visit, view),
    )
    .await;
    frame.notice = notice;
    frame.page(StatusCode::OK, &panels)
}

/// Writes only the panels of a view.
pub(super) async fn panels_of(visit: &Visit, view: View) -> String {
    let (frame, panels) = join(frame(visit, view, None), panels(visit, view)).await;
    frame.panels(&panels)
}

/// Reads the panels of a view. If the store does not answer, the first of them says so.
async fn panels(visit: &Visit, view: View) -> Vec<Panel> {
    let (probed, panels) = join(ask(visit.shared.probe()), read(visit, view)).await;
    let trouble = probed.err().map(|trouble| {
        let text =
            format!("{trouble} Everything that is read from it is missing; figures of this process are still shown.");
        Panel::new("trouble", "The store does not answer", Origin::Page).alarm(Tone::Bad, text)
    });
    trouble.into_iter().chain(panels).collect()
}

async fn read(visit: &Visit, view: View) -> Vec<Panel> {
    let shared = &visit.shared;
    match view {
        View::Overview => overview::read(shared).await,
        View::Caches => caches::read(shared),
        View::Limits => limits::read(shared, visit.may_act()),
        View::Sessions => sessions::read(shared, visit.may_act()),
        View::Responses => responses::read(shared, visit.may_act()),
        View::Queues => queues::read(shared).await,
        View::Locks => locks::read(shared).await,
        View::Store => store::read(shared).await,
        View::Doctor => doctor::read(shared).await,
        View::Log => log::read(shared).await,
        View::Drill => drill::offer(visit.may_act()),
    }
}

/// Explains that a panel has no figures, and how to get them.
fn without_figures(panel: Panel) -> Panel {
    panel.alarm(
        Tone::Unknown,
        "This process keeps no figures for the page: install Figures::recorder before the layers are \
         built, and pass it to OpsPage::with_figures.",
    )
}

/// Adds that not all series are kept.
fn caveat(panel: Panel, is_full: bool) -> Panel {
    match is_full {
        true => panel.alarm(
            Tone::Warn,
            "There are more series than the page keeps: some are missing.",
        ),
        false => panel,
    }
}

/// The records that were read, and the number of those that could not be.
struct Read<T> {
    found: Vec<(Key, T)>,
    /// Keys with the name of a record that hold data of another client.
    unreadable: usize,
    /// How many did not answer, and why.
    unanswered: Option<(usize, Error)>,
}

impl<T> Read<T> {
    /// Sorts the results. An error if nothing was found because the store failed.
    fn of(read: impl IntoIterator<Item = (Key, Result<T, Error>)>) -> Result<Self, Error> {
        let (mut found, mut unreadable, mut failed) = (Vec::new(), 0, 0);
        let mut last = None;
        for (key, read) in read {
            match read {
                Ok(read) => found.push((key, read)),
                Err(error) if error.kind() == ErrorKind::Refused(Refusal::WrongType) => {
                    unreadable += 1;
                }
                Err(error) => {
                    failed += 1;
                    last = Some(error);
                }
            }
        }
        match last {
            Some(error) if found.is_empty() => Err(error),
            last => Ok(Self {
                found,
                unreadable,
                unanswered: last.map(|error| (failed, error)),
            }),
        }
    }

    /// Reports that some, such as those of a lost shard, did not answer.
    fn show(&self, panel: Panel, one: &str, many: &str) -> Panel {
        let panel = match &self.unanswered {
            Some((failed, error)) => {
                let failed = of(*failed as u64, one, many);
                panel.alarm(Tone::Bad, format!("{failed} did not answer: {error}."))
            }
            None => panel,
        };
        match self.unreadable {
            0 => panel,
            unreadable => {
                let keys = of(unreadable as u64, "key", "keys");
                let text = format!("{keys} with the name of a {one} hold something else.");
                panel.alarm(Tone::Warn, text)
            }
        }
    }
}
