//! What the handlers of all contenders read and write.

use std::fmt::Write as _;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The value that is read.
pub const READ: &str = "k3";

const NAMES: [&str; 100] = {
    // "k0" to "k99", without an allocation in the handlers that are measured.
    let mut names = [""; 100];
    let all = concat!(
        "k0k1k2k3k4k5k6k7k8k9",
        "k10k11k12k13k14k15k16k17k18k19k20k21k22k23k24k25k26k27k28k29",
        "k30k31k32k33k34k35k36k37k38k39k40k41k42k43k44k45k46k47k48k49",
        "k50k51k52k53k54k55k56k57k58k59k60k61k62k63k64k65k66k67k68k69",
        "k70k71k72k73k74k75k76k77k78k79k80k81k82k83k84k85k86k87k88k89",
        "k90k91k92k93k94k95k96k97k98k99",
    );
    let mut at = 0;
    let mut rest = all;
    while at < names.len() {
        let (name, others) = rest.split_at(if at < 10 { 2 } else { 3 });
        names[at] = name;
        rest = others;
        at += 1;
    }
    names
};

/// Ten values of 58 bytes: about 600 bytes with their keys.
pub fn small() -> impl Iterator<Item = (&'static str, &'static str)> {
    NAMES[..10].iter().map(|name| (*name, &TEXT[..58]))
}

/// A hundred values of 325 bytes: 32 KiB with their keys.
pub fn large() -> impl Iterator<Item = (&'static str, &'static str)> {
    NAMES.iter().map(|name| (*name, &TEXT[..325]))
}

/// Ten values that are as many bytes in all as [`set_size`] said.
pub fn sized() -> impl Iterator<Item = (&'static str, &'static str)> {
    static LONG: LazyLock<String> = LazyLock::new(|| "v".repeat(MOST / 10));
    let each = SIZE.load(Ordering::Relaxed) / 10;
    NAMES[..10].iter().map(move |name| (*name, &LONG[..each]))
}

/// The most that [`set_size`] takes.
pub const MOST: usize = 1 << 20;

static SIZE: AtomicUsize = AtomicUsize::new(600);

/// Sets how many bytes the sessions of `/fill-sized` have from now on.
pub fn set_size(bytes: usize) {
    SIZE.store(bytes.min(MOST), Ordering::Relaxed);
}

/// A value that no other call has given, as long as those of [`small`].
pub fn fresh() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // Room for all of it at once: what is measured is not the formatting.
    let mut text = String::with_capacity(58);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let _ = write!(text, "{number:058}");
    text
}

const TEXT: &str = {
    const BYTES: [u8; 325] = [b'v'; 325];
    match str::from_utf8(&BYTES) {
        Ok(text) => text,
        Err(_) => "",
    }
};
