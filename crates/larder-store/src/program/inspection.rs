use super::Wire;
use crate::Result;

/// The content of a record as named lines, for people and tools.
///
/// It contains no secret: the programs that make inspections leave secrets out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    fields: Vec<(String, String)>,
}

impl Inspection {
    /// Makes an empty inspection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.fields.push((name.into(), value.to_string()));
        self
    }

    /// Returns the lines in the order in which they were added.
    ///
    /// An absent record has none.
    pub fn fields(&self) -> &[(String, String)] {
        &self.fields
    }

    /// Parses the flat list `{name, value, name, value}` that a script returns.
    ///
    /// # Errors
    /// If the answer does not have that form.
    pub fn from_wire(wire: Wire) -> Result<Self> {
        let mut fields = Vec::new();
        let mut list = wire.list()?.into_iter();
        while let Some(name) = list.next() {
            let value = list
                .next()
                .ok_or_else(|| Wire::unexpected("names and values"))?;
            fields.push((text(name)?, text(value)?));
        }
        Ok(Self { fields })
    }
}

fn text(wire: Wire) -> Result<String> {
    Ok(match wire {
        Wire::Int(int) => int.to_string(),
        other => String::from_utf8_lossy(&other.bytes()?).into_owned(),
    })
}
