//! The members that GitHub's description requires of each answer and webhook, and what is left of
//! a body when it holds no others.
//!
//! The table is made from the description by `make required`, which says its form at the top.
//! A contract test holds it against the description.
//!
//! Invariants: what the table does not name stays as it is.

use std::collections::BTreeMap;

use serde_json::Value;

const TABLE: &str = include_str!("required.txt");

/// What must be in a JSON value. The numbers are places in the list of shapes.
#[derive(Debug)]
enum Shape {
    /// An object with these members.
    Object(BTreeMap<&'static str, Member>),
    /// A list of things of one shape.
    List(usize),
    /// The first of these that fits.
    Choice(Vec<usize>),
}

#[derive(Debug)]
struct Member {
    /// Whether it is there in each such object.
    always: bool,
    shape: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct Required {
    shapes: Vec<Shape>,
    /// By `METHOD /route STATUS`, or `event.action`.
    bodies: BTreeMap<&'static str, usize>,
}

impl Required {
    pub(crate) fn read() -> Self {
        let mut table = Self { shapes: Vec::new(), bodies: BTreeMap::new() };
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, shape)) = line.split_once(" = ") else { continue };
            match name.parse::<usize>() {
                Ok(_) => table.shapes.push(Shape::read(shape)),
                Err(_) => drop(table.bodies.insert(name, shape.parse().unwrap_or(usize::MAX))),
            }
        }
        table
    }

    /// Leaves of the body of an answer or webhook what it must hold.
    pub(crate) fn trim(&self, name: &str, body: &mut Value) {
        if let Some(shape) = self.bodies.get(name) {
            self.shorten(*shape, body);
        }
    }

    fn shorten(&self, shape: usize, value: &mut Value) {
        match (self.shapes.get(shape), value) {
            (Some(Shape::Object(members)), Value::Object(fields)) => {
                fields.retain(|name, _| members.contains_key(name.as_str()));
                for (name, field) in fields {
                    if let Some(shape) = members.get(name.as_str()).and_then(|one| one.shape) {
                        self.shorten(shape, field);
                    }
                }
            }
            (Some(Shape::List(shape)), Value::Array(items)) => {
                items.iter_mut().for_each(|item| self.shorten(*shape, item));
            }
            (Some(Shape::Choice(shapes)), value) => {
                if let Some(shape) = shapes.iter().find(|shape| self.fits(**shape, value)) {
                    self.shorten(*shape, value);
                }
            }
            _ => {}
        }
    }

    /// Whether a value has all that a shape requires.
    fn fits(&self, shape: usize, value: &Value) -> bool {
        match (self.shapes.get(shape), value) {
            (Some(Shape::Object(members)), Value::Object(fields)) => {
                members.iter().all(|(name, member)| match fields.get(*name) {
                    Some(field) => member.shape.is_none_or(|shape| self.fits(shape, field)),
                    None => !member.always,
                })
            }
            (Some(Shape::List(shape)), Value::Array(items)) => {
                items.iter().all(|item| self.fits(*shape, item))
            }
            (Some(Shape::Choice(shapes)), value) => {
                shapes.iter().any(|shape| self.fits(*shape, value))
            }
            // Of plain values, the description's types say more than this table.
            (_, value) => !value.is_object() && !value.is_array(),
        }
    }
}

impl Shape {
    fn read(text: &'static str) -> Self {
        let number = |text: &str| text.parse().unwrap_or(usize::MAX);
        if let Some(item) = text.strip_prefix('[') {
            return Self::List(number(item.trim_end_matches(']')));
        }
        if text.contains('|') {
            return Self::Choice(text.split('|').map(number).collect());
        }
        let members = text.trim_matches(['{', '}']).split_whitespace();
        let members = members.map(|member| {
            let (name, shape) = match member.split_once('=') {
                Some((name, shape)) => (name, Some(number(shape))),
                None => (member, None),
            };
            let member = Member { always: !name.ends_with('?'), shape };
            (name.trim_end_matches('?'), member)
        });
        Self::Object(members.collect())
    }
}
