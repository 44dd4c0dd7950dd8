use std::time::Duration;

use cloakroom_core::{Record, Version};

use super::{Shard, Slot};
use crate::deadline::Deadline;
use crate::hashed::Hashed;

#[test]
fn a_record_costs_at_most_200_bytes_beyond_its_payload() {
    // What an allocator may add to a payload: a header, and rounding up.
    const ALLOCATOR: usize = 24;
    // What lies before the payload.
    const HEAD: usize = 41;
    let record = Record::new(Vec::new(), Version::new(1).unwrap(), Duration::ZERO);
    let deadline = Deadline::at(Duration::from_secs(60));
    let mut shard = Shard::default();
    let mut worst = 0;
    for number in 0..20_000_u64 {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_be_bytes());
        shard.insert(Hashed::from(&key).hash, Slot::new(&key, &record), deadline);
        if number > 100 {
            worst = worst
                .max(shard.allocated().div_ceil(usize::try_from(number).unwrap() + 1) + HEAD + ALLOCATOR);
        }
    }
    assert!(worst <= 200, "{worst} bytes");
}
