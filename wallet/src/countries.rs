//! Countries by ISO 3166-1: the names and codes that policies and credentials are written with.
//! The numeric code is the jurisdiction of spec §4.

use placet_protocol::credential::Jurisdiction;

/// One entry of ISO 3166-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Country {
    /// Numeric code, 1 to 999.
    pub numeric: u16,
    /// Two capital letters.
    pub alpha2: &'static str,
    /// Three capital letters.
    pub alpha3: &'static str,
    /// Short name in English.
    pub name: &'static str,
}

impl Country {
    /// By numeric code.
    pub fn by_numeric(numeric: u16) -> Option<&'static Self> {
        COUNTRIES.iter().find(|country| country.numeric == numeric)
    }

    /// By two or three letters in either case, or by numeric code with leading zeros.
    pub fn by_code(code: &str) -> Option<&'static Self> {
        if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::by_numeric(code.parse().ok()?);
        }
        COUNTRIES.iter().find(|country| {
            country.alpha2.eq_ignore_ascii_case(code) || country.alpha3.eq_ignore_ascii_case(code)
        })
    }

    /// The jurisdiction of its residents.
    pub fn jurisdiction(&self) -> Jurisdiction {
        Jurisdiction::new(self.numeric).expect("three digits fit 12 bits")
    }
}

const fn country(
    numeric: u16,
    alpha2: &'static str,
    alpha3: &'static str,
    name: &'static str,
) -> Country {
    Country { numeric, alpha2, alpha3, name }
}

