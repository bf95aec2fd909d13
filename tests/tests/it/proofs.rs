//! What all proofs share: their names, pages, tables and processes, and the ledgers of mutants.

mod ledgers;
mod names;
mod pages;
mod processes;
mod tables;
