//! Text and actions, actions in tokens, as Go's `text/template` cuts them.

/// A piece of an action.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// Between operands it matters.
    Space,
    /// `if`, `end`, a function's name, `true`, `nil`, …
    Word(String),
    /// `.name`
    Field(String),
    /// `$` and `$name`, without the `$`.
    Variable(String),
    Dot,
    Text(String),
    Number(f64, bool),
    Char(char),
    Pipe,
    Open,
    Close,
    Declare,
    Assign,
    Comma,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    Text(String),
    Action(Vec<Token>),
}

const LEFT: &str = "{{";
const RIGHT: &str = "}}";
const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

/// Cuts a template into its pieces; comments are left out.
pub(super) fn pieces(source: &str) -> Result<Vec<Piece>, String> {
    let (mut pieces, mut rest) = (Vec::new(), source);
    let mut trim = false;
    loop {
        let (text, action) = match rest.split_once(LEFT) {
            Some((text, action)) => (text, Some(action)),
            None => (rest, None),
        };
        let text = if trim { text.trim_start_matches(SPACES) } else { text };
        let trim_before = action.is_some_and(trims_before);
        let text = if trim_before { text.trim_end_matches(SPACES) } else { text };
        if !text.is_empty() {
            pieces.push(Piece::Text(text.to_owned()));
        }
        let Some(mut action) = action else { return Ok(pieces) };
        if trim_before {
            action = action.get(2..).unwrap_or_default();
        }
        if let Some(comment) =
            action.trim_start_matches(if trim_before { &SPACES[..] } else { &[] }).strip_prefix("/*")
        {
            let (_, after) = comment.split_once("*/").ok_or("a comment is not closed")?;
            (rest, trim) = end(after).ok_or("a comment ends before the closing `}}`")?;
            continue;
        }
        let (tokens, after, trim_after) = tokens(action)?;
        pieces.push(Piece::Action(tokens));
        (rest, trim) = (after, trim_after);
    }
}

fn trims_before(action: &str) -> bool {
    let mut chars = action.chars();
    chars.next() == Some('-') && chars.next().is_some_and(|c| SPACES.contains(&c))
}

/// What follows the end of an action, and whether the space in front of it goes.
fn end(text: &str) -> Option<(&str, bool)> {
    if let Some(after) = text.strip_prefix(RIGHT) {
        return Some((after, false));
    }
    let trimmed = text.strip_prefix(SPACES)?.strip_prefix('-')?.strip_prefix(RIGHT)?;
    Some((trimmed, true))
}

/// The tokens of an action, what follows it, and whether that loses its leading space.
fn tokens(action: &str) -> Result<(Vec<Token>, &str, bool), String> {
    let (mut tokens, mut rest) = (Vec::new(), action);
    let mut open = 0_usize;
    loop {
        if let Some((after, trim)) = end(rest) {
            if open > 0 {
                return Err("a `(` is not closed".to_owned());
            }
            return Ok((tokens, after, trim));
        }
        let Some(first) = rest.chars().next() else {
            return Err("an action is not closed by `}}`".to_owned());
        };
        let (token, after) = match first {
            c if SPACES.contains(&c) => {
                // The space of ` -}}` belongs to the end.
                let spaces = rest.trim_start_matches(SPACES);
                let used = rest.len() - spaces.len();
                let keep = if spaces.starts_with("-}}") { used - 1 } else { used };
                if keep == 0 {
                    // Only the end can follow, which `end` has not found: a tab or the like.
                    return Err("unexpected `-`".to_owned());
                }
                (Token::Space, rest.get(keep..).unwrap_or_default())
            }
            '|' => (Token::Pipe, rest.get(1..).unwrap_or_default()),
            ',' => (Token::Comma, rest.get(1..).unwrap_or_default()),
            '=' => (Token::Assign, rest.get(1..).unwrap_or_default()),
            ':' => match rest.strip_prefix(":=") {
                Some(after) => (Token::Declare, after),
                None => return Err("`:` without `=`".to_owned()),
            },
            '(' => {
                open += 1;
                (Token::Open, rest.get(1..).unwrap_or_default())
            }
            ')' => {
                open = open.checked_sub(1).ok_or("a `)` without its `(`")?;
                (Token::Close, rest.get(1..).unwrap_or_default())
            }
            '"' => quoted(rest)?,
            '`' => {
                let inner = rest.get(1..).unwrap_or_default();
                let (text, after) = inner.split_once('`').ok_or("a raw text is not closed")?;
                (Token::Text(text.to_owned()), after)
            }
            '\'' => {
                let (token, after) = single(rest)?;
                (token, after)
            }
            '$' => {
                let (name, after) = word(rest.get(1..).unwrap_or_default());
                (Token::Variable(name.to_owned()), terminated(after)?)
            }
            '.' => {
                let after = rest.get(1..).unwrap_or_default();
                if after.starts_with(|c: char| c.is_ascii_digit()) {
                    number(rest)?
                } else {
                    let (name, after) = word(after);
                    if name.is_empty() {
                        (Token::Dot, after)
                    } else {
                        (Token::Field(name.to_owned()), terminated(after)?)
                    }
                }
            }
            c if c == '+' || c == '-' || c.is_ascii_digit() => number(rest)?,
            c if is_alphanumeric(c) => {
                let (name, after) = word(rest);
                (Token::Word(name.to_owned()), terminated(after)?)
            }
            c => return Err(format!("unexpected `{c}` in an action")),
        };
        tokens.push(token);
        rest = after;
    }
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c| !is_alphanumeric(c)).unwrap_or(text.len()))
}

