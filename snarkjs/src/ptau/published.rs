//! BLAKE2b-512 of the files of the public ceremony, prepared for phase 2, as snarkjs's README lists
//! them (version 0.7.6): 54 contributions and a beacon, cut to each size.

use placet_params::transcript::PtauHash;

/// Name of a file of the public ceremony.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedName(u8);

impl std::fmt::Display for PublishedName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "powersOfTau28_hez_final_{:02}.ptau", self.0)
    }
}

/// The smallest published power.
const FIRST: u8 = 8;

/// The hash of the published file of this power, 8 to 20.
pub fn published_hash(power: u8) -> Option<PtauHash> {
    let text = HASHES.get(usize::from(power.checked_sub(FIRST)?))?;
    let mut hash = [0u8; 64];
    hex::decode_to_slice(text, &mut hash).expect("the table holds 128 digits in each line");
    Some(PtauHash(hash))
}

/// The published file that has this hash.
pub fn published_name(hash: &PtauHash) -> Option<PublishedName> {
    (FIRST..FIRST + HASHES.len() as u8)
        .find(|power| published_hash(*power).as_ref() == Some(hash))
        .map(PublishedName)
}

/// By power, from 8.
const HASHES: [&str; 13] = [
    "d6a8fb3a04feb600096c3b791f936a578c4e664d262e4aa24beed1b7a9a96aa5eb72864d628db247e9293384b74b36ffb52ca8d148d6e1b8b51e279fdf57b583",
    "94f108a80e81b5d932d8e8c9e8fd7f46cf32457e31462deeeef37af1b71c2c1b3c71fb0d9b59c654ec266b042735f50311f9fd1d4cadce47ab234ad163157cb5",
    "6cfeb8cda92453099d20120bdd0e8a5c4e7706c2da9a8f09ccc157ed2464d921fd0437fb70db42104769efd7d6f3c1f964bcf448c455eab6f6c7d863e88a5849",
    "47c282116b892e5ac92ca238578006e31a47e7c7e70f0baa8b687f0a5203e28ea07bbbec765a98dcd654bad618475d4661bfaec3bd9ad2ed12e7abc251d94d33",
    "ded2694169b7b08e898f736d5de95af87c3f1a64594013351b1a796dbee393bd825f88f9468c84505ddd11eb0b1465ac9b43b9064aa8ec97f2b73e04758b8a4a",
    "58efc8bf2834d04768a3d7ffcd8e1e23d461561729beaac4e3e7a47829a1c9066d5320241e124a1a8e8aa6c75be0ba66f65bc8239a0542ed38e11276f6fdb4d9",
    "eeefbcf7c3803b523c94112023c7ff89558f9b8e0cf5d6cdcba3ade60f168af4a181c9c21774b94fbae6c90411995f7d854d02ebd93fb66043dbb06f17a831c1",
    "982372c867d229c236091f767e703253249a9b432c1710b4f326306bfa2428a17b06240359606cfe4d580b10a5a1f63fbed499527069c18ae17060472969ae6e",
    "6a6277a2f74e1073601b4f9fed6e1e55226917efb0f0db8a07d98ab01df1ccf43eb0e8c3159432acd4960e2f29fe84a4198501fa54c8dad9e43297453efec125",
    "6247a3433948b35fbfae414fa5a9355bfb45f56efa7ab4929e669264a0258976741dfbe3288bfb49828e5df02c2e633df38d2245e30162ae7e3bcca5b8b49345",
    "7e6a9c2e5f05179ddfc923f38f917c9e6831d16922a902b0b4758b8e79c2ab8a81bb5f29952e16ee6c5067ed044d7857b5de120a90704c1d3b637fd94b95b13e",
    "bca9d8b04242f175189872c42ceaa21e2951e0f0f272a0cc54fc37193ff6648600eaf1c555c70cdedfaf9fb74927de7aa1d33dc1e2a7f1a50619484989da0887",
    "89a66eb5590a1c94e3f1ee0e72acf49b1669e050bb5f93c73b066b564dca4e0c7556a52b323178269d64af325d8fdddb33da3a27c34409b821de82aa2bf1a27b",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_hash_is_found_by_its_power_only() {
        for power in 8..=20 {
            let hash = published_hash(power).unwrap();
            assert_eq!(published_name(&hash), Some(PublishedName(power)));
        }
        assert_eq!(published_hash(7), None);
        assert_eq!(published_hash(21), None);
        assert_eq!(published_name(&PtauHash([0; 64])), None);
    }
}
