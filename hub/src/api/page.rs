//! Lists, all in one shape: items in a fixed order, a selector, a limit, and a cursor that names a
//! place in that order. What comes or goes between two pages neither repeats nor hides another item.

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use utoipa::{
    IntoParams, ToSchema,
    openapi::{RefOr, Schema},
};

use super::{
    body::read_query, error::ApiError, listed::Listed, place::Place, select::Select, types::List,
};

/// The type of a page whose items were asked for with some of their fields.
pub const SOME_FIELDS: &str = "application/vnd.flagship.fields+json";

const USUAL: usize = 100;
const MOST: usize = 10_000;

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
    /// Only items for which this holds: `key=value`, `key!=value`, `key in (a,b)`, `key notin (a,b)`,
    /// `key` or `!key`, with commas between.
    #[param(max_length = 4000)]
    pub selector: Option<String>,
    /// Only these fields of each item, with commas between; answered as
    /// `application/vnd.flagship.fields+json`.
    pub fields: Option<String>,
}

impl Page {
    const NAMES: [&str; 4] = ["limit", "cursor", "selector", "fields"];

    /// The page cut out of all items, put in their order first.
    pub fn pick<I: Listed>(self, mut items: Vec<I>) -> Result<Picked<I>, ApiError> {
        let mut cut = self.cut::<I>()?;
        // What is taken below is selected already.
        let select = std::mem::take(&mut cut.select);
        items.retain(|item| select.matches(item));
        items.sort_by_cached_key(Listed::place);
        cut.take(items.into_iter().map(Ok))
    }

    /// What is asked for, checked.
    pub fn cut<I: Listed>(self) -> Result<Cut, ApiError> {
        Ok(Cut {
            limit: limit(self.limit)?,
            after: self.cursor.as_deref().map(place::<I>).transpose()?,
            select: match self.selector.as_deref().map(str::trim) {
                None | Some("") => Select::default(),
                Some(text) => Select::read::<I>(text)?,
            },
            fields: self.fields,
        })
    }
}

fn limit(asked: Option<usize>) -> Result<usize, ApiError> {
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

fn place<I: Listed>(cursor: &str) -> Result<Place, ApiError> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).unwrap_or_default();
    match serde_json::from_slice::<(String, Place)>(&bytes) {
        Ok((list, place)) if list == I::LIST => Ok(place),
        Ok(_) | Err(_) => {
            let what = format!("the cursor is none of the list of {}", I::LIST);
            Err(ApiError::bad("query.cursor", what)
                .field("cursor")
                .remedy("begin again without a cursor"))
        }
    }
}

/// What a page is cut out with.
#[derive(Debug)]
pub struct Cut {
    limit: usize,
    after: Option<Place>,
    select: Select,
    fields: Option<String>,
}

impl Cut {
    /// The place after which the page begins.
    pub fn after(&self) -> Option<&Place> {
        self.after.as_ref()
    }

    /// Takes the page from items that come in their order; asks for no more than it needs.
    pub fn take<I: Listed>(
        self,
        items: impl Iterator<Item = Result<I, ApiError>>,
    ) -> Result<Picked<I>, ApiError> {
        let mut picked = Picked {
            items: Vec::new(),
            next: None,
            fields: self.fields,
        };
        let mut last = None;
        for item in items {
            let item = item?;
            let is_before = || {
                self.after
                    .as_ref()
                    .is_some_and(|after| item.place() <= *after)
            };
            if !self.select.matches(&item) || is_before() {
                continue;
            }
            if picked.items.len() == self.limit {
                picked.next = last.map(|place: Place| place.cursor(I::LIST));
                break;
            }
            if picked.items.len() + 1 == self.limit {
                last = Some(item.place());
            }
            picked.items.push(item);
        }
        Ok(picked)
    }
}

/// The items of a page.
#[derive(Debug)]
pub struct Picked<I> {
    items: Vec<I>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
    fields: Option<String>,
}

impl<I> Picked<I> {
    /// The page as it is answered; only its own items are made into views.
    pub fn show<V: ToSchema>(
        self,
        seq: u64,
        mut view: impl FnMut(&I) -> V,
    ) -> Result<Listing<V>, ApiError> {
        self.try_show(seq, |item| Ok(view(item)))
    }

    /// The same where a view may fail.
    pub fn try_show<V: ToSchema>(
        self,
        seq: u64,
        view: impl FnMut(&I) -> Result<V, ApiError>,
    ) -> Result<Listing<V>, ApiError> {
        let fields = self.fields.as_deref().map(fields::<V>).transpose()?;
        let items: Result<Vec<V>, ApiError> = self.items.iter().map(view).collect();
        let list = List {
            items: items?,
            next: self.next,
            seq,
        };
        Ok(Listing { list, fields })
    }
}

/// The fields that are asked for: those that items can have.
fn fields<V: ToSchema>(asked: &str) -> Result<Vec<String>, ApiError> {
    let known: Vec<String> = match V::schema() {
        RefOr::T(Schema::Object(object)) => object.properties.keys().cloned().collect(),
        RefOr::T(_) | RefOr::Ref(_) => Vec::new(),
    };
    let asked: Vec<String> = asked
        .split(',')
        .map(|name| name.trim().to_owned())
        .collect();
    match asked.iter().find(|name| !known.contains(name)) {
        None => Ok(asked),
        Some(other) => {
            let other: String = other.chars().take(80).collect();
            let what = format!("items have no field {other:?}");
            Err(ApiError::bad("query.fields", what)
                .field("fields")
                .remedy(&format!("use {}", known.join(", "))))
        }
    }
}

/// A page as it is answered.
#[derive(Debug)]
pub struct Listing<V> {
    list: List<V>,
    fields: Option<Vec<String>>,
}

impl<V: Serialize> IntoResponse for Listing<V> {
    fn into_response(self) -> Response {
        let Some(fields) = self.fields else {
            return axum::Json(self.list).into_response();
        };
        let mut list = serde_json::to_value(self.list).unwrap_or_default();
        let items = list.get_mut("items").and_then(Value::as_array_mut);
        for item in items.into_iter().flatten().filter_map(Value::as_object_mut) {
            item.retain(|name, _| fields.contains(name));
        }
        let kind = [(header::CONTENT_TYPE, SOME_FIELDS)];
        (kind, list.to_string()).into_response()
    }
}

/// Which items of a list, where nothing but the page can be said.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct All {}

/// A page, and which items of the list it is of.
#[derive(Debug)]
pub struct Asked<W = All> {
    /// The page.
    pub page: Page,
    /// What else the list can be asked.
    pub which: W,
}

impl<W: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<W> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Self::read(parts.uri.query().unwrap_or_default())
    }
}

impl<W: DeserializeOwned> Asked<W> {
    /// Reads a query; what neither the page nor the list knows is refused.
    pub(crate) fn read(query: &str) -> Result<Self, ApiError> {
        let name = |pair: &&str| pair.split('=').next().unwrap_or_default().to_owned();
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let (page, which): (Vec<&str>, Vec<&str>) =
            pairs.partition(|pair| Page::NAMES.contains(&name(pair).as_str()));
        Ok(Self {
            page: read_query(&page.join("&"))?,
            which: read_query(&which.join("&"))?,
        })
    }
}
