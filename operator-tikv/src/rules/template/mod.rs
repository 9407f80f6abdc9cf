//! The templates of labels and annotations: Go's `text/template` with Prometheus' functions, as far as rules use it.
//!
//! All of it is read, so that what Prometheus refuses is refused. What asks Prometheus again (`query`) or defines
//! templates of its own is not expanded: such a text is left as it is written, and [`Expanded::left`] says why.

mod lex;
mod parse;
mod value;
mod format;
mod functions;
mod expand;

use std::collections::BTreeMap;

use self::parse::Node;

/// A text with `{{ … }}` in it, read.
#[derive(Debug, Clone)]
pub struct Template {
    source: String,
    nodes: Vec<Node>,
}

/// What a template is expanded with.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct TemplateData<'a> {
    /// `{{ $labels }}`: those of the series that was found.
    pub labels: &'a BTreeMap<String, String>,
    /// `{{ $value }}`
    pub value: f64,
    /// `{{ $externalLabels }}`; `None` if they are not known.
    pub external_labels: Option<&'a BTreeMap<String, String>>,
}

impl<'a> TemplateData<'a> {
    /// The data of one series, without external labels.
    pub fn new(labels: &'a BTreeMap<String, String>, value: f64) -> Self {
        Self { labels, value, external_labels: None }
    }
}

/// What came of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expanded {
    /// The text. Where the template fails, Prometheus' `<error expanding template: …>`.
    pub text: String,
    /// Why it is left as it is written; `None` if it is expanded.
    pub left: Option<String>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(source: &str) -> Result<Self, String> {
        Ok(Self { nodes: parse::parse(source)?, source: source.to_owned() })
    }

    /// A text that is no template.
    pub(crate) fn plain(source: &str) -> Self {
        Self { nodes: vec![Node::Text(source.to_owned())], source: source.to_owned() }
    }

    /// As it is written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it says the same for every series.
    pub fn is_constant(&self) -> bool {
        self.nodes.iter().all(|node| matches!(node, Node::Text(_)))
    }

    /// Fills in `data`.
    pub fn expand(&self, data: TemplateData<'_>) -> Expanded {
        match expand::expand(&self.nodes, data) {
            Ok(text) => Expanded { text, left: None },
            Err(expand::Stop::Failed(why)) => {
                Expanded { text: format!("<error expanding template: {why}>"), left: None }
            }
            Err(expand::Stop::Unsupported(what)) => Expanded { text: self.source.clone(), left: Some(what) },
        }
    }
}

#[cfg(test)]
mod tests;
