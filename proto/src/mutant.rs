//! A switch for tests of tests: leaves the mechanism of one clause of the contract out, so that the
//! tests that name the clause can be seen to fail. Without the feature `mutants`, which no normal
//! build has, it is a constant.

/// Whether the mechanism of this clause (`p08`) is left out.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub const fn mutant(_clause: &str) -> bool {
    false
}

/// Whether `FLAGSHIP_MUTANT` names this clause (`p08`): then its mechanism is left out.
#[cfg(feature = "mutants")]
pub fn mutant(clause: &str) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| std::env::var("FLAGSHIP_MUTANT").ok());
    chosen.as_deref() == Some(clause)
}
