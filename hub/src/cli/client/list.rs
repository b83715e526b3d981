//! Whole lists, page by page.

use serde::de::DeserializeOwned;

use super::{Client, segment};
use crate::{api::types::List, cli::exit::CliError};

/// How many items one page has at most.
const PAGE: usize = 1000;

/// Everything that a list has. `path` may have a query already.
pub async fn pages<T: DeserializeOwned>(client: &Client, path: &str) -> Result<List<T>, CliError> {
    let joint = if path.contains('?') { '&' } else { '?' };
    let asked = format!("{path}{joint}limit={PAGE}");
    let mut list: List<T> = client.get(&asked).await?;
    while let Some(cursor) = list.next.take() {
        let more: List<T> = client
            .get(&format!("{asked}&cursor={}", segment(&cursor)))
            .await?;
        list.items.extend(more.items);
        list.next = more.next;
    }
    Ok(list)
}
