//! TODO: say why this folder exists.

#[cfg(test)]
mod type_tests;
mod action;
mod by_clock;
mod checklist;
mod deletion;
mod field;
mod indexes;
mod inline;
mod many_to_many;
mod meta;
mod model;
mod panel;
mod params;
mod permissions;
