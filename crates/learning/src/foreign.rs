//! Calls into libraries: their panics are refusals, and work that they can't interrupt is bounded before it starts.

use std::panic::{AssertUnwindSafe, catch_unwind};

use executor::Failure;

/// What a library made of its arguments, or the function's own words in place of its error or panic, both of which may
/// quote data.
pub(crate) fn call<T, E>(problem: &str, work: impl FnOnce() -> Result<T, E>) -> Result<T, Failure> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(_)) | Err(_) => Err(Failure::function(problem)),
    }
}

/// The same for work of ours around a library, whose failures are its own words already.
pub(crate) fn guard<T>(problem: &str, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Failure::function(problem)))
}

/// Elementary steps of one call that can't be interrupted: some ten seconds on one core.
const STEPS: f64 = 1e10;

/// Refuses a call of more than 10¹⁰ elementary steps, a product that `what` spells out.
pub(crate) fn bounded(what: &str, factors: &[usize]) -> Result<(), Failure> {
    let steps: f64 = factors.iter().map(|factor| *factor as f64).product();
    if steps <= STEPS {
        return Ok(());
    }
    Err(Failure::function(format!("{what} is {steps:.1e}, and the function takes at most {STEPS:.0e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_and_panics_become_the_functions_words() {
        assert!(matches!(call("p", || Ok::<_, ()>(1)), Ok(1)));
        assert_eq!(call("p", || Err::<(), _>("secret")).unwrap_err().to_string(), "p");
        assert_eq!(call("p", || -> Result<(), ()> { panic!("secret") }).unwrap_err().to_string(), "p");
    }

    #[test]
    fn steps_are_bounded_at_the_limit() {
        assert!(bounded("rows × columns", &[100_000, 100_000]).is_ok());
        let refused = bounded("rows × columns", &[100_000, 100_001]).unwrap_err().to_string();
        assert_eq!(refused, "rows × columns is 1.0e10, and the function takes at most 1e10");
        assert!(bounded("x", &[usize::MAX, usize::MAX, usize::MAX]).is_err());
    }
}
