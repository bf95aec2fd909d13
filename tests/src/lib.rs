//! Tests over the whole workspace live in `tests/it`.
