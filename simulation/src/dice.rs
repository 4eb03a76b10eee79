//! Random choices of a plan. A generator of our own, so that a seed names the same run for ever,
//! whatever becomes of the libraries.

/// SplitMix64. Not for anything secret.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Everything that follows depends on the seed alone.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `0..n`; `n` is at least 1.
    pub fn below(&mut self, n: usize) -> usize {
        (self.draw() % n as u64) as usize
    }

    /// From `low..=high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.draw() % (high - low + 1)
    }

    /// Whether something of this probability, in percent, happens.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.draw() % 100 < percent
    }

    /// One of them; there is at least one.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// `count` different ones of `0..n`, ascending.
    pub fn choose(&mut self, count: usize, n: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..n).collect();
        for i in 0..count.min(n) {
            let j = i + self.below(n - i);
            all.swap(i, j);
        }
        all.truncate(count.min(n));
        all.sort_unstable();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of SplitMix64 from seed 1234567, from its reference implementation.
    #[test]
    fn a_seed_names_the_same_choices_for_ever() {
        let mut dice = Dice::new(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973];
        assert_eq!([dice.draw(), dice.draw()], expected);
    }

    #[test]
    fn chosen_ones_differ_and_ascend() {
        let mut dice = Dice::new(7);
        for _ in 0..100 {
            let chosen = dice.choose(3, 5);
            assert!(chosen.len() == 3 && chosen.is_sorted_by(|a, b| a < b) && chosen[2] < 5);
        }
    }
}
