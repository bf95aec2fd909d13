//! The parts of a view, before it is HTML. Text is shown as it is, so names are escaped before.

use larder_store::Timestamp;

use super::spark::Spark;
use crate::text::{escape, shorten};
use crate::time::ago;

/// The maximum length of a name that is shown, in characters.
const WIDEST: usize = 80;

/// How good something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    #[default]
    Plain,
    Good,
    Warn,
    Bad,
    Unknown,
}

impl Tone {
    /// Returns the class of CSS.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
        }
    }

    /// Returns a sign for people who cannot see the colour.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "✓",
            Self::Warn => "!",
            Self::Bad => "✕",
            Self::Unknown => "?",
        }
    }

    /// Bad if there is any, and good otherwise.
    pub(super) fn bad_if(is_bad: bool) -> Self {
        if is_bad { Self::Bad } else { Self::Good }
    }
}

/// The origin of a panel's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// From the metrics of this process.
    Process,
    /// From the store, so every process sees the same.
    Store,
    /// From the page itself.
    Page,
}

impl Origin {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Process => "from this process",
            Self::Store => "from the store",
            Self::Page => "",
        }
    }
}

/// A part of a view, with a heading of its own.
pub(super) struct Panel {
    /// The id of its element, by which live panels are replaced.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) origin: Origin,
    pub(super) blocks: Vec<Block>,
    /// The line that replaces the blocks until somebody unfolds them.
    pub(super) folded: Option<String>,
}

impl Panel {
    pub(super) fn new(id: &'static str, title: &'static str, origin: Origin) -> Self {
        Self {
            id,
            title,
            origin,
            blocks: Vec::new(),
            folded: None,
        }
    }

    /// Folds content that is long and seldom read.
    pub(super) fn folded(mut self, summary: String) -> Self {
        self.folded = Some(summary);
        self
    }

    pub(super) fn with(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }

    pub(super) fn note(self, text: impl Into<String>) -> Self {
        self.with(Block::Note(Tone::Plain, text.into()))
    }

    pub(super) fn alarm(self, tone: Tone, text: impl Into<String>) -> Self {
        self.with(Block::Note(tone, text.into()))
    }
}

pub(super) enum Block {
    Tiles(Vec<Tile>),
    Table(Table),
    Note(Tone, String),
    Form(Form),
}

/// One figure.
#[derive(Default)]
pub(super) struct Tile {
    pub(super) label: &'static str,
    pub(super) value: String,
    pub(super) detail: String,
    pub(super) tone: Tone,
    pub(super) spark: Option<Spark>,
    /// The view with more about it.
    pub(super) to: Option<&'static str>,
}

impl Tile {
    pub(super) fn new(label: &'static str, value: impl Into<String>) -> Self {
        Self {
            label,
            value: value.into(),
            ..Self::default()
        }
    }

    pub(super) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    pub(super) fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }

    pub(super) fn spark(mut self, history: &[f64], about: &str) -> Self {
        self.spark = Spark::of(history, about);
        self
    }

    pub(super) fn to(mut self, view: &'static str) -> Self {
        self.to = Some(view);
        self
    }
}

/// Rows whose first cell is the heading.
pub(super) struct Table {
    pub(super) caption: &'static str,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// The text if there are no rows.
    pub(super) empty: &'static str,
}

/// The heading of a column.
#[derive(Clone, Copy)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) is_number: bool,
}

/// A column of text.
pub(super) const fn text(name: &'static str) -> Column {
    Column {
        name,
        is_number: false,
    }
}

/// A column of numbers, aligned to the right.
pub(super) const fn number(name: &'static str) -> Column {
    Column {
        name,
        is_number: true,
    }
}

/// The column of buttons.
pub(super) const ACTIONS: Column = text("actions");

impl Table {
    /// Makes the block of a table.
    pub(super) fn of(
        caption: &'static str,
        columns: impl Into<Vec<Column>>,
        rows: Vec<Vec<Cell>>,
        empty: &'static str,
    ) -> Block {
        Block::Table(Self {
            caption,
            columns: columns.into(),
            rows,
            empty,
        })
    }

    /// Returns each cell of a row with its column.
    pub(super) fn cells<'a>(
        &'a self,
        row: &'a [Cell],
    ) -> impl Iterator<Item = (&'a Column, &'a Cell)> {
        self.columns.iter().zip(row)
    }
}

pub(super) enum Cell {
    Text(String),
    /// A name that others chose, in a typeface that shows each character.
    Name(String),
    Badge(Tone, String),
    /// A part of a whole, from 0 to 1, and how it is written.
    Bar(f64, String),
    Spark(Option<Spark>),
    /// Something with a second line below it.
    Two(String, String),
    Forms(Vec<Form>),
}

impl Cell {
    /// Makes a cell of a name that others chose.
    pub(super) fn name(name: &str) -> Self {
        Self::Name(shown(name))
    }

    pub(super) fn ago(time: Timestamp) -> Self {
        Self::Text(ago(time))
    }
}

/// Escapes and shortens a name that others chose.
pub(super) fn shown(name: &str) -> String {
    shorten(&escape(name), WIDEST)
}

/// A form that is posted.
#[derive(Clone, Default)]
pub(super) struct Form {
    /// Its target, below the page.
    pub(super) to: &'static str,
    pub(super) hidden: Vec<(&'static str, String)>,
    pub(super) fields: Vec<Field>,
    pub(super) button: &'static str,
    /// What the button is about, for people who cannot see the text beside it.
    pub(super) about: String,
    pub(super) is_danger: bool,
    /// The view that a link beside the button leads back to.
    pub(super) back: Option<&'static str>,
}

/// A line to type in.
#[derive(Clone)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) hint: &'static str,
    pub(super) value: String,
}
