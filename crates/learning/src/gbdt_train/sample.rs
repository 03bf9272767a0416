//! Samples without replacement.

use rand_xoshiro::rand_core::RngCore;

/// A share of the numbers below `count`, at least one, in order.
pub(super) fn sample(generator: &mut impl RngCore, count: usize, share: f64) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..count).collect();
    let wanted = ((count as f64 * share) as usize).clamp(1, count);
    if wanted == count {
        return numbers;
    }
    for at in 0..wanted {
        let rest = (count - at) as u64;
        // Of 2⁶⁴ values so few are more than fair that no sample shows it.
        let other = at + usize::try_from(generator.next_u64() % rest).expect("less than count");
        numbers.swap(at, other);
    }
    numbers.truncate(wanted);
    numbers.sort_unstable();
    numbers
}

#[cfg(test)]
mod tests {
    use rand_xoshiro::Xoshiro256Plus;
    use rand_xoshiro::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn samples_are_distinct_and_of_the_right_size() {
        let mut generator = Xoshiro256Plus::seed_from_u64(7);
        assert_eq!(sample(&mut generator, 5, 1.0), [0, 1, 2, 3, 4]);
        assert_eq!(sample(&mut generator, 5, 0.001).len(), 1);
        let mut seen = vec![0; 10];
        for _ in 0..1000 {
            let sample = sample(&mut generator, 10, 0.5);
            assert!(sample.len() == 5 && sample.is_sorted_by(|left, right| left < right));
            sample.iter().for_each(|number| seen[*number] += 1);
        }
        assert!(seen.iter().all(|count| (430..570).contains(count)), "{seen:?}");
    }
}
