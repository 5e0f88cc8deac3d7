//! `${{ … }}`: from text to a tree.
//!
//! Invariants: a context, a function or an operator that the emulator does not know is refused when
//! the file is read, before anything runs.

use serde_json::Value;

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expression {
    Literal(Value),
    Context(String),
    Property(Box<Expression>, String),
    Index(Box<Expression>, Box<Expression>),
    Call(Function, Vec<Expression>),
    Not(Box<Expression>),
    Compare(Comparison, Box<Expression>, Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Contains,
    StartsWith,
    EndsWith,
    Format,
    Join,
    ToJson,
    FromJson,
    Success,
    Failure,
    Always,
    Cancelled,
}

/// Names are the same in any case; with how many arguments each takes.
const FUNCTIONS: [(&str, Function, std::ops::RangeInclusive<usize>); 11] = [
    ("contains", Function::Contains, 2..=2),
    ("startswith", Function::StartsWith, 2..=2),
    ("endswith", Function::EndsWith, 2..=2),
    ("format", Function::Format, 1..=255),
    ("join", Function::Join, 1..=2),
    ("tojson", Function::ToJson, 1..=1),
    ("fromjson", Function::FromJson, 1..=1),
    ("success", Function::Success, 0..=0),
    ("failure", Function::Failure, 0..=0),
    ("always", Function::Always, 0..=0),
    ("cancelled", Function::Cancelled, 0..=0),
];

impl Function {
    /// Whether it asks how things went so far.
    pub(crate) fn is_status(self) -> bool {
        matches!(self, Self::Success | Self::Failure | Self::Always | Self::Cancelled)
    }
}

impl Expression {
    /// Calls `see` on this and every part of it.
    pub(crate) fn walk(&self, see: &mut dyn FnMut(&Self)) {
        see(self);
        match self {
            Self::Literal(_) | Self::Context(_) => {}
            Self::Property(of, _) | Self::Not(of) => of.walk(see),
            Self::Index(one, other)
            | Self::Compare(_, one, other)
            | Self::And(one, other)
            | Self::Or(one, other) => {
                one.walk(see);
                other.walk(see);
            }
            Self::Call(_, arguments) => arguments.iter().for_each(|one| one.walk(see)),
        }
    }
}

/// Reads what stands between the braces.
pub(crate) fn parse(text: &str) -> Result<Expression, String> {
    let mut reader = Reader { tokens: tokens(text)?, at: 0 };
    let expression = reader.either()?;
    match reader.tokens.get(reader.at) {
        None => Ok(expression),
        Some(token) => Err(format!("`{text}`: {} is out of place", token.shown())),
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Name(String),
    Text(String),
    Number(f64),
    Sign(&'static str),
}

impl Token {
    fn shown(&self) -> String {
        match self {
            Self::Name(name) => format!("`{name}`"),
            Self::Text(text) => format!("'{text}'"),
            Self::Number(number) => number.to_string(),
            Self::Sign(sign) => format!("`{sign}`"),
        }
    }
}

/// The longer before the shorter.
const SIGNS: [&str; 16] =
    ["==", "!=", "<=", ">=", "&&", "||", "!", "<", ">", "(", ")", "[", "]", ",", ".", "*"];

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first == '\'' {
            let (word, length) =
                quoted(rest).ok_or_else(|| format!("`{text}`: a quote is open"))?;
            found.push(Token::Text(word));
            length
        } else if first.is_ascii_alphabetic() || first == '_' {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            let length = rest.find(|c| !word(c)).unwrap_or(rest.len());
            found.push(Token::Name(rest[..length].to_owned()));
            length
        } else if first.is_ascii_digit() || first == '-' {
            let digit = |c: char| c.is_ascii_digit() || c == '.' || c == '-';
            let length = rest.find(|c| !digit(c)).unwrap_or(rest.len());
            let number = rest[..length].parse();
            found.push(Token::Number(number.map_err(|_| format!("`{text}`: no number"))?));
            length
        } else {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            let sign = sign.ok_or_else(|| format!("`{text}`: `{first}` is not understood"))?;
            found.push(Token::Sign(sign));
            sign.len()
        };
        rest = rest[length..].trim_start();
    }
    Ok(found)
}

/// A text in single quotes, of which two stand for one; with its length as written.
fn quoted(rest: &str) -> Option<(String, usize)> {
    let mut word = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' if chars.peek().is_some_and(|(_, next)| *next == '\'') => {
                chars.next();
                word.push('\'');
            }
            '\'' => return Some((word, at + 1)),
            other => word.push(other),
        }
    }
    None
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
}

