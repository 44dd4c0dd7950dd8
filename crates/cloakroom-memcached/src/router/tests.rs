use cloakroom_core::StoreKey;

use super::Seed;
use crate::address::Address;
use crate::servers::Servers;

fn servers(names: &[&str]) -> Servers<Address> {
    let mut servers = names.iter().map(|name| Address::parse(name).expect(name));
    Servers::new(servers.next().expect("a server"), servers.collect())
}

fn chosen(key: &StoreKey, servers: &Servers<Address>) -> String {
    servers.keeper(key, Seed::of).to_string()
}

/// Keys as they come: digests, spread evenly.
fn keys(count: u64) -> impl Iterator<Item = StoreKey> {
    (0..count).map(|number| {
        let mut bytes = [0; 32];
        let word = super::mix(number.wrapping_mul(0x9E37_79B9_7F4A_7C15)).to_be_bytes();
        for part in bytes.chunks_exact_mut(8) {
            part.copy_from_slice(&word);
        }
        StoreKey::from_bytes(bytes)
    })
}

/// Golden: a change here moves the sessions of every running service.
#[test]
fn routes_never_change() {
    let seed = |name| Seed::of(&Address::parse(name).expect(name)).0;
    assert_eq!(seed("cache-1:11211"), 0x9573_117d_4fd6_88e5);
    assert_eq!(seed("10.0.0.1:11211"), 0xbe10_1dae_b6d0_90ee);
    assert_eq!(seed("[::1]:11212"), 0xfc93_c074_641f_f2fe);
    let servers = servers(&["cache-1", "cache-2", "cache-3"]);
    let route: String = (0..=u8::MAX)
        .step_by(8)
        .map(|byte| chosen(&StoreKey::from_bytes([byte; 32]), &servers).remove(6))
        .collect();
    assert_eq!(route, "23211212322113213233112232322311");
}

#[test]
fn every_server_gets_its_share() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "cache-1", "cache-2", "10.0.0.1", "10.0.0.2"];
    for count in 2..=names.len() {
        let servers = servers(&names[..count]);
        let mut shares = std::collections::BTreeMap::<_, u32>::new();
        for key in keys(20_000) {
            *shares.entry(chosen(&key, &servers)).or_default() += 1;
        }
        assert_eq!(shares.len(), count);
        let fair = 20_000.0 / f64::from(u32::try_from(count).expect("few"));
        for (name, share) in shares {
            let share = f64::from(share) / fair;
            assert!((0.9..=1.1).contains(&share), "{name} of {count} has {share} of a fair share");
        }
    }
}

#[test]
fn order_does_not_matter() {
    let (one, other) = (servers(&["a", "b", "c", "d"]), servers(&["d", "b", "a", "c"]));
    for key in keys(1_000) {
        assert_eq!(chosen(&key, &one), chosen(&key, &other));
    }
}

#[test]
fn server_that_comes_or_goes_moves_its_own_share_only() {
    let (three, four) = (servers(&["a", "b", "c"]), servers(&["a", "b", "c", "d"]));
    let mut moved = 0;
    for key in keys(20_000) {
        let (before, after) = (chosen(&key, &three), chosen(&key, &four));
        if before != after {
            assert_eq!(after, "d:11211");
            moved += 1;
        }
    }
    assert!((4_500..=5_500).contains(&moved), "{moved} of 20000 moved");
}

#[test]
fn port_and_default_port_are_one_name() {
    assert_eq!(
        Seed::of(&Address::parse("H").expect("a host")),
        Seed::of(&Address::parse("h:11211").expect("a host"))
    );
    assert_ne!(
        Seed::of(&Address::parse("h").expect("a host")),
        Seed::of(&Address::parse("h:11212").expect("a host"))
    );
}
