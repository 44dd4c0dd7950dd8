//! The HMAC is not decoration: each test here passes AES-GCM and must fail the envelope.

use aes::Aes256;
use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use proptest::prelude::*;

use super::*;
use crate::derive::extract;
use crate::{scan, state, xaes};

const NONCE: [u8; NONCE_LEN] = *b"used twice, by accident.";
const BINDING: Binding<'static> =
    Binding { namespace: "shop", purpose: Purpose::Record, context: b"store key" };

fn subkeys(byte: u8) -> Subkeys {
    Subkeys::derive(&extract(&[byte; 32]), "shop")
}

/// The additional data under this key.
fn aad(key: &Subkeys) -> Vec<u8> {
    let frame = frame(key, BINDING);
    frame.aad(&frame.bytes(BINDING.context, 0)).to_vec()
}

fn mac(key: &Subkeys, signed: &[u8]) -> [u8; MAC_LEN] {
    let frame = frame(key, BINDING);
    frame.mac(&frame.bytes(BINDING.context, signed.len()), signed).finalize().into_bytes().into()
}

fn refusal(keys: &[Subkeys], binding: Binding<'_>, envelope: &[u8]) -> Option<ErrorKind> {
    open(keys, binding, envelope.to_vec()).err().map(|error| error.kind())
}

/// The envelope of a body of the attacker's making, signed by `signer` if there is one.
fn wrap(key: &Subkeys, body: &[u8], tag: &[u8], signer: Option<&Subkeys>) -> Vec<u8> {
    let mut envelope = vec![VERSION, BINDING.purpose.byte()];
    envelope.extend_from_slice(&key.id);
    envelope.extend_from_slice(&NONCE);
    envelope.extend_from_slice(body);
    envelope.extend_from_slice(tag);
    let mac = signer.map(|signer| mac(signer, &envelope));
    envelope.extend_from_slice(&mac.unwrap_or([0; MAC_LEN]));
    envelope
}

#[test]
fn one_ciphertext_valid_under_two_keys_opens_under_one() {
    let first = subkeys(1);
    let mut second = subkeys(2);
    // The worst case: not even the key ids tell the two keys apart.
    second.id = first.id;
    let aad = aad(&first);

    // Two keys, one ciphertext: a chosen block, and one that is solved for so that the tags agree.
    let (one, two) = (Gcm::of(&first.payload_aead), Gcm::of(&second.payload_aead));
    let chosen = u128::from_be_bytes(*b"attack at dawn..") ^ one.keystream;
    let rest = |gcm: &Gcm| gcm.tag(&aad, &[chosen, 0]);
    let solved = field::divide(rest(&one) ^ rest(&two), field::square(one.h) ^ field::square(two.h));
    let tag = one.tag(&aad, &[chosen, solved]);
    assert_eq!(tag, two.tag(&aad, &[chosen, solved]));
    let (body, tag) = ([chosen.to_be_bytes(), solved.to_be_bytes()].concat(), tag.to_be_bytes());

    let raw = |key: &Subkeys| {
        let mut buffer = body.clone();
        key.payload_aead.open(&NONCE, &aad, &mut buffer, &tag).map(|()| buffer)
    };
    let (left, right) = (raw(&first).unwrap(), raw(&second).unwrap());
    assert!(left.starts_with(b"attack at dawn.."), "the cipher takes it under the first key");
    assert_ne!(left, right, "and reads something else under the second");

    let envelope = wrap(&first, &body, &tag, Some(&first));
    assert_eq!(*open(std::slice::from_ref(&first), BINDING, envelope.clone()).unwrap(), left);
    assert_eq!(refusal(&[second], BINDING, &envelope), Some(ErrorKind::BadSeal));
}

