//! Nothing but what holds the README's programs to compiling; the programs of this package lie in `examples/`.

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
