//! Pages of lists: a limit, and a cursor that names the last item of the page before.

use serde::Deserialize;
use utoipa::IntoParams;

use super::{error::ApiError, types::List};

/// Which page of a list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// How many at most, 1 to 10000; 100 unless told.
    #[param(minimum = 1, maximum = 10000)]
    pub limit: Option<usize>,
    /// `next` of the page before.
    pub cursor: Option<String>,
}

const USUAL: usize = 100;
const MOST: usize = 10_000;

/// The limit of a page, checked.
pub fn limit(asked: Option<usize>) -> Result<usize, ApiError> {
    match asked {
        None => Ok(USUAL),
        Some(limit) if (1..=MOST).contains(&limit) => Ok(limit),
        Some(limit) => Err(ApiError::bad(
            "query.limit",
            format!("limit {limit} is not valid: use 1 to {MOST}"),
        )
        .field("limit")),
    }
}

/// Cuts one page out of items that are in the order of their names.
pub fn page<T>(
    items: Vec<T>,
    name: impl Fn(&T) -> String,
    asked: Option<usize>,
    cursor: Option<&str>,
    seq: u64,
) -> Result<List<T>, ApiError> {
    let limit = limit(asked)?;
    let mut rest = items.into_iter();
    let mut rest: Box<dyn Iterator<Item = T>> = match cursor {
        None => Box::new(rest),
        Some(last) => {
            let found = rest.by_ref().any(|item| name(&item) == last);
            if !found {
                return Err(
                    ApiError::bad("query.cursor", "the cursor names nothing in this list")
                        .field("cursor")
                        .remedy("begin again without a cursor"),
                );
            }
            Box::new(rest)
        }
    };
    let items: Vec<T> = rest.by_ref().take(limit).collect();
    let next = match (rest.next(), items.last()) {
        (Some(_), Some(last)) => Some(name(last)),
        (Some(_), None) | (None, _) => None,
    };
    Ok(List { items, next, seq })
}
