//! What nobody but its owner, its attestor and the transfer agent may learn, and a search of the
//! blocks for it in every form in which it could have slipped in.

use placet_protocol::field::to_bytes;
use placet_wallet::holder::Holder;

use super::cast::Person;

/// One secret in one form.
struct Needle {
    /// What to say if it is found; not the secret itself.
    name: String,
    bytes: Vec<u8>,
    /// Whether the sanctions list that the authorities publish has it by its nature.
    listed: bool,
}

/// Everything to search for.
#[derive(Default)]
pub struct Secrets {
    needles: Vec<Needle>,
    count: usize,
}

impl Secrets {
    /// What is secret of a person: names, document, key.
    pub fn add_person(&mut self, person: Person, wallet: &Holder, listed: bool) {
        let profile = person.profile();
        for word in profile.name.split(' ') {
            self.add(&format!("the name {word}"), false, [word.into(), word.to_uppercase().into()]);
        }
        let number = profile.document.1;
        let forms = [number.into(), number.to_lowercase().into(), hex::encode(number).into()];
        self.add(&format!("the document number of {}", person.first()), false, forms);
        if let Some(subject) = profile.document().subject() {
            self.add_field(&format!("the document of {}", person.first()), listed, &subject.get());
        }
        self.add_field(&format!("the key of {}", person.first()), false, &wallet.id().get());
        let address = wallet.address().to_string();
        self.add(&format!("the address of {}", person.first()), false, [address.into()]);
    }

    /// An amount that only its parties may know, in smallest units.
    pub fn add_amount(&mut self, amount: u64) {
        let hexadecimal = format!("{amount:016x}");
        let forms = [
            amount.to_le_bytes().to_vec(),
            amount.to_be_bytes().to_vec(),
            amount.to_string().into(),
            hexadecimal.into(),
        ];
        self.add(&format!("the amount {amount}"), false, forms);
    }

    fn add_field(&mut self, name: &str, listed: bool, value: &ark_bn254::Fr) {
        let little = to_bytes(value);
        let big: Vec<u8> = little.iter().rev().copied().collect();
        let forms = [
            little.to_vec(),
            hex::encode(little).into(),
            hex::encode(&big).into(),
            value.to_string().into(),
            big,
        ];
        self.add(name, listed, forms);
    }

    fn add<const N: usize>(&mut self, name: &str, listed: bool, forms: [Vec<u8>; N]) {
        self.count += 1;
        let needle = |bytes| Needle { name: name.to_owned(), bytes, listed };
        self.needles.extend(forms.map(needle));
    }

    /// How many secrets there are, whatever their forms.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Names of those that occur in `all`, or in `unlisted` where the published list has them.
    pub fn search(&self, all: &[Vec<u8>], unlisted: &[Vec<u8>]) -> Vec<String> {
        let occurs = |needle: &Needle| {
            let haystacks = if needle.listed { unlisted } else { all };
            haystacks.iter().any(|haystack| contains(haystack, &needle.bytes))
        };
        let mut found: Vec<_> =
            self.needles.iter().filter(|needle| occurs(needle)).map(|n| n.name.clone()).collect();
        found.dedup();
        found
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::Fr;

    #[test]
    fn every_form_is_found_and_nothing_else() {
        let mut secrets = Secrets::default();
        secrets.add_amount(61_040);
        let value = Fr::from(77_777_777u64);
        secrets.add_field("a field", true, &value);
        assert_eq!(secrets.len(), 2);
        let padded = |bytes: &[u8]| vec![[b"abc".as_slice(), bytes, b"xyz"].concat()];
        let amount = |bytes: &[u8]| secrets.search(&padded(bytes), &[]);
        for form in [&61_040u64.to_le_bytes()[..], &61_040u64.to_be_bytes(), b"61040"] {
            assert_eq!(amount(form), ["the amount 61040"]);
        }
        assert!(amount(b"61041").is_empty());
        // What the published list has by its nature is searched for elsewhere only.
        let little = to_bytes(&value);
        assert!(secrets.search(&padded(&little), &padded(b"")).is_empty());
        for form in [little.to_vec(), hex::encode(little).into(), b"77777777".to_vec()] {
            assert_eq!(secrets.search(&[], &padded(&form)), ["a field"]);
        }
    }
}
