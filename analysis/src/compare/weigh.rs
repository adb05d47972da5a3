//! How well something divides failing runs from passing ones, and how easily chance would do as well. Pure numbers.

use hangdog_schemas::Rate;

/// How likely at least `in_failed` of `failed` failing runs have something, when it stands in `in_failed + in_passed`
/// of all runs without regard to how they end (Fisher's exact test, one-sided).
pub(super) fn chance(in_failed: u32, failed: u32, in_passed: u32, passed: u32) -> f64 {
    let (all, with) = (failed + passed, in_failed + in_passed);
    let most = with.min(failed);
    let one = |k: u32| (ln_choose(with, k) + ln_choose(all - with, failed - k) - ln_choose(all, failed)).exp();
    (in_failed..=most).filter(|k| failed - k <= all - with).map(one).sum::<f64>().min(1.0)
}

fn ln_choose(n: u32, k: u32) -> f64 {
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
}

fn ln_factorial(n: u32) -> f64 {
    (2..=n).map(|k| f64::from(k).ln()).sum()
}

/// A share with its 95 % interval (Wilson 1927).
pub fn rate(failed: u32, of: u32) -> Rate {
    const Z: f64 = 1.959_964;
    if of == 0 {
        return Rate { failed, of, low: 0.0, high: 1.0 };
    }
    let (n, share) = (f64::from(of), f64::from(failed) / f64::from(of));
    let middle = (share + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    Rate { failed, of, low: (middle - half).max(0.0), high: (middle + half).min(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check((in_failed, failed): (u32, u32), (in_passed, passed): (u32, u32), expected: f64) {
        let found = chance(in_failed, failed, in_passed, passed);
        assert!((found - expected).abs() < expected * 0.01 + 1e-12, "{found} is not {expected}");
    }

    #[test]
    fn the_fewer_runs_the_easier_for_chance() {
        // One of C(20, 9), C(20, 2), C(2, 1) ways.
        check((9, 9), (0, 11), 1.0 / 167_960.0);
        check((2, 2), (0, 18), 1.0 / 190.0);
        check((1, 1), (0, 1), 0.5);
        // What all runs have, and what none has, divides nothing.
        check((9, 9), (11, 11), 1.0);
        check((0, 9), (0, 11), 1.0);
        // Fisher's lady: 3 of 4 cups.
        check((3, 4), (1, 4), 17.0 / 70.0);
    }

    #[test]
    fn intervals_hold_the_share() {
        let rate = rate(3, 20);
        assert!((rate.low - 0.0524).abs() < 0.001 && (rate.high - 0.3604).abs() < 0.001, "{rate:?}");
        assert!(super::rate(0, 20).low < 1e-9 && super::rate(20, 20).high > 0.999_999);
        assert!(super::rate(0, 0).high > 0.99);
    }
}
