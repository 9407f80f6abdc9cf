//! What a template says to do, and what Go's parser refuses.

use super::functions;
use super::lex::{self, Piece, Token};

/// Something a template does.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// Says this.
    Text(String),
    /// Says what the pipeline makes, or gives it to a variable.
    Action(Pipeline),
    If(Branch),
    With(Branch),
    Range(Branch),
    /// Understood and not expanded, for this reason.
    Unsupported(&'static str),
}

/// What `if`, `with` and `range` have in common.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Branch {
    pub(super) pipeline: Pipeline,
    pub(super) then: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

/// Commands, each with the result of the one before as its last argument.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Pipeline {
    /// The variables that take the result: two only of `range`.
    pub(super) variables: Vec<String>,
    pub(super) declares: bool,
    pub(super) commands: Vec<Command>,
}

/// An operand, or a function and its arguments.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Command {
    pub(super) operands: Vec<Operand>,
}

/// A value, and the fields of it that are meant.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Operand {
    pub(super) base: Base,
    pub(super) fields: Vec<String>,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Base {
    Dot,
    Nil,
    Variable(String),
    Function(String),
    Bool(bool),
    Text(String),
    Number(f64),
    Whole(i64),
    Pipeline(Box<Pipeline>),
}

/// Deeper than anybody means, shallower than a stack.
const MAX_DEPTH: usize = 64;

/// Reads a template.
pub(super) fn parse(source: &str) -> Result<Vec<Node>, String> {
    if !source.contains("{{") {
        return Ok(if source.is_empty() { Vec::new() } else { vec![Node::Text(source.to_owned())] });
    }
    let pieces = lex::pieces(source)?;
    // What Prometheus puts in front of each template.
    let variables = ["", "labels", "externalLabels", "externalURL", "value"].map(str::to_owned).to_vec();
    let mut parser = Parser { pieces: pieces.into_iter(), variables, depth: 0, loops: 0 };
    let (nodes, end) = parser.list()?;
    match end {
        End::Source => Ok(nodes),
        End::Closed => Err("unexpected {{end}}".to_owned()),
        End::Else(_) => Err("unexpected {{else}}".to_owned()),
    }
}

struct Parser {
    pieces: std::vec::IntoIter<Piece>,
    variables: Vec<String>,
    depth: usize,
    loops: usize,
}

/// What ended a list of nodes.
enum End {
    Source,
    Closed,
    /// With what follows the word.
    Else(Tokens),
}

type Tokens = std::iter::Peekable<std::vec::IntoIter<Token>>;

