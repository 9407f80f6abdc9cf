//! YAML as Prometheus reads it, with the line of every node.
//!
//! Aliases share their node and merges (`<<`) are resolved where they stand, once: what a file takes in memory is
//! linear in its length, however it refers to itself.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// Nothing that is meant is nested deeper, or has more keys in one mapping.
const MAX_DEPTH: usize = 64;
const MAX_KEYS: usize = 256;
/// How many keys may come by merges.
const MAX_MERGED: usize = 100_000;

/// A node of a document.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Where it begins, from 1.
    pub(crate) line: usize,
    pub(crate) content: Content,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Scalar {
        text: String,
        /// Whether it stands for nothing: empty, `~` or `null`, and not quoted.
        null: bool,
        /// Whether it is in quotes, and so a text whatever it looks like.
        quoted: bool,
    },
    Sequence(Vec<Rc<Node>>),
    /// In the order of the text; no key comes twice.
    Mapping(Vec<(Key, Rc<Node>)>),
}

/// A key of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) line: usize,
    pub(crate) name: String,
    /// Whether it came by a merge, which the mapping's own keys go before.
    merged: bool,
}

/// Why a text is no YAML, or none that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct YamlError {
    pub(crate) line: usize,
    pub(crate) message: String,
}

/// A text, read.
#[derive(Debug)]
pub(crate) struct Document {
    /// The first document; `None` if there is nothing in it.
    pub(crate) root: Option<Rc<Node>>,
    /// Where a second document begins, which nobody reads.
    pub(crate) second: Option<usize>,
}

impl Document {
    /// Reads the first document of `text`.
    pub(crate) fn read(text: &str) -> Result<Self, YamlError> {
        if let Some((at, _)) = text.char_indices().find(|(at, c)| !is_printable(*at, *c)) {
            let line = text.get(..at).unwrap_or_default().lines().count().max(1);
            return Err(YamlError { line, message: "it has a control character".to_owned() });
        }
        let mut composer = Composer::default();
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| YamlError {
                line: error.marker().line(),
                message: format!("it is not YAML: {}", error.info()),
            })?;
            if let Event::DocumentStart(_) = event
                && composer.root.is_some()
            {
                return Ok(Self { root: composer.root, second: Some(span.start.line()) });
            }
            composer.take(event, span)?;
        }
        Ok(Self { root: composer.root, second: None })
    }
}

impl Node {
    /// Its text, if it is a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        if let Content::Scalar { text, .. } = &self.content { Some(text) } else { None }
    }

    /// Whether it stands for nothing.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self.content, Content::Scalar { null: true, .. })
    }

    /// What it is, in a message.
    pub(crate) fn kind(&self) -> &'static str {
        match self.content {
            Content::Scalar { null: true, .. } => "nothing",
            Content::Scalar { .. } => "a scalar",
            Content::Sequence(_) => "a list",
            Content::Mapping(_) => "a mapping",
        }
    }
}

/// What Prometheus' reader lets pass; the mark of UTF-16 only in front.
fn is_printable(at: usize, c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' | '\u{85}' => true,
        '\u{feff}' => at == 0,
        '\u{fffe}' | '\u{ffff}' => false,
        c => !c.is_control(),
    }
}

/// Puts events together to nodes.
#[derive(Default)]
struct Composer {
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
    merged: usize,
    root: Option<Rc<Node>>,
}

/// A collection that has not ended.
struct Open {
    line: usize,
    anchor: usize,
    content: Content,
    /// Of a mapping: the key whose value comes next.
    key: Option<Rc<Node>>,
}

impl Composer {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), YamlError> {
        let line = span.start.line();
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let quoted = style != ScalarStyle::Plain || tag.is_some();
                let null = !quoted && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let content = Content::Scalar { text: text.into_owned(), null, quoted };
                self.end(anchor, Node { line, content })
            }
            Event::SequenceStart(anchor, _) => self.begin(line, anchor, Content::Sequence(Vec::new())),
            Event::MappingStart(anchor, _) => self.begin(line, anchor, Content::Mapping(Vec::new())),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(open) => self.end(open.anchor, Node { line: open.line, content: open.content }),
                None => Ok(()),
            },
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(node) => self.add(Rc::clone(node), line),
                None => Err(YamlError { line, message: "an alias stands inside what it names".to_owned() }),
            },
            _ => Ok(()),
        }
    }

    fn begin(&mut self, line: usize, anchor: usize, content: Content) -> Result<(), YamlError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(YamlError { line, message: format!("it is nested more than {MAX_DEPTH} deep") });
        }
        self.open.push(Open { line, anchor, content, key: None });
        Ok(())
    }

    fn end(&mut self, anchor: usize, node: Node) -> Result<(), YamlError> {
        let (line, node) = (node.line, Rc::new(node));
        if anchor > 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        self.add(node, line)
    }

    /// Puts a node, which is named at `line`, where it belongs.
    fn add(&mut self, node: Rc<Node>, line: usize) -> Result<(), YamlError> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.content {
            Content::Sequence(list) => list.push(node),
            Content::Mapping(entries) => match open.key.take() {
                None => open.key = Some(node),
                Some(key) => {
                    add_entry(entries, &key, node, line, &mut self.merged)?;
                    if entries.len() > MAX_KEYS {
                        return Err(YamlError {
                            line,
                            message: format!("more than {MAX_KEYS} keys in a mapping"),
                        });
                    }
                }
            },
            Content::Scalar { .. } => {}
        }
        Ok(())
    }
}

type Entries = Vec<(Key, Rc<Node>)>;

fn add_entry(
    entries: &mut Entries,
    key: &Node,
    value: Rc<Node>,
    line: usize,
    merged: &mut usize,
) -> Result<(), YamlError> {
    let refused = |message: String| Err(YamlError { line: key.line, message });
    let Some(name) = key.text() else { return refused(format!("a key is {}", key.kind())) };
    if key.is_null() {
        // Prometheus passes over it.
        return Ok(());
    }
    if name == "<<" {
        return merge(entries, &value, line, merged);
    }
    let key = Key { line: key.line, name: name.to_owned(), merged: false };
    match entries.iter_mut().find(|(known, _)| known.name == name) {
        Some((known, place)) if known.merged => (*known, *place) = (key, value),
        Some((known, _)) => return refused(format!("`{name}` is given twice, first in line {}", known.line)),
        None => entries.push((key, value)),
    }
    Ok(())
}

fn merge(entries: &mut Entries, value: &Node, line: usize, merged: &mut usize) -> Result<(), YamlError> {
    let refused = |message: &str| Err(YamlError { line, message: message.to_owned() });
    match &value.content {
        Content::Mapping(from) => {
            *merged += from.len();
            if *merged > MAX_MERGED {
                return refused("too much is merged by `<<`");
            }
            for (key, value) in from {
                if !entries.iter().any(|(known, _)| known.name == key.name) {
                    entries.push((Key { merged: true, ..key.clone() }, Rc::clone(value)));
                }
            }
            Ok(())
        }
        Content::Sequence(list) => list.iter().try_for_each(|node| match node.content {
            Content::Mapping(_) => merge(entries, node, line, merged),
            _ => refused("`<<` merges mappings, nothing else"),
        }),
        Content::Scalar { .. } => refused("`<<` merges mappings, nothing else"),
    }
}
