use cloakroom_core::StoreErrorKind;

use super::of;
use crate::error::Meaning;

#[test]
fn numbers_have_a_meaning() {
    use StoreErrorKind::{Full, Misconfigured, Other, TooLarge, Unavailable};
    for (numbers, meaning) in [
        (&[1205, 1213, 1020, 1040, 1203][..], Meaning::Collided),
        (&[1053, 1927, 4031], Meaning::Ends),
        (&[1290, 1792, 1836], Meaning::NotHere(Misconfigured)),
        (&[1243, 1615], Meaning::NotHere(Unavailable)),
        (&[1317, 1969, 3024], Meaning::Is(Unavailable)),
        (&[1021, 1114], Meaning::Is(Full)),
        (&[1153, 1406], Meaning::Is(TooLarge)),
        (&[1044, 1045, 1046, 1049, 1142, 1146, 1054, 1698], Meaning::Is(Misconfigured)),
        (&[1034, 1194], Meaning::Is(Other)),
        // 1105 is what proxies say when they know nothing, not even whether the statement was executed.
        (&[0, 1064, 1030, 1105], Meaning::Is(Other)),
    ] {
        for number in numbers {
            assert_eq!(of(*number).0, meaning, "{number}");
        }
    }
}
