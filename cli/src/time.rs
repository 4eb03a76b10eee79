//! Points in time and durations as people write them. All times are UTC.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::fail::{Failure, Result};

/// Seconds of a day.
pub const DAY: u64 = 86_400;
/// Times of the protocol are below this.
const LIMIT: u64 = 1 << 40;

/// Seconds since the Unix epoch now.
pub fn now() -> Result<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map(|since| since.as_secs()).map_err(|error| Failure::internal(&error))
}

/// Reads `2027-01-31`, `2027-01-31T12:30:00Z`, `2027-01-31 12:30` or seconds since the Unix epoch.
pub fn parse(text: &str) -> std::result::Result<u64, String> {
    point(text).filter(|time| *time < LIMIT).ok_or_else(|| {
        "write a time as 2027-01-31, 2027-01-31T12:30:00Z or seconds since 1970, all in UTC".into()
    })
}

fn point(text: &str) -> Option<u64> {
    if let Some(seconds) = number(text, 1..=13) {
        return Some(seconds);
    }
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (date, clock) = match text.split_once(['T', ' ']) {
        Some((date, clock)) => (date, clock),
        None => (text, "00:00"),
    };
    let mut parts = date.split('-');
    let year = number(parts.next()?, 4..=4).filter(|year| *year >= 1970)?;
    let month = number(parts.next()?, 2..=2).filter(|month| (1..=12).contains(month))?;
    let day = number(parts.next()?, 2..=2)?;
    let mut clock = clock.split(':');
    let hour = number(clock.next()?, 2..=2).filter(|hour| *hour < 24)?;
    let minute = number(clock.next()?, 2..=2).filter(|minute| *minute < 60)?;
    let second = clock.next().map_or(Some(0), |text| number(text, 2..=2)).filter(|s| *s < 60)?;
    let complete = parts.next().is_none() && clock.next().is_none();
    if !complete || !(1..=days_of(year, month)).contains(&day) {
        return None;
    }
    let months: u64 = (1..month).map(|month| days_of(year, month)).sum();
    let days = days_before(year) + months + day - 1;
    Some(days * DAY + hour * 3600 + minute * 60 + second)
}

fn number(text: &str, length: std::ops::RangeInclusive<usize>) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    (digits && length.contains(&text.len())).then(|| text.parse().ok()).flatten()
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

fn days_of(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the epoch to the first of January of `year`, 1970 or later.
fn days_before(year: u64) -> u64 {
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969)
}

/// `2027-01-31T12:30:00Z`.
pub fn format(time: u64) -> String {
    let (days, clock) = (time / DAY, time % DAY);
    // Never too early: leap days make real years longer.
    let mut year = 1970 + days / 365;
    while days_before(year) > days {
        year -= 1;
    }
    let mut day = days - days_before(year);
    let mut month = 1;
    while day >= days_of(year, month) {
        day -= days_of(year, month);
        month += 1;
    }
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", day + 1)
}

/// Reads `90s`, `15m`, `12h`, `7d` or `2w` as seconds.
pub fn duration(text: &str) -> std::result::Result<u64, String> {
    let units = [('s', 1), ('m', 60), ('h', 3600), ('d', DAY), ('w', 7 * DAY)];
    let unit = units.iter().find(|(letter, _)| text.ends_with(*letter));
    unit.and_then(|(letter, length)| {
        number(text.strip_suffix(*letter)?, 1..=9)?.checked_mul(*length)
    })
    .ok_or_else(|| "write a duration as 90s, 15m, 12h, 7d or 2w".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_round_trip_and_agree_with_the_calendar() {
        // `date -u -d @N`
        for (time, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_348_799, "2026-11-22T11:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(format(time), text);
            assert_eq!(parse(text), Ok(time));
        }
        for time in (0..LIMIT / 64).step_by(86_399 * 1009) {
            let text = format(time);
            assert_eq!(point(&text), Some(time), "{text}");
        }
    }

    #[test]
    fn short_forms_are_read_and_nonsense_is_refused() {
        assert_eq!(parse("2026-11-22"), Ok(1_795_305_600));
        assert_eq!(parse("2026-11-22 11:59"), Ok(1_795_348_740));
        assert_eq!(parse("1795348740"), Ok(1_795_348_740));
        for bad in ["", "2026-02-30", "2026-13-01", "2026-1-1", "2026-01-01T24:00", "-5", "1e9"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse("9999999999999").is_err());
        assert_eq!(duration("15m"), Ok(900));
        assert_eq!(duration("2w"), Ok(1_209_600));
        for bad in ["", "m", "5", "-5m", "5 m", "1y", "1.5h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
