use cloakroom_core::StoreErrorKind;

use super::of;
use crate::error::Meaning;

#[test]
fn codes_have_a_meaning() {
    use StoreErrorKind::{Full, Misconfigured, Other, TooLarge, Unavailable};
    for (codes, meaning) in [
        (&["40001", "40P01", "55P03", "53300"][..], Meaning::Collided),
        (&["57P01", "57P02", "57P03", "57P05", "08006", "08P01", "40003"], Meaning::Ends),
        (&["25006", "26000", "0A000"], Meaning::NotHere(Misconfigured)),
        (&["53100"], Meaning::Is(Full)),
        (&["53200", "57014"], Meaning::Is(Unavailable)),
        (
            &["28P01", "28000", "3D000", "3F000", "42501", "42P01", "42703", "42601"],
            Meaning::Is(Misconfigured),
        ),
        (&["54000"], Meaning::Is(TooLarge)),
        (&["XX000", "XX001", "XX002", "58030", "23505", "", "40002"], Meaning::Is(Other)),
    ] {
        for code in codes {
            assert_eq!(of(code).0, meaning, "{code}");
        }
    }
}
