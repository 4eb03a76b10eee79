//! The truth, kept by plain arithmetic beside the protocol: what the transfer agent's register must
//! show in the end.

use super::cast::Person;
use placet_wallet::account::Holding;

/// Who holds what, in smallest units.
#[derive(Default)]
pub struct Books {
    holdings: [Holding; 5],
    moved: [bool; 5],
    /// Units ever minted.
    pub minted: u64,
    /// Units ever redeemed.
    pub redeemed: u64,
}

impl Books {
    /// What a person holds.
    pub fn holding(&self, person: Person) -> Holding {
        self.holdings[person as usize]
    }

    /// Whether the person ever made a transfer, by which its document became known to the agent.
    pub fn has_moved(&self, person: Person) -> bool {
        self.moved[person as usize]
    }

    /// Number of persons that hold anything.
    pub fn holders(&self) -> u64 {
        self.holdings.iter().map(|holding| u64::from(holding.held() > 0)).sum()
    }

    /// Units that were minted or sent, and that nobody has taken in yet.
    pub fn on_the_way(&self) -> u64 {
        let balances: u64 = self.holdings.iter().map(|holding| holding.balance).sum();
        self.minted - self.redeemed - balances
    }

    /// Units for somebody, not yet taken in.
    pub fn mint(&mut self, amount: u64) {
        self.minted += amount;
    }

    /// A person takes units in; `lock` says until when they do not move.
    pub fn accept(&mut self, person: Person, amount: u64, lock: Option<u64>) {
        let holding = self.touch(person);
        holding.balance += amount;
        if let Some(until) = lock {
            holding.locked += amount;
            holding.unlock_at = holding.unlock_at.max(until);
        }
    }

    /// A person sends units, which count as its own until they are settled.
    pub fn send(&mut self, person: Person, amount: u64) {
        let holding = self.touch(person);
        holding.balance -= amount;
        holding.in_flight += amount;
    }

    /// Units that were sent have arrived.
    pub fn settle(&mut self, person: Person, amount: u64) {
        self.touch(person).in_flight -= amount;
    }

    /// Units that were sent come back.
    pub fn refund(&mut self, person: Person, amount: u64) {
        let holding = self.touch(person);
        holding.in_flight -= amount;
        holding.balance += amount;
    }

    /// Units leave circulation.
    pub fn redeem(&mut self, person: Person, amount: u64) {
        self.touch(person).balance -= amount;
        self.redeemed += amount;
    }

    /// A lock has run out.
    pub fn unlock(&mut self, person: Person) {
        let holding = self.touch(person);
        (holding.locked, holding.unlock_at) = (0, 0);
    }

    fn touch(&mut self, person: Person) -> &mut Holding {
        self.moved[person as usize] = true;
        &mut self.holdings[person as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_minted_is_held_on_the_way_or_redeemed() {
        let mut books = Books::default();
        books.mint(10);
        assert_eq!((books.on_the_way(), books.holders()), (10, 0));
        books.accept(Person::Amelie, 10, Some(7));
        books.unlock(Person::Amelie);
        books.send(Person::Amelie, 4);
        assert_eq!((books.on_the_way(), books.holding(Person::Amelie).held()), (4, 10));
        books.accept(Person::Bruno, 4, None);
        books.settle(Person::Amelie, 4);
        books.redeem(Person::Bruno, 1);
        assert_eq!((books.on_the_way(), books.holders(), books.redeemed), (0, 2, 1));
        assert!(books.has_moved(Person::Bruno) && !books.has_moved(Person::Carol));
    }
}