impl Parser {
    fn list(&mut self) -> Result<(Vec<Node>, End), String> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.next() {
            let tokens = match piece {
                Piece::Text(text) => {
                    nodes.push(Node::Text(text));
                    continue;
                }
                Piece::Action(tokens) => tokens,
            };
            let mut tokens = tokens.into_iter().peekable();
            skip_space(&mut tokens);
            let keyword = match tokens.peek() {
                Some(Token::Word(word)) => word.clone(),
                _ => String::new(),
            };
            if !KEYWORDS.contains(&keyword.as_str()) {
                let pipeline = self.pipeline(tokens, false)?;
                nodes.push(Node::Action(pipeline));
                continue;
            }
            tokens.next();
            match keyword.as_str() {
                "end" => {
                    nothing_left(tokens, "end")?;
                    return Ok((nodes, End::Closed));
                }
                "else" => return Ok((nodes, End::Else(tokens))),
                "if" => nodes.push(Node::If(self.branch(tokens, &keyword)?)),
                "with" => nodes.push(Node::With(self.branch(tokens, &keyword)?)),
                "range" => nodes.push(Node::Range(self.branch(tokens, &keyword)?)),
                "break" | "continue" => {
                    nothing_left(tokens, &keyword)?;
                    if self.loops == 0 {
                        return Err(format!("{{{{{keyword}}}}} outside {{{{range}}}}"));
                    }
                    nodes.push(Node::Unsupported("`break` and `continue`"));
                }
                _ => {
                    self.named(tokens, &keyword)?;
                    nodes.push(Node::Unsupported("templates within templates"));
                }
            }
        }
        Ok((nodes, End::Source))
    }

    /// `if`, `with` or `range`, to its end.
    fn branch(&mut self, tokens: Tokens, keyword: &str) -> Result<Branch, String> {
        let is_range = keyword == "range";
        let known = self.variables.len();
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("it is nested too deep".to_owned());
        }
        let pipeline = self.pipeline(tokens, is_range)?;
        self.loops += usize::from(is_range);
        let (then, end) = self.list()?;
        self.loops -= usize::from(is_range);
        let otherwise = match end {
            End::Closed => Vec::new(),
            End::Source => return Err("an {{end}} is missing".to_owned()),
            End::Else(mut tokens) => {
                skip_space(&mut tokens);
                match tokens.next() {
                    None => match self.list()? {
                        (nodes, End::Closed) => nodes,
                        (_, End::Source) => return Err("an {{end}} is missing".to_owned()),
                        (_, End::Else(_)) => return Err("a second {{else}}".to_owned()),
                    },
                    // `{{else if}}` needs no {{end}} of its own; only `if` has it.
                    Some(Token::Word(word)) if word == "if" && keyword == "if" => {
                        vec![Node::If(self.branch(tokens, "if")?)]
                    }
                    Some(_) => return Err("unexpected words after {{else".to_owned()),
                }
            }
        };
        self.depth -= 1;
        self.variables.truncate(known);
        Ok(Branch { pipeline, then, otherwise })
    }

    /// `template`, `define` or `block`.
    fn named(&mut self, mut tokens: Tokens, keyword: &str) -> Result<(), String> {
        skip_space(&mut tokens);
        let Some(Token::Text(_)) = tokens.next() else {
            return Err(format!("{{{{{keyword}}}}} without a name in quotes"));
        };
        skip_space(&mut tokens);
        match keyword {
            "define" if self.depth > 0 => return Err("unexpected {{define}}".to_owned()),
            "define" => {
                nothing_left(tokens, "define")?;
                let outside = std::mem::replace(&mut self.variables, vec![String::new()]);
                self.body()?;
                self.variables = outside;
            }
            "template" if tokens.peek().is_none() => {}
            "template" => {
                self.pipeline(tokens, false)?;
            }
            _ => {
                self.pipeline(tokens, false)?;
                let outside = std::mem::replace(&mut self.variables, vec![String::new()]);
                self.body()?;
                self.variables = outside;
            }
        }
        Ok(())
    }

    fn body(&mut self) -> Result<(), String> {
        self.depth += 1;
        let ended = matches!(self.list()?, (_, End::Closed));
        self.depth -= 1;
        if ended { Ok(()) } else { Err("an {{end}} is missing".to_owned()) }
    }

    fn pipeline(&mut self, mut tokens: Tokens, is_range: bool) -> Result<Pipeline, String> {
        let pipeline = self.pipeline_in(&mut tokens, is_range, true)?;
        match tokens.next() {
            None => Ok(pipeline),
            Some(token) => Err(format!("unexpected {token:?}")),
        }
    }

    fn pipeline_in(&mut self, tokens: &mut Tokens, is_range: bool, whole: bool) -> Result<Pipeline, String> {
        let mut pipeline = Pipeline::default();
        skip_space(tokens);
        let mut declared = Vec::new();
        if let Some((variables, declares)) = declaration(tokens, is_range)? {
            if declares {
                declared.clone_from(&variables);
            }
            (pipeline.variables, pipeline.declares) = (variables, declares);
        }
        loop {
            let command = self.command(tokens)?;
            if let (Some(first), false) = (command.operands.first(), pipeline.commands.is_empty()) {
                let constant =
                    !matches!(first.base, Base::Function(_) | Base::Variable(_) | Base::Pipeline(_));
                if constant && first.fields.is_empty() {
                    return Err(format!(
                        "non executable command in pipeline stage {}",
                        pipeline.commands.len() + 1
                    ));
                }
            }
            pipeline.commands.push(command);
            match tokens.peek() {
                Some(Token::Pipe) => {
                    tokens.next();
                    skip_space(tokens);
                    // Go lets a pipe lead nowhere.
                    match tokens.peek() {
                        Some(Token::Close) if !whole => break,
                        None if whole => break,
                        _ => {}
                    }
                }
                Some(Token::Close) if !whole => break,
                None if whole => break,
                _ => return Err("a pipeline does not end".to_owned()),
            }
        }
        // A variable is known once its value is.
        self.variables.extend(declared);
        Ok(pipeline)
    }

    fn command(&mut self, tokens: &mut Tokens) -> Result<Command, String> {
        let mut operands = Vec::new();
        loop {
            skip_space(tokens);
            match tokens.peek() {
                None | Some(Token::Pipe | Token::Close) => break,
                Some(_) => operands.push(self.operand(tokens)?),
            }
            match tokens.peek() {
                None | Some(Token::Space | Token::Pipe | Token::Close) => {}
                Some(token) => return Err(format!("unexpected {token:?} in operand")),
            }
        }
        if operands.is_empty() {
            Err("missing value for command".to_owned())
        } else {
            Ok(Command { operands })
        }
    }

    fn operand(&mut self, tokens: &mut Tokens) -> Result<Operand, String> {
        let mut fields = Vec::new();
        let base = match tokens.next() {
            Some(Token::Dot) => Base::Dot,
            Some(Token::Field(name)) => {
                fields.push(name);
                Base::Dot
            }
            Some(Token::Variable(name)) if self.variables.contains(&name) => Base::Variable(name),
            Some(Token::Variable(name)) => return Err(format!("undefined variable \"${name}\"")),
            Some(Token::Word(word)) => match word.as_str() {
                "true" => Base::Bool(true),
                "false" => Base::Bool(false),
                "nil" => Base::Nil,
                _ if functions::exists(&word) => Base::Function(word),
                _ => return Err(format!("function \"{word}\" not defined")),
            },
            Some(Token::Text(text)) => Base::Text(text),
            Some(Token::Char(c)) => Base::Whole(i64::from(u32::from(c))),
            Some(Token::Number(number, true)) => Base::Whole(number as i64),
            Some(Token::Number(number, false)) => Base::Number(number),
            Some(Token::Open) => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err("it is nested too deep".to_owned());
                }
                let inner = self.pipeline_in(tokens, false, false)?;
                tokens.next();
                self.depth -= 1;
                Base::Pipeline(Box::new(inner))
            }
            token => return Err(format!("unexpected {token:?} in operand")),
        };
        while let Some(Token::Field(_)) = tokens.peek() {
            if matches!(base, Base::Bool(_) | Base::Text(_) | Base::Number(_) | Base::Whole(_) | Base::Nil)
                || base == Base::Dot && fields.is_empty()
            {
                return Err("unexpected . after term".to_owned());
            }
            if let Some(Token::Field(name)) = tokens.next() {
                fields.push(name);
            }
        }
        Ok(Operand { base, fields })
    }
}

