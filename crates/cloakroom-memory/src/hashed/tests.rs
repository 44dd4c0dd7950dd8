use super::Hashed;

/// How many of 6 400 digests fall into the fullest and the emptiest of 64 places.
fn spread(offset: usize, place: impl Fn(u64) -> u64) -> (usize, usize) {
    let mut places = [0; 64];
    for number in 0..6_400_u16 {
        let mut digest = [7; 32];
        digest[offset..offset + 2].copy_from_slice(&number.to_be_bytes());
        places[usize::try_from(place(Hashed::from(&digest).hash) % 64).unwrap()] += 1;
    }
    (*places.iter().min().unwrap(), *places.iter().max().unwrap())
}

#[test]
fn digests_that_differ_in_two_bytes_spread_evenly() {
    for offset in 0..31 {
        let parts: [fn(u64) -> u64; 3] = [|hash| hash, |hash| hash >> 32, |hash| hash >> 57];
        for place in parts {
            let (least, most) = spread(offset, place);
            assert!(least >= 30 && most <= 250, "at {offset}: {least} to {most} of 100");
        }
    }
}