impl Reader {
    fn take(&mut self, sign: &'static str) -> bool {
        let found = self.tokens.get(self.at) == Some(&Token::Sign(sign));
        self.at += usize::from(found);
        found
    }

    fn need(&mut self, sign: &'static str) -> Result<(), String> {
        if self.take(sign) { Ok(()) } else { Err(format!("`{sign}` is missing")) }
    }

    fn either(&mut self) -> Result<Expression, String> {
        let mut left = self.both()?;
        while self.take("||") {
            left = Expression::Or(Box::new(left), Box::new(self.both()?));
        }
        Ok(left)
    }

    fn both(&mut self) -> Result<Expression, String> {
        let mut left = self.comparison()?;
        while self.take("&&") {
            left = Expression::And(Box::new(left), Box::new(self.comparison()?));
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Result<Expression, String> {
        const ALL: [(&str, Comparison); 6] = [
            ("==", Comparison::Equal),
            ("!=", Comparison::Unequal),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        let mut left = self.negation()?;
        while let Some((_, how)) = ALL.into_iter().find(|(sign, _)| self.take(sign)) {
            left = Expression::Compare(how, Box::new(left), Box::new(self.negation()?));
        }
        Ok(left)
    }

    fn negation(&mut self) -> Result<Expression, String> {
        if self.take("!") {
            return Ok(Expression::Not(Box::new(self.negation()?)));
        }
        let mut value = self.value()?;
        loop {
            if self.take(".") {
                let Some(Token::Name(name)) = self.tokens.get(self.at) else {
                    return Err("only a plain name may follow a dot".to_owned());
                };
                value = Expression::Property(Box::new(value), name.clone());
                self.at += 1;
            } else if self.take("[") {
                let index = self.either()?;
                self.need("]")?;
                value = Expression::Index(Box::new(value), Box::new(index));
            } else {
                return Ok(value);
            }
        }
    }

    fn value(&mut self) -> Result<Expression, String> {
        if self.take("(") {
            let inner = self.either()?;
            self.need(")")?;
            return Ok(inner);
        }
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        match token {
            Some(Token::Text(text)) => Ok(Expression::Literal(Value::String(text))),
            Some(Token::Number(number)) => Ok(Expression::Literal(number.into())),
            Some(Token::Name(name)) if self.take("(") => self.call(&name),
            Some(Token::Name(name)) => Ok(match &*name {
                "true" => Expression::Literal(Value::Bool(true)),
                "false" => Expression::Literal(Value::Bool(false)),
                "null" => Expression::Literal(Value::Null),
                _ => Expression::Context(name.to_ascii_lowercase()),
            }),
            Some(token) => Err(format!("{} is out of place", token.shown())),
            None => Err("the expression ends too early".to_owned()),
        }
    }

    fn call(&mut self, name: &str) -> Result<Expression, String> {
        let lower = name.to_ascii_lowercase();
        let known = FUNCTIONS.iter().find(|(known, ..)| *known == lower);
        let (_, function, arity) =
            known.ok_or_else(|| format!("the runner has no function `{name}`"))?;
        let mut arguments = Vec::new();
        if !self.take(")") {
            loop {
                arguments.push(self.either()?);
                if self.take(")") {
                    break;
                }
                self.need(",")?;
            }
        }
        if !arity.contains(&arguments.len()) {
            return Err(format!("`{name}` does not take {} arguments", arguments.len()));
        }
        Ok(Expression::Call(*function, arguments))
    }
}
