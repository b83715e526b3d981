//! A row's value as its type: made once a commit, and shared by all who read the row.

use std::{
    any::Any,
    fmt,
    sync::{Arc, OnceLock},
};

/// What was made of a row's bytes; clones share it. It follows from the bytes, so rows that differ in
/// nothing else are equal.
#[derive(Clone, Default)]
pub struct Decoded(Arc<OnceLock<Arc<dyn Any + Send + Sync>>>);

impl Decoded {
    /// Of a value whose bytes are written now.
    pub(crate) fn of<R: Send + Sync + 'static>(value: R) -> Self {
        let known = OnceLock::new();
        let _new = known.set(Arc::new(value) as Arc<dyn Any + Send + Sync>);
        Self(Arc::new(known))
    }

    /// The value, made by `decode` where nobody has asked for it as this type yet.
    pub(crate) fn get_or_try<R: Send + Sync + 'static, E>(
        &self,
        decode: impl FnOnce() -> Result<R, E>,
    ) -> Result<Arc<R>, E> {
        let known = self.0.get().cloned();
        if let Some(Ok(value)) = known.map(Arc::downcast) {
            return Ok(value);
        }
        let value = Arc::new(decode()?);
        // Another may have been quicker: both made the same of the same bytes.
        let _known = self.0.set(value.clone());
        Ok(value)
    }
}

impl PartialEq for Decoded {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Decoded {}

impl fmt::Debug for Decoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let made = if self.0.get().is_some() { "made" } else { "-" };
        write!(f, "Decoded({made})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_made_once_and_shared_by_all_who_read_the_row() {
        let row = Decoded::default();
        let also = row.clone();
        let made = row.get_or_try(|| Ok::<_, ()>(7_u32)).unwrap();
        let again = also.get_or_try(|| Err::<u32, _>(())).unwrap();
        assert!(Arc::ptr_eq(&made, &again));
        let other_type = also.get_or_try(|| Err::<u64, _>("asked")).unwrap_err();
        assert_eq!(other_type, "asked", "bytes are read anew for another type");
    }
}
