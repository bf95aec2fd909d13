//! A ticket office.

fn main() {}
