//! TODO: say why this folder exists.

mod assets;
mod flash;
mod frame;
mod page;
mod theme;