/// All officially assigned entries, in order of their numeric code.
pub const COUNTRIES: [Country; 249] = [
    country(4, "AF", "AFG", "Afghanistan"),
    country(8, "AL", "ALB", "Albania"),
    country(10, "AQ", "ATA", "Antarctica"),
    country(12, "DZ", "DZA", "Algeria"),
    country(16, "AS", "ASM", "American Samoa"),
    country(20, "AD", "AND", "Andorra"),
    country(24, "AO", "AGO", "Angola"),
    country(28, "AG", "ATG", "Antigua and Barbuda"),
    country(31, "AZ", "AZE", "Azerbaijan"),
    country(32, "AR", "ARG", "Argentina"),
    country(36, "AU", "AUS", "Australia"),
    country(40, "AT", "AUT", "Austria"),
    country(44, "BS", "BHS", "Bahamas"),
    country(48, "BH", "BHR", "Bahrain"),
    country(50, "BD", "BGD", "Bangladesh"),
    country(51, "AM", "ARM", "Armenia"),
    country(52, "BB", "BRB", "Barbados"),
    country(56, "BE", "BEL", "Belgium"),
    country(60, "BM", "BMU", "Bermuda"),
    country(64, "BT", "BTN", "Bhutan"),
    country(68, "BO", "BOL", "Bolivia"),
    country(70, "BA", "BIH", "Bosnia and Herzegovina"),
    country(72, "BW", "BWA", "Botswana"),
    country(74, "BV", "BVT", "Bouvet Island"),
    country(76, "BR", "BRA", "Brazil"),
    country(84, "BZ", "BLZ", "Belize"),
    country(86, "IO", "IOT", "British Indian Ocean Territory"),
    country(90, "SB", "SLB", "Solomon Islands"),
    country(92, "VG", "VGB", "Virgin Islands (British)"),
    country(96, "BN", "BRN", "Brunei Darussalam"),
    country(100, "BG", "BGR", "Bulgaria"),
    country(104, "MM", "MMR", "Myanmar"),
    country(108, "BI", "BDI", "Burundi"),
    country(112, "BY", "BLR", "Belarus"),
    country(116, "KH", "KHM", "Cambodia"),
    country(120, "CM", "CMR", "Cameroon"),
    country(124, "CA", "CAN", "Canada"),
    country(132, "CV", "CPV", "Cabo Verde"),
    country(136, "KY", "CYM", "Cayman Islands"),
    country(140, "CF", "CAF", "Central African Republic"),
    country(144, "LK", "LKA", "Sri Lanka"),
    country(148, "TD", "TCD", "Chad"),
    country(152, "CL", "CHL", "Chile"),
    country(156, "CN", "CHN", "China"),
    country(158, "TW", "TWN", "Taiwan"),
    country(162, "CX", "CXR", "Christmas Island"),
    country(166, "CC", "CCK", "Cocos (Keeling) Islands"),
    country(170, "CO", "COL", "Colombia"),
    country(174, "KM", "COM", "Comoros"),
    country(175, "YT", "MYT", "Mayotte"),
    country(178, "CG", "COG", "Congo"),
    country(180, "CD", "COD", "Congo (Democratic Republic)"),
    country(184, "CK", "COK", "Cook Islands"),
    country(188, "CR", "CRI", "Costa Rica"),
    country(191, "HR", "HRV", "Croatia"),
    country(192, "CU", "CUB", "Cuba"),
    country(196, "CY", "CYP", "Cyprus"),
    country(203, "CZ", "CZE", "Czechia"),
    country(204, "BJ", "BEN", "Benin"),
    country(208, "DK", "DNK", "Denmark"),
    country(212, "DM", "DMA", "Dominica"),
    country(214, "DO", "DOM", "Dominican Republic"),
    country(218, "EC", "ECU", "Ecuador"),
    country(222, "SV", "SLV", "El Salvador"),
    country(226, "GQ", "GNQ", "Equatorial Guinea"),
    country(231, "ET", "ETH", "Ethiopia"),
    country(232, "ER", "ERI", "Eritrea"),
    country(233, "EE", "EST", "Estonia"),
    country(234, "FO", "FRO", "Faroe Islands"),
    country(238, "FK", "FLK", "Falkland Islands (Malvinas)"),
    country(239, "GS", "SGS", "South Georgia and the South Sandwich Islands"),
    country(242, "FJ", "FJI", "Fiji"),
    country(246, "FI", "FIN", "Finland"),
    country(248, "AX", "ALA", "Åland Islands"),
    country(250, "FR", "FRA", "France"),
    country(254, "GF", "GUF", "French Guiana"),
    country(258, "PF", "PYF", "French Polynesia"),
    country(260, "TF", "ATF", "French Southern Territories"),
    country(262, "DJ", "DJI", "Djibouti"),
    country(266, "GA", "GAB", "Gabon"),
    country(268, "GE", "GEO", "Georgia"),
    country(270, "GM", "GMB", "Gambia"),
    country(275, "PS", "PSE", "Palestine"),
    country(276, "DE", "DEU", "Germany"),
    country(288, "GH", "GHA", "Ghana"),
    country(292, "GI", "GIB", "Gibraltar"),
    country(296, "KI", "KIR", "Kiribati"),
    country(300, "GR", "GRC", "Greece"),
    country(304, "GL", "GRL", "Greenland"),
    country(308, "GD", "GRD", "Grenada"),
    country(312, "GP", "GLP", "Guadeloupe"),
    country(316, "GU", "GUM", "Guam"),
    country(320, "GT", "GTM", "Guatemala"),
    country(324, "GN", "GIN", "Guinea"),
    country(328, "GY", "GUY", "Guyana"),
    country(332, "HT", "HTI", "Haiti"),
    country(334, "HM", "HMD", "Heard Island and McDonald Islands"),
    country(336, "VA", "VAT", "Holy See"),
    country(340, "HN", "HND", "Honduras"),
    country(344, "HK", "HKG", "Hong Kong"),
    country(348, "HU", "HUN", "Hungary"),
    country(352, "IS", "ISL", "Iceland"),
    country(356, "IN", "IND", "India"),
    country(360, "ID", "IDN", "Indonesia"),
    country(364, "IR", "IRN", "Iran"),
    country(368, "IQ", "IRQ", "Iraq"),
    country(372, "IE", "IRL", "Ireland"),
    country(376, "IL", "ISR", "Israel"),
    country(380, "IT", "ITA", "Italy"),
    country(384, "CI", "CIV", "Côte d'Ivoire"),
    country(388, "JM", "JAM", "Jamaica"),
    country(392, "JP", "JPN", "Japan"),
    country(398, "KZ", "KAZ", "Kazakhstan"),
    country(400, "JO", "JOR", "Jordan"),
    country(404, "KE", "KEN", "Kenya"),
    country(408, "KP", "PRK", "Korea (Democratic People's Republic)"),
    country(410, "KR", "KOR", "Korea (Republic)"),
    country(414, "KW", "KWT", "Kuwait"),
    country(417, "KG", "KGZ", "Kyrgyzstan"),
    country(418, "LA", "LAO", "Lao People's Democratic Republic"),
    country(422, "LB", "LBN", "Lebanon"),
    country(426, "LS", "LSO", "Lesotho"),
    country(428, "LV", "LVA", "Latvia"),
    country(430, "LR", "LBR", "Liberia"),
    country(434, "LY", "LBY", "Libya"),
    country(438, "LI", "LIE", "Liechtenstein"),
    country(440, "LT", "LTU", "Lithuania"),
    country(442, "LU", "LUX", "Luxembourg"),
    country(446, "MO", "MAC", "Macao"),
    country(450, "MG", "MDG", "Madagascar"),
    country(454, "MW", "MWI", "Malawi"),
    country(458, "MY", "MYS", "Malaysia"),
    country(462, "MV", "MDV", "Maldives"),
    country(466, "ML", "MLI", "Mali"),
    country(470, "MT", "MLT", "Malta"),
    country(474, "MQ", "MTQ", "Martinique"),
    country(478, "MR", "MRT", "Mauritania"),
    country(480, "MU", "MUS", "Mauritius"),
    country(484, "MX", "MEX", "Mexico"),
    country(492, "MC", "MCO", "Monaco"),
    country(496, "MN", "MNG", "Mongolia"),
    country(498, "MD", "MDA", "Moldova"),
    country(499, "ME", "MNE", "Montenegro"),
    country(500, "MS", "MSR", "Montserrat"),
    country(504, "MA", "MAR", "Morocco"),
    country(508, "MZ", "MOZ", "Mozambique"),
    country(512, "OM", "OMN", "Oman"),
    country(516, "NA", "NAM", "Namibia"),
    country(520, "NR", "NRU", "Nauru"),
    country(524, "NP", "NPL", "Nepal"),
    country(528, "NL", "NLD", "Netherlands"),
    country(531, "CW", "CUW", "Curaçao"),
    country(533, "AW", "ABW", "Aruba"),
    country(534, "SX", "SXM", "Sint Maarten (Dutch part)"),
    country(535, "BQ", "BES", "Bonaire, Sint Eustatius and Saba"),
    country(540, "NC", "NCL", "New Caledonia"),
    country(548, "VU", "VUT", "Vanuatu"),
    country(554, "NZ", "NZL", "New Zealand"),
    country(558, "NI", "NIC", "Nicaragua"),
    country(562, "NE", "NER", "Niger"),
    country(566, "NG", "NGA", "Nigeria"),
    country(570, "NU", "NIU", "Niue"),
    country(574, "NF", "NFK", "Norfolk Island"),
    country(578, "NO", "NOR", "Norway"),
    country(580, "MP", "MNP", "Northern Mariana Islands"),
    country(581, "UM", "UMI", "United States Minor Outlying Islands"),
    country(583, "FM", "FSM", "Micronesia"),
    country(584, "MH", "MHL", "Marshall Islands"),
    country(585, "PW", "PLW", "Palau"),
    country(586, "PK", "PAK", "Pakistan"),
    country(591, "PA", "PAN", "Panama"),
    country(598, "PG", "PNG", "Papua New Guinea"),
    country(600, "PY", "PRY", "Paraguay"),
    country(604, "PE", "PER", "Peru"),
    country(608, "PH", "PHL", "Philippines"),
    country(612, "PN", "PCN", "Pitcairn"),
    country(616, "PL", "POL", "Poland"),
    country(620, "PT", "PRT", "Portugal"),
    country(624, "GW", "GNB", "Guinea-Bissau"),
    country(626, "TL", "TLS", "Timor-Leste"),
    country(630, "PR", "PRI", "Puerto Rico"),
    country(634, "QA", "QAT", "Qatar"),
    country(638, "RE", "REU", "Réunion"),
    country(642, "RO", "ROU", "Romania"),
    country(643, "RU", "RUS", "Russian Federation"),
    country(646, "RW", "RWA", "Rwanda"),
    country(652, "BL", "BLM", "Saint Barthélemy"),
    country(654, "SH", "SHN", "Saint Helena, Ascension and Tristan da Cunha"),
    country(659, "KN", "KNA", "Saint Kitts and Nevis"),
    country(660, "AI", "AIA", "Anguilla"),
    country(662, "LC", "LCA", "Saint Lucia"),
    country(663, "MF", "MAF", "Saint Martin (French part)"),
    country(666, "PM", "SPM", "Saint Pierre and Miquelon"),
    country(670, "VC", "VCT", "Saint Vincent and the Grenadines"),
    country(674, "SM", "SMR", "San Marino"),
    country(678, "ST", "STP", "Sao Tome and Principe"),
    country(682, "SA", "SAU", "Saudi Arabia"),
    country(686, "SN", "SEN", "Senegal"),
    country(688, "RS", "SRB", "Serbia"),
    country(690, "SC", "SYC", "Seychelles"),
    country(694, "SL", "SLE", "Sierra Leone"),
    country(702, "SG", "SGP", "Singapore"),
    country(703, "SK", "SVK", "Slovakia"),
    country(704, "VN", "VNM", "Viet Nam"),
    country(705, "SI", "SVN", "Slovenia"),
    country(706, "SO", "SOM", "Somalia"),
    country(710, "ZA", "ZAF", "South Africa"),
    country(716, "ZW", "ZWE", "Zimbabwe"),
    country(724, "ES", "ESP", "Spain"),
    country(728, "SS", "SSD", "South Sudan"),
    country(729, "SD", "SDN", "Sudan"),
    country(732, "EH", "ESH", "Western Sahara"),
    country(740, "SR", "SUR", "Suriname"),
    country(744, "SJ", "SJM", "Svalbard and Jan Mayen"),
    country(748, "SZ", "SWZ", "Eswatini"),
    country(752, "SE", "SWE", "Sweden"),
    country(756, "CH", "CHE", "Switzerland"),
    country(760, "SY", "SYR", "Syrian Arab Republic"),
    country(762, "TJ", "TJK", "Tajikistan"),
    country(764, "TH", "THA", "Thailand"),
    country(768, "TG", "TGO", "Togo"),
    country(772, "TK", "TKL", "Tokelau"),
    country(776, "TO", "TON", "Tonga"),
    country(780, "TT", "TTO", "Trinidad and Tobago"),
    country(784, "AE", "ARE", "United Arab Emirates"),
    country(788, "TN", "TUN", "Tunisia"),
    country(792, "TR", "TUR", "Türkiye"),
    country(795, "TM", "TKM", "Turkmenistan"),
    country(796, "TC", "TCA", "Turks and Caicos Islands"),
    country(798, "TV", "TUV", "Tuvalu"),
    country(800, "UG", "UGA", "Uganda"),
    country(804, "UA", "UKR", "Ukraine"),
    country(807, "MK", "MKD", "North Macedonia"),
    country(818, "EG", "EGY", "Egypt"),
    country(826, "GB", "GBR", "United Kingdom"),
    country(831, "GG", "GGY", "Guernsey"),
    country(832, "JE", "JEY", "Jersey"),
    country(833, "IM", "IMN", "Isle of Man"),
    country(834, "TZ", "TZA", "Tanzania"),
    country(840, "US", "USA", "United States"),
    country(850, "VI", "VIR", "Virgin Islands (U.S.)"),
    country(854, "BF", "BFA", "Burkina Faso"),
    country(858, "UY", "URY", "Uruguay"),
    country(860, "UZ", "UZB", "Uzbekistan"),
    country(862, "VE", "VEN", "Venezuela"),
    country(876, "WF", "WLF", "Wallis and Futuna"),
    country(882, "WS", "WSM", "Samoa"),
    country(887, "YE", "YEM", "Yemen"),
    country(894, "ZM", "ZMB", "Zambia"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_well_formed_and_distinct() {
        assert!(COUNTRIES.is_sorted_by(|a, b| a.numeric < b.numeric));
        assert!(COUNTRIES.iter().all(|country| (1..1000).contains(&country.numeric)));
        for (length, codes) in [
            (2, COUNTRIES.map(|country| country.alpha2)),
            (3, COUNTRIES.map(|country| country.alpha3)),
        ] {
            let capital = |code: &&str| code.bytes().all(|byte| byte.is_ascii_uppercase());
            assert!(codes.iter().all(|code| code.len() == length && capital(code)));
            assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), COUNTRIES.len());
        }
        assert!(COUNTRIES.iter().all(|country| !country.name.is_empty()));
    }

    #[test]
    fn every_code_finds_its_country() {
        for country in &COUNTRIES {
            for code in [
                country.alpha2.to_string(),
                country.alpha3.to_lowercase(),
                format!("{:03}", country.numeric),
            ] {
                assert_eq!(Country::by_code(&code), Some(country));
            }
            assert_eq!(country.jurisdiction().code(), country.numeric);
        }
        for unknown in ["", "X", "XX", "ZZZ", "000", "1000", "25O", "France"] {
            assert_eq!(Country::by_code(unknown), None);
        }
    }
}
