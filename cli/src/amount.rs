//! Amounts as people write them, in whole units with the asset's decimals, and as the ledger counts
//! them, in smallest units.

use crate::fail::{Failure, Result};

/// Smallest units of `text`, such as `12.5` or `1_000`. Strict: digits, at most one point with at
/// most `decimals` digits behind it, underscores between digits; nothing is rounded.
pub fn parse(text: &str, decimals: u8) -> Result<u64> {
    exact(text, decimals).ok_or_else(|| {
        let example = match decimals {
            0 => "a whole number as in 12".to_owned(),
            n => format!("a number with at most {n} decimals as in 12.5"),
        };
        Failure::input(
            "amount",
            format!("`{text}` is not an amount of this asset"),
            format!("write {example}, below 2^64 smallest units"),
        )
    })
}

fn exact(text: &str, decimals: u8) -> Option<u64> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return None,
        None => (text, ""),
    };
    let digits = |part: &str| {
        part.split('_').all(|group| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit()))
    };
    if !digits(whole) || !fraction.is_empty() && !digits(fraction) {
        return None;
    }
    let fraction = fraction.replace('_', "");
    let missing = usize::from(decimals).checked_sub(fraction.len())?;
    let number = format!("{}{fraction}{}", whole.replace('_', ""), "0".repeat(missing));
    number.parse().ok()
}

/// Units of an amount of smallest units, in the form that [`parse`] reads.
pub fn format(amount: u64, decimals: u8) -> String {
    let unit = 10u128.pow(u32::from(decimals));
    let (whole, rest) = (u128::from(amount) / unit, u128::from(amount) % unit);
    let fraction = format!("{rest:0width$}", width = usize::from(decimals));
    match fraction.trim_end_matches('0') {
        "" => whole.to_string(),
        digits => format!("{whole}.{digits}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_round_trip() {
        for decimals in [0, 2, 18] {
            for amount in [0, 1, 10, 99, 100, 12_345, u64::MAX] {
                assert_eq!(exact(&format(amount, decimals), decimals), Some(amount));
            }
        }
    }

    #[test]
    fn amounts_are_read_strictly() {
        assert_eq!(exact("12.5", 2), Some(1250));
        assert_eq!(exact("1_000.05", 2), Some(100_005));
        assert_eq!(exact("007", 0), Some(7));
        for bad in ["", ".", "1.", ".5", "1.234", "-1", "+1", "1e3", " 1", "1__0", "1,0", "0x1"] {
            assert_eq!(exact(bad, 2), None, "{bad}");
        }
        assert_eq!(exact("18446744073709551616", 0), None);
        assert_eq!(exact("184467440737095516.16", 2), None);
    }
}