/// What may follow a name.
fn terminated(after: &str) -> Result<&str, String> {
    let next = after.chars().next();
    let fine = next.is_none_or(|c| SPACES.contains(&c) || matches!(c, '.' | ',' | '|' | ':' | ')' | '('));
    if fine || after.starts_with(RIGHT) {
        Ok(after)
    } else {
        Err(format!("unexpected `{}` in an action", next.unwrap_or_default()))
    }
}

/// A text in double quotes, with Go's escapes.
fn quoted(text: &str) -> Result<(Token, &str), String> {
    let (mut value, mut rest) = (Vec::new(), text.get(1..).unwrap_or_default());
    loop {
        let mut chars = rest.chars();
        match chars.next() {
            None | Some('\n') => return Err("a text is not closed".to_owned()),
            Some('"') => {
                let value = String::from_utf8(value).map_err(|_| "a text is not UTF-8".to_owned())?;
                return Ok((Token::Text(value), chars.as_str()));
            }
            Some('\\') => rest = escape(chars.as_str(), '"', &mut value)?,
            Some(c) => {
                value.extend(c.encode_utf8(&mut [0; 4]).bytes());
                rest = chars.as_str();
            }
        }
    }
}

fn single(text: &str) -> Result<(Token, &str), String> {
    let refused = || "a character is not one character in quotes".to_owned();
    let mut chars = text.get(1..).unwrap_or_default().chars();
    let mut value = Vec::new();
    let rest = match chars.next() {
        Some('\\') => escape(chars.as_str(), '\'', &mut value)?,
        Some(c) if c != '\'' && c != '\n' => {
            value.extend(c.encode_utf8(&mut [0; 4]).bytes());
            chars.as_str()
        }
        _ => return Err(refused()),
    };
    let value = String::from_utf8(value).map_err(|_| refused())?;
    match (value.chars().next(), rest.strip_prefix('\'')) {
        (Some(c), Some(after)) => Ok((Token::Char(c), after)),
        _ => Err(refused()),
    }
}

/// Reads what follows a `\`.
fn escape<'a>(text: &'a str, quote: char, value: &mut Vec<u8>) -> Result<&'a str, String> {
    let refused = || "a text has an escape that is none".to_owned();
    let mut chars = text.chars();
    let c = chars.next().ok_or_else(refused)?;
    let simple = match c {
        'a' => Some(7),
        'b' => Some(8),
        'f' => Some(12),
        'n' => Some(b'\n'),
        'r' => Some(b'\r'),
        't' => Some(b'\t'),
        'v' => Some(11),
        '\\' => Some(b'\\'),
        c if c == quote => u8::try_from(c).ok(),
        _ => None,
    };
    if let Some(byte) = simple {
        value.push(byte);
        return Ok(chars.as_str());
    }
    let (digits, radix, from) = match c {
        'x' => (2, 16, chars.as_str()),
        'u' => (4, 16, chars.as_str()),
        'U' => (8, 16, chars.as_str()),
        '0'..='7' => (3, 8, text),
        _ => return Err(refused()),
    };
    let number = from.get(..digits).and_then(|digits| u32::from_str_radix(digits, radix).ok());
    let number = number.filter(|_| from.starts_with(|c: char| c.is_digit(radix))).ok_or_else(refused)?;
    if digits < 4 {
        value.push(u8::try_from(number).map_err(|_| refused())?);
    } else {
        let c = char::from_u32(number).ok_or_else(refused)?;
        value.extend(c.encode_utf8(&mut [0; 4]).bytes());
    }
    Ok(from.get(digits..).unwrap_or_default())
}

/// A number as Go writes it; whether it is whole is kept, since `printf` tells the two apart.
fn number(text: &str) -> Result<(Token, &str), String> {
    let signed = text.strip_prefix(['+', '-']).unwrap_or(text);
    let hex = signed.starts_with("0x") || signed.starts_with("0X");
    let mut before = ' ';
    let end = signed
        .find(|c: char| {
            let exponent = matches!(before, 'e' | 'E') && !hex || matches!(before, 'p' | 'P');
            let part =
                c.is_ascii_alphanumeric() || c == '.' || c == '_' || (exponent && (c == '+' || c == '-'));
            before = c;
            !part
        })
        .unwrap_or(signed.len());
    let (digits, after) = signed.split_at(end);
    let refused = || format!("`{digits}` is not a number");
    let negative = text.starts_with('-');
    let plain = digits.replace('_', "");
    let radix = |prefix: &str| {
        let (lower, upper) = (prefix, prefix.to_ascii_uppercase());
        plain.strip_prefix(lower).or_else(|| plain.strip_prefix(&*upper)).map(str::to_owned)
    };
    let whole = [("0x", 16), ("0o", 8), ("0b", 2)]
        .into_iter()
        .find_map(|(prefix, base)| Some(i64::from_str_radix(&radix(prefix)?, base).map_err(|_| refused())));
    let whole = match whole {
        Some(whole) => Some(whole?),
        None if plain.len() > 1 && plain.starts_with('0') && plain.bytes().all(|b| b.is_ascii_digit()) => {
            Some(i64::from_str_radix(&plain, 8).map_err(|_| refused())?)
        }
        None if plain.bytes().all(|b| b.is_ascii_digit()) && plain.parse::<u64>().is_err() => {
            return Err(format!("integer overflow: \"{digits}\""));
        }
        None => plain.parse::<i64>().ok(),
    };
    let value = match whole {
        Some(whole) => whole as f64,
        None if plain.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
            plain.parse::<f64>().map_err(|_| refused())?
        }
        None => return Err(refused()),
    };
    let after = terminated(after)?;
    Ok((Token::Number(if negative { -value } else { value }, whole.is_some()), after))
}