const KEYWORDS: [&str; 10] =
    ["if", "else", "end", "with", "range", "break", "continue", "template", "define", "block"];

fn skip_space(tokens: &mut Tokens) {
    while tokens.next_if_eq(&Token::Space).is_some() {}
}

fn nothing_left(mut tokens: Tokens, what: &str) -> Result<(), String> {
    skip_space(&mut tokens);
    tokens.next().map_or(Ok(()), |token| Err(format!("unexpected {token:?} in {what}")))
}

/// `$x :=`, `$x =`, and for `range` also `$i, $x :=`, if that is what comes.
fn declaration(tokens: &mut Tokens, is_range: bool) -> Result<Option<(Vec<String>, bool)>, String> {
    let mut ahead = tokens.clone();
    let mut names = Vec::new();
    loop {
        skip_space(&mut ahead);
        let Some(Token::Variable(name)) = ahead.next() else { return Ok(None) };
        names.push(name);
        skip_space(&mut ahead);
        match ahead.next() {
            Some(token @ (Token::Declare | Token::Assign)) => {
                *tokens = ahead;
                return Ok(Some((names, token == Token::Declare)));
            }
            Some(Token::Comma) if is_range && names.len() < 2 => {}
            Some(Token::Comma) => return Err("too many declarations".to_owned()),
            _ => return Ok(None),
        }
    }
}
