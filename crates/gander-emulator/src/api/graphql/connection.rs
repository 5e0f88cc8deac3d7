//! Connections: lists in pages, as GraphQL has them.

use serde_json::{Value, json};

use super::{Arguments, Object, Page, Problem, Resolved};

/// The largest page.
const LARGEST: u64 = 100;

/// Cuts the page that the arguments ask for.
pub(super) fn cut(
    kind: &'static str,
    all: Vec<Object>,
    mut arguments: Arguments,
) -> Result<Resolved, Problem> {
    let size = |value: Option<Value>| value.and_then(|value| value.as_u64());
    let (first, last) = (size(arguments.take("first")), size(arguments.take("last")));
    let position = |cursor: Option<Value>| {
        let cursor = cursor?;
        let words =
            || Problem::senseless(format!("`{cursor}` does not appear to be a valid cursor."));
        let place = cursor.as_str().and_then(|text| text.strip_prefix("cursor:"));
        Some(place.and_then(|text| text.parse::<usize>().ok()).ok_or_else(words))
    };
    let after = position(arguments.take("after")).transpose()?;
    let before = position(arguments.take("before")).transpose()?;
    arguments.end()?;
    let Some(wanted) = first.or(last) else {
        let words = format!(
            "You must provide a `first` or `last` value to properly paginate the `{kind}` connection."
        );
        return Err(Problem { kind: Some("MISSING_PAGINATION_BOUNDARIES"), message: words });
    };
    if wanted > LARGEST {
        let words = format!(
            "Requesting {wanted} records on the `{kind}` connection exceeds the `first` limit of \
             {LARGEST} records."
        );
        return Err(Problem { kind: Some("EXCESSIVE_PAGINATION"), message: words });
    }
    let (total, wanted) = (all.len(), usize::try_from(wanted).unwrap_or(usize::MAX));
    // A cursor names the place behind its item.
    let mut start = after.unwrap_or(0).min(total);
    let mut end = before.map_or(total, |before| before.saturating_sub(1)).clamp(start, total);
    if first.is_some() {
        end = end.min(start.saturating_add(wanted));
    } else {
        start = start.max(end.saturating_sub(wanted));
    }
    let items = all.into_iter().skip(start).take(end - start).collect();
    Ok(Resolved::One(Some(Object::Page(Page { kind, items, before: start, total }))))
}

impl Page {
    pub(super) fn field(&self, name: &str, arguments: Arguments) -> Result<Resolved, Problem> {
        arguments.end()?;
        Ok(match name {
            "nodes" => Resolved::Many(self.items.clone()),
            "totalCount" => Resolved::Value(json!(self.total)),
            "pageInfo" => Resolved::One(Some(Object::PageInfo(self.clone()))),
            other => {
                let words = format!("Field '{other}' doesn't exist on type '{}'", self.kind);
                return Err(Problem::senseless(words));
            }
        })
    }

    pub(super) fn info(&self, name: &str, arguments: Arguments) -> Result<Resolved, Problem> {
        arguments.end()?;
        let end = self.before + self.items.len();
        let cursor = |place: usize| {
            let text = (!self.items.is_empty()).then(|| format!("cursor:{place}"));
            json!(text)
        };
        Ok(Resolved::Value(match name {
            "hasNextPage" => json!(end < self.total),
            "hasPreviousPage" => json!(self.before > 0),
            "startCursor" => cursor(self.before + 1),
            "endCursor" => cursor(end),
            other => {
                let words = format!("Field '{other}' doesn't exist on type 'PageInfo'");
                return Err(Problem::senseless(words));
            }
        }))
    }
}
