//! Does what a template says.

use super::TemplateData;
use super::functions;
use super::parse::{Base, Branch, Command, Node, Operand, Pipeline};
use super::value::Value;

/// Why a template is not expanded.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Stop {
    /// Prometheus would fail as well.
    Failed(String),
    /// Prometheus would do something that is not done here.
    Unsupported(String),
}

/// A text longer than this is nobody's annotation.
const MAX_TEXT: usize = 64 << 10;

/// The text that a template makes of `data`.
pub(super) fn expand(nodes: &[Node], data: TemplateData<'_>) -> Result<String, Stop> {
    let mut expander = Expander { data, variables: Vec::new(), dot: Value::Data, text: String::new() };
    expander.nodes(nodes)?;
    Ok(expander.text)
}

struct Expander<'a> {
    data: TemplateData<'a>,
    /// The innermost last.
    variables: Vec<(String, Value)>,
    dot: Value,
    text: String,
}

impl Expander<'_> {
    fn nodes(&mut self, nodes: &[Node]) -> Result<(), Stop> {
        for node in nodes {
            match node {
                Node::Text(text) => self.text.push_str(text),
                Node::Action(pipeline) => {
                    let value = self.pipeline(pipeline)?;
                    if pipeline.variables.is_empty() {
                        match value.shown() {
                            Some(_) if value == Value::Nil => self.text.push_str("<no value>"),
                            Some(shown) => self.text.push_str(&shown),
                            None => return Err(Stop::Unsupported("all of `.` as text".to_owned())),
                        }
                    }
                }
                Node::If(branch) => self.branch(branch, |expander, _, nodes| expander.nodes(nodes))?,
                Node::With(branch) => self.branch(branch, |expander, value, nodes| {
                    let outside = std::mem::replace(&mut expander.dot, value);
                    expander.nodes(nodes)?;
                    expander.dot = outside;
                    Ok(())
                })?,
                Node::Range(branch) => self.range(branch)?,
                Node::Unsupported(what) => return Err(Stop::Unsupported((*what).to_owned())),
            }
            if self.text.len() > MAX_TEXT {
                return Err(Stop::Unsupported("so long a text".to_owned()));
            }
        }
        Ok(())
    }

    fn branch(
        &mut self,
        branch: &Branch,
        then: impl FnOnce(&mut Self, Value, &[Node]) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let known = self.variables.len();
        let value = self.pipeline(&branch.pipeline)?;
        if value.is_true() {
            then(self, value, &branch.then)?;
        } else {
            self.nodes(&branch.otherwise)?;
        }
        self.variables.truncate(known);
        Ok(())
    }

    fn range(&mut self, branch: &Branch) -> Result<(), Stop> {
        let known = self.variables.len();
        let names = &branch.pipeline.variables;
        let pipeline = Pipeline { variables: Vec::new(), ..branch.pipeline.clone() };
        let map = match self.pipeline(&pipeline)? {
            Value::Map(map) if branch.pipeline.declares || names.is_empty() => map,
            Value::Map(_) => {
                return Err(Stop::Unsupported("`range` into a variable that is there".to_owned()));
            }
            other => return Err(Stop::Failed(format!("range can't iterate over a {}", other.type_name()))),
        };
        if map.is_empty() {
            self.nodes(&branch.otherwise)?;
        }
        for (key, value) in map {
            let (key, value) = (Value::Text(key), Value::Text(value));
            let taken = if names.len() == 1 { vec![value.clone()] } else { vec![key, value.clone()] };
            self.variables.extend(names.iter().cloned().zip(taken));
            let outside = std::mem::replace(&mut self.dot, value);
            self.nodes(&branch.then)?;
            self.dot = outside;
            self.variables.truncate(known);
        }
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &Pipeline) -> Result<Value, Stop> {
        let mut value = None;
        for command in &pipeline.commands {
            value = Some(self.command(command, value)?);
        }
        let value = value.unwrap_or(Value::Nil);
        for name in &pipeline.variables {
            let known = self.variables.iter_mut().rev().find(|(known, _)| known == name);
            match known {
                _ if pipeline.declares => self.variables.push((name.clone(), value.clone())),
                Some((_, place)) => *place = value.clone(),
                None => return Err(Stop::Failed(format!("undefined variable \"${name}\""))),
            }
        }
        Ok(value)
    }

    fn command(&mut self, command: &Command, last: Option<Value>) -> Result<Value, Stop> {
        let Some((first, arguments)) = command.operands.split_first() else { return Ok(Value::Nil) };
        let Base::Function(name) = &first.base else {
            if last.is_some() || !arguments.is_empty() {
                return Err(Stop::Failed("can't give an argument to what is no function".to_owned()));
            }
            if first.base == Base::Nil {
                return Err(Stop::Failed("nil is not a command".to_owned()));
            }
            return self.operand(first);
        };
        if name == "and" || name == "or" {
            // The first that decides.
            let mut decided = Value::Nil;
            for argument in arguments {
                decided = self.operand(argument)?;
                if decided.is_true() == (name == "or") {
                    return self.fields(decided, &first.fields);
                }
            }
            let decided = last.unwrap_or(decided);
            return self.fields(decided, &first.fields);
        }
        let mut values = Vec::with_capacity(arguments.len() + 1);
        for argument in arguments {
            values.push(self.operand(argument)?);
        }
        values.extend(last);
        let value = functions::call(name, values)?;
        self.fields(value, &first.fields)
    }

    fn operand(&mut self, operand: &Operand) -> Result<Value, Stop> {
        let base = match &operand.base {
            Base::Dot => self.dot.clone(),
            Base::Nil => Value::Nil,
            Base::Variable(name) => self.variable(name)?,
            Base::Function(name) => functions::call(name, Vec::new())?,
            Base::Bool(value) => Value::Bool(*value),
            Base::Text(text) => Value::Text(text.clone()),
            Base::Number(number) => Value::Number(*number),
            Base::Whole(number) => Value::Whole(*number),
            Base::Pipeline(pipeline) => self.pipeline(pipeline)?,
        };
        self.fields(base, &operand.fields)
    }

    fn variable(&self, name: &str) -> Result<Value, Stop> {
        if let Some((_, value)) = self.variables.iter().rev().find(|(known, _)| known == name) {
            return Ok(value.clone());
        }
        match name {
            "labels" => self.of_data("Labels"),
            "externalLabels" => self.of_data("ExternalLabels"),
            "externalURL" => self.of_data("ExternalURL"),
            "value" => self.of_data("Value"),
            _ => Ok(Value::Data),
        }
    }

    fn of_data(&self, field: &str) -> Result<Value, Stop> {
        match field {
            "Labels" => Ok(Value::Map(self.data.labels.clone())),
            "Value" => Ok(Value::Number(self.data.value)),
            "ExternalLabels" => match self.data.external_labels {
                Some(labels) => Ok(Value::Map(labels.clone())),
                None => Err(Stop::Unsupported("`$externalLabels`: they are not known here".to_owned())),
            },
            "ExternalURL" => Err(Stop::Unsupported("`$externalURL`: it is not known here".to_owned())),
            field => Err(Stop::Failed(format!("there is no `.{field}`"))),
        }
    }

    fn fields(&self, mut value: Value, fields: &[String]) -> Result<Value, Stop> {
        for field in fields {
            value = match value {
                Value::Data => self.of_data(field)?,
                Value::Map(map) => Value::Text(map.get(field).cloned().unwrap_or_default()),
                other => {
                    return Err(Stop::Failed(format!("a {} has no `.{field}`", other.type_name())));
                }
            };
        }
        Ok(value)
    }
}