#[test]
fn a_nonce_used_twice_forges_the_cipher_and_not_the_envelope() {
    let key = subkeys(1);
    let plaintexts = [b"balance: 0000010", b"balance: 0000020"];
    let envelopes = plaintexts.map(|text| seal_with_nonce(&key, BINDING, text, &NONCE).unwrap());
    let seen = envelopes.each_ref().map(|envelope| Parts::split(envelope).unwrap());
    let [first, second] = &seen;
    let block = |at: usize| envelopes[at][seen[at].ciphertext.clone()].try_into().map(u128::from_be_bytes);
    let (one, other) = (block(0).unwrap(), block(1).unwrap());
    let aad = aad(&key);
    let tag = |parts: &Parts<'_>| u128::from_be_bytes(parts.tag);

    // From what was seen alone: the authentication key, the mask of the tag, the keystream.
    let h = field::root(field::divide(tag(first) ^ tag(second), one ^ other));
    let mask = tag(first) ^ field::ghash(h, &aad, &[one]);
    let keystream = one ^ u128::from_be_bytes(*plaintexts[0]);
    let forged = u128::from_be_bytes(*b"balance: 9999999") ^ keystream;
    let forged_tag = (field::ghash(h, &aad, &[forged]) ^ mask).to_be_bytes();

    let mut buffer = forged.to_be_bytes();
    key.payload_aead.open(&NONCE, &aad, &mut buffer, &forged_tag).unwrap();
    assert_eq!(&buffer, b"balance: 9999999", "the cipher takes the forgery");

    for mac in [first.mac, second.mac] {
        let mut envelope = wrap(&key, &forged.to_be_bytes(), &forged_tag, None);
        envelope.truncate(envelope.len() - MAC_LEN);
        envelope.extend_from_slice(&mac);
        assert_eq!(refusal(std::slice::from_ref(&key), BINDING, &envelope), Some(ErrorKind::BadSeal));
    }
}

#[test]
fn forged_bytes_reach_neither_cipher_nor_parser() {
    let keys = [subkeys(1), subkeys(2)];
    let envelope = seal(&keys[1], BINDING, b"payload").unwrap();
    let before = (xaes::tests::calls(), scan::tests::calls(), state::tests::calls());
    let mut refused = 0_u32;
    let mut offer = |bytes: &[u8]| {
        // As a reader does: what does not open is not parsed.
        let outcome = open(&keys, BINDING, bytes.to_vec()).and_then(crate::State::decode);
        assert!(outcome.is_err());
        refused += 1;
    };
    for at in 0..envelope.len() {
        for value in 0..=255 {
            let mut bytes = envelope.clone();
            if bytes[at] != value {
                bytes[at] = value;
                offer(&bytes);
            }
        }
    }
    (0..envelope.len()).for_each(|len| offer(&envelope[..len]));
    offer(&[&envelope[..], &[0]].concat());
    assert!(refused > 20_000, "{refused}");
    let after = (xaes::tests::calls(), scan::tests::calls(), state::tests::calls());
    assert_eq!(before, after, "of {refused} forgeries");
    assert!(open(&keys, BINDING, envelope).is_ok());
    assert_eq!(xaes::tests::calls(), before.0 + 1, "the counter counts");
}

