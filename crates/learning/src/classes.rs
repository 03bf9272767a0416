//! Class labels: text or numbers in files, indices in mathematics.

use std::collections::HashMap;

use executor::Failure;

/// The most classes that a model tells apart.
pub(crate) const MAX_CLASSES: usize = 1000;
/// The longest label, in bytes.
pub(crate) const MAX_LABEL_BYTES: usize = 256;

/// Labels in the order of their first occurrence.
#[derive(Debug, Default)]
pub(crate) struct Classes {
    indices: HashMap<String, u32>,
}

impl Classes {
    /// The index of a label, a new one if it was not seen before; `Err` says what is wrong with it.
    pub(crate) fn index(&mut self, label: &str) -> Result<u32, String> {
        if let Some(index) = self.indices.get(label) {
            return Ok(*index);
        }
        if label.is_empty() || label.len() > MAX_LABEL_BYTES {
            return Err(format!("a label has 1 to {MAX_LABEL_BYTES} bytes"));
        }
        if self.indices.len() == MAX_CLASSES {
            return Err(format!("there are more than {MAX_CLASSES} classes"));
        }
        let index = u32::try_from(self.indices.len()).expect("at most MAX_CLASSES");
        self.indices.insert(label.to_owned(), index);
        Ok(index)
    }

    /// The labels in order, numbers by their value, and the indices that rows have in it.
    pub(crate) fn sort(self, rows: &mut [u32]) -> Vec<String> {
        let mut order: Vec<(String, u32)> = self.indices.into_iter().collect();
        order.sort_by(|(left, _), (right, _)| match (left.parse::<f64>(), right.parse::<f64>()) {
            (Ok(left_number), Ok(right_number)) => left_number.total_cmp(&right_number).then_with(|| left.cmp(right)),
            (Ok(_), Err(_)) => std::cmp::Ordering::Less,
            (Err(_), Ok(_)) => std::cmp::Ordering::Greater,
            (Err(_), Err(_)) => left.cmp(right),
        });
        let mut sorted = vec![0; order.len()];
        for (new, (_, old)) in (0..).zip(&order) {
            sorted[*old as usize] = new;
        }
        rows.iter_mut().for_each(|row| *row = sorted[*row as usize]);
        order.into_iter().map(|(label, _)| label).collect()
    }
}

/// Refuses a table with one class: there is nothing to tell apart.
pub(crate) fn at_least_two(names: &[String]) -> Result<(), Failure> {
    if names.len() >= 2 { Ok(()) } else { Err(Failure::function("the label column has one class; two are needed")) }
}

/// Whether a model's classes are as many as a model has parts, and labels.
pub(crate) fn check(names: &[String]) -> Result<(), &'static str> {
    let distinct: std::collections::HashSet<_> = names.iter().collect();
    let fit = (2..=MAX_CLASSES).contains(&names.len()) && distinct.len() == names.len();
    if fit && names.iter().all(|name| !name.is_empty() && name.len() <= MAX_LABEL_BYTES) {
        return Ok(());
    }
    Err("its classes are not 2 to 1000 different labels")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_and_rows_follow() {
        let mut classes = Classes::default();
        let mut rows: Vec<u32> = ["10", "b", "9", "a", "b"].iter().map(|label| classes.index(label).unwrap()).collect();
        assert_eq!(classes.sort(&mut rows), ["9", "10", "a", "b"]);
        assert_eq!(rows, [1, 3, 0, 2, 3]);
    }

    #[test]
    fn labels_and_their_number_are_bounded() {
        let mut classes = Classes::default();
        assert!(classes.index("").is_err() && classes.index(&"x".repeat(257)).is_err());
        for class in 0..MAX_CLASSES {
            classes.index(&class.to_string()).unwrap();
        }
        assert_eq!(classes.index("one more").unwrap_err(), "there are more than 1000 classes");
        assert_eq!(classes.index("0"), Ok(0));
    }
}
