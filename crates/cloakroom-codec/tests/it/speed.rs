//! What the envelope costs over its two primitives; prints, and judges nothing.

use std::hint::black_box;
use std::time::{Duration, Instant};

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::AeadInOut as _;
use cloakroom_codec::{Handle, Purpose, Secret, State, Value, random_array};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::keys;

#[test]
#[ignore = "measures what the envelope costs: run cargo xtask measure"]
fn measure_envelope() {
    let keys = keys();
    let (handle, secret) = (Handle::random().unwrap(), Secret::random().unwrap());
    let context = keys.store_key(&handle);
    let text = vec![7_u8; 1024];

    // The same bytes through the same primitives, with nothing bound, derived or checked besides.
    let cipher = Aes256Gcm::new_from_slice(&[1; 32]).unwrap();
    let keyed = Hmac::<Sha256>::new_from_slice(&[2; 32]).unwrap();
    let raw_seal = || {
        let nonce = random_array::<12>().unwrap();
        let mut bytes = Vec::with_capacity(12 + 1024 + 16 + 32);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&text);
        let tag = cipher.encrypt_inout_detached(&nonce.into(), &context, (&mut bytes[12..]).into()).unwrap();
        bytes.extend_from_slice(&tag);
        let mac = keyed.clone().chain_update(&bytes).finalize().into_bytes();
        bytes.extend_from_slice(&mac);
        bytes
    };
    let raw_open = |bytes: &[u8]| {
        let (signed, mac) = bytes.split_at(bytes.len() - 32);
        keyed.clone().chain_update(signed).verify_slice(mac).unwrap();
        let (nonce, rest) = signed.split_first_chunk::<12>().unwrap();
        let (ciphertext, tag) = rest.split_last_chunk::<16>().unwrap();
        let mut plaintext = ciphertext.to_vec();
        let buffer = (&mut plaintext[..]).into();
        cipher.decrypt_inout_detached(nonce.into(), &context, buffer, tag.into()).unwrap();
        plaintext
    };
    let envelope = keys.seal(Purpose::Record, &context, &text).unwrap();
    let raw = raw_seal();
    let seal = time(|| drop(black_box(keys.seal(Purpose::Record, &context, &text).unwrap())));
    let open = time(|| drop(black_box(keys.open(Purpose::Record, &context, &envelope).unwrap())));
    let raw_seal = time(|| drop(black_box(raw_seal())));
    let raw_open = time(|| drop(black_box(raw_open(&raw))));
    println!("1 KiB: seal {seal:?}, open {open:?}; primitives alone {raw_seal:?}, {raw_open:?}");
    println!("ratio {:.2}", (seal + open).as_secs_f64() / (raw_seal + raw_open).as_secs_f64());

    let token = keys.write_token("id", &handle, &secret).into_bytes();
    let mut forged = token.clone();
    forged[60] ^= 1;
    let write = time(|| drop(black_box(keys.write_token("id", &handle, &secret))));
    let read = time(|| drop(black_box(keys.read_token("id", &token).unwrap())));
    let refuse = time(|| drop(black_box(keys.read_token("id", &forged).unwrap_err())));
    println!("token: write {write:?}, read {read:?}, refuse a forged one {refuse:?}");

    let mut state = State::new(1, 2, 3, keys.secret_hash(&handle, &secret));
    for at in 0..10 {
        state.values.insert(&format!("key {at}"), Value::encode(&("a value", at)).unwrap());
    }
    let bytes = state.encode().unwrap();
    let encode = time(|| drop(black_box(state.encode().unwrap())));
    let decode = time(|| drop(black_box(State::decode(Zeroizing::new(bytes.to_vec())).unwrap())));
    let value = state.values.get("key 5").unwrap();
    let one = time(|| drop(black_box(value.decode::<(String, u8)>().unwrap())));
    println!(
        "state of 10 keys, {} bytes: encode {encode:?}, decode {decode:?}, one value {one:?}",
        bytes.len()
    );
}

/// The best of several runs, because others use the machine too.
fn time(mut work: impl FnMut()) -> Duration {
    const TIMES: u32 = 100;
    let run = |_| {
        let start = Instant::now();
        (0..TIMES).for_each(|_| work());
        start.elapsed() / TIMES
    };
    (0..2_000).map(run).min().unwrap_or_default()
}