#[test]
fn a_refusal_tells_no_more_than_the_envelope_does() {
    let keys = [subkeys(1)];
    let envelope = seal(&keys[0], BINDING, b"payload").unwrap();
    for at in 0..envelope.len() {
        for bit in 0..8 {
            let mut bytes = envelope.clone();
            bytes[at] ^= 1 << bit;
            let expected = match at {
                0 => ErrorKind::Unsupported,
                2..6 => ErrorKind::UnknownKey,
                _ => ErrorKind::BadSeal,
            };
            assert_eq!(refusal(&keys, BINDING, &bytes), Some(expected), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn a_key_is_chosen_by_its_id_and_never_tried() {
    let mut stranger = subkeys(2);
    let envelope = seal(&stranger, BINDING, b"payload").unwrap();
    assert_eq!(refusal(&[subkeys(1)], BINDING, &envelope), Some(ErrorKind::UnknownKey));
    // The very key that sealed it, under another id, is not looked at.
    stranger.id = [0; 4];
    assert_eq!(refusal(&[stranger], BINDING, &envelope), Some(ErrorKind::UnknownKey));
}

#[test]
fn a_nonce_is_not_drawn_twice() {
    let key = subkeys(1);
    let nonces: std::collections::HashSet<_> =
        (0..1 << 16).map(|_| Parts::split(&seal(&key, BINDING, b"").unwrap()).unwrap().nonce).collect();
    assert_eq!(nonces.len(), 1 << 16);
}

proptest! {
    #[test]
    fn field_arithmetic_is_that_of_a_field(a: u128, b in 1_u128.., c: u128) {
        prop_assert_eq!(field::divide(field::multiply(a, b), b), a);
        prop_assert_eq!(field::root(field::square(a)), a);
        prop_assert_eq!(
            field::multiply(a ^ c, b),
            field::multiply(a, b) ^ field::multiply(c, b)
        );
    }

    #[test]
    fn the_attackers_arithmetic_is_that_of_the_cipher(text: [u8; 16], aad: Vec<u8>) {
        let key = subkeys(1);
        let mut buffer = text;
        let tag = key.payload_aead.seal(&NONCE, &aad, &mut buffer).unwrap();
        let gcm = Gcm::of(&key.payload_aead);
        prop_assert_eq!(u128::from_be_bytes(buffer), u128::from_be_bytes(text) ^ gcm.keystream);
        prop_assert_eq!(gcm.tag(&aad, &[u128::from_be_bytes(buffer)]), u128::from_be_bytes(tag));
    }
}

/// What whoever holds a key knows about AES-256-GCM under it and [`NONCE`].
struct Gcm {
    h: u128,
    mask: u128,
    /// Of the first block.
    keystream: u128,
}

impl Gcm {
    fn of(cipher: &xaes::Xaes256Gcm) -> Self {
        let (key, nonce) = xaes::tests::behind(cipher, &NONCE);
        let aes = Aes256::new(&key.into());
        let encrypt = |block: [u8; 16]| {
            let mut block = block.into();
            aes.encrypt_block(&mut block);
            u128::from_be_bytes(block.into())
        };
        let counter = |n: u32| {
            let mut block = [0; 16];
            block[..12].copy_from_slice(&nonce);
            block[12..].copy_from_slice(&n.to_be_bytes());
            encrypt(block)
        };
        Self { h: encrypt([0; 16]), mask: counter(1), keystream: counter(2) }
    }

    fn tag(&self, aad: &[u8], blocks: &[u128]) -> u128 {
        field::ghash(self.h, aad, blocks) ^ self.mask
    }
}

/// GF(2^128) as GCM writes it: the first bit is the constant term.
mod field {
    const ONE: u128 = 1 << 127;

    pub(super) fn multiply(a: u128, b: u128) -> u128 {
        let (mut product, mut power) = (0, b);
        for bit in (0..128).rev() {
            if a >> bit & 1 == 1 {
                product ^= power;
            }
            power = (power >> 1) ^ ((power & 1) * (0xe1 << 120));
        }
        product
    }

    pub(super) fn square(a: u128) -> u128 {
        multiply(a, a)
    }

    /// The inverse of squaring: squaring 128 times is doing nothing.
    pub(super) fn root(a: u128) -> u128 {
        (0..127).fold(a, |a, _| square(a))
    }

    /// By the inverse, `b` to the power of 2^128 - 2.
    pub(super) fn divide(a: u128, b: u128) -> u128 {
        let (mut inverse, mut power) = (ONE, b);
        for _ in 1..128 {
            power = square(power);
            inverse = multiply(inverse, power);
        }
        multiply(a, inverse)
    }

    pub(super) fn ghash(h: u128, aad: &[u8], blocks: &[u128]) -> u128 {
        let padded = |chunk: &[u8]| {
            let mut block = [0; 16];
            block[..chunk.len()].copy_from_slice(chunk);
            u128::from_be_bytes(block)
        };
        let lengths = (aad.len() as u128 * 8) << 64 | (blocks.len() as u128 * 128);
        aad.chunks(16)
            .map(padded)
            .chain(blocks.iter().copied())
            .chain([lengths])
            .fold(0, |sum, block| multiply(sum ^ block, h))
    }
}
