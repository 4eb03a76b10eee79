//! What every party of a Placet network agrees on
