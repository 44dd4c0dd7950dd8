//! What needs no application: the envelope beside its two primitives, and a forged token.

use std::hint::black_box;

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::AeadInOut as _;
use anyhow::{Result, anyhow, ensure};
use cloakroom_codec::{ErrorKind, Handle, KeyRing, Purpose, Secret, random_array};
use hmac::{Hmac, KeyInit as _, Mac as _};
use rustix::time::{ClockId, clock_gettime};
use sha2::Sha256;

use crate::figure::Figure;
use crate::options::Options;

const SECTION: &str = "singles";
const TIMES: usize = 2000;

pub fn main(words: &[String]) -> Result<()> {
    let options = Options::parse(words, &["--quick"], &[])?;
    let rounds = if options.has("--quick") { 11 } else { 101 };
    envelope(rounds)?;
    token(rounds)
}

/// Sealing and opening 1 KiB, beside the same bytes through the same primitives with nothing bound, derived or checked
/// besides. Both open in the memory that the envelope is in.
fn envelope(rounds: usize) -> Result<()> {
    let keys = KeyRing::generate().bind("shop")?;
    let context = [9; 32];
    let text = vec![7_u8; 1024];
    let cipher = Aes256Gcm::new_from_slice(&[1; 32])?;
    let keyed = Hmac::<Sha256>::new_from_slice(&[2; 32])?;
    let raw_seal = || -> Result<Vec<u8>> {
        let nonce = random_array::<12>()?;
        let mut bytes = Vec::with_capacity(12 + 1024 + 16 + 32);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&text);
        let tag = cipher.encrypt_inout_detached(&nonce.into(), &context, (&mut bytes[12..]).into());
        bytes.extend_from_slice(&tag.map_err(|_| anyhow!("too long"))?);
        let mac = keyed.clone().chain_update(&bytes).finalize().into_bytes();
        bytes.extend_from_slice(&mac);
        Ok(bytes)
    };
    let raw_open = |mut bytes: Vec<u8>| -> Result<Vec<u8>> {
        let (signed, mac) = bytes.split_last_chunk_mut::<32>().ok_or_else(|| anyhow!("too short"))?;
        keyed.clone().chain_update(&*signed).verify((&*mac).into())?;
        let (nonce, rest) = signed.split_first_chunk_mut::<12>().ok_or_else(|| anyhow!("too short"))?;
        let (ciphertext, tag) = rest.split_last_chunk_mut::<16>().ok_or_else(|| anyhow!("too short"))?;
        let opened =
            cipher.decrypt_inout_detached((&*nonce).into(), &context, ciphertext.into(), (&*tag).into());
        opened.map_err(|_| anyhow!("forged"))?;
        Ok(bytes)
    };
    ensure!(raw_open(raw_seal()?)?.get(12..12 + 1024) == Some(&text), "the primitives agree with themselves");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        ours.push(time(|| {
            let envelope = keys.seal(Purpose::Record, &context, black_box(&text))?;
            black_box(keys.open_owned(Purpose::Record, &context, envelope)?);
            Ok(())
        })?);
        theirs.push(time(|| {
            let envelope = raw_seal()?;
            black_box(raw_open(envelope)?);
            Ok(())
        })?);
    }
    let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect();
    let say = |contender, figure, unit, rounds: &[f64]| {
        Figure::of_rounds(SECTION, [contender, "none", "1 KiB"], figure, unit, rounds).print()
    };
    say("cloakroom", "seal and open", "us", &ours)?;
    say("primitives", "seal and open", "us", &theirs)?;
    say("cloakroom", "seal and open over primitives", "", &ratios)
}

fn token(rounds: usize) -> Result<()> {
    let keys = KeyRing::generate().bind("shop")?;
    let mut token = keys.write_token("id", &Handle::random()?, &Secret::random()?).into_bytes();
    // Another letter of the same alphabet in the MAC: what is refused is a signature, and not a text that is none.
    token[60] = if token[60] == b'A' { b'B' } else { b'A' };
    let refused = keys.read_token("id", &token).err().map(|error| error.kind());
    ensure!(refused == Some(ErrorKind::BadSeal), "a forged token is refused for its MAC");
    let mut refusals = Vec::new();
    for _ in 0..rounds {
        refusals.push(time(|| {
            ensure!(keys.read_token("id", black_box(&token)).is_err(), "a forged token is refused");
            Ok(())
        })?);
    }
    Figure::of_rounds(SECTION, ["cloakroom", "none", "token"], "refuse a forged one", "us", &refusals).print()
}

/// Microseconds of processor time each.
fn time(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let begun = clock_gettime(ClockId::ThreadCPUTime);
    for _ in 0..TIMES {
        work()?;
    }
    let ended = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = (ended.tv_sec - begun.tv_sec) as f64 + (ended.tv_nsec - begun.tv_nsec) as f64 / 1e9;
    Ok(seconds * 1e6 / TIMES as f64)
}
