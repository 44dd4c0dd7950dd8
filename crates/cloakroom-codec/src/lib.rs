#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod csrf;
mod cursor;
mod derive;
mod error;
mod extensions;
mod frame;
mod key_ring;
mod keys;
mod messagepack;
mod pae;
mod piece;
mod plaintext;
mod random;
mod scan;
mod seal;
mod sealed_text;
mod state;
mod token;
mod value;
mod values;
mod xaes;

#[cfg(test)]
mod vectors;

pub use crate::csrf::{CSRF_TOKEN_LEN, CsrfBinding};
pub use crate::error::{Error, ErrorKind};
pub use crate::extensions::Extensions;
pub use crate::key_ring::KeyRing;
pub use crate::keys::Keys;
pub use crate::plaintext::Plaintext;
pub use crate::random::random_array;
pub use crate::seal::{ENVELOPE_OVERHEAD, MAX_PLAINTEXT_LEN, Purpose};
pub use crate::sealed_text::{MAX_SEALED_TEXT_LEN, sealed_text_len};
pub use crate::state::{Flags, Login, Predecessor, State};
pub use crate::token::{Handle, Secret, SecretHash, TOKEN_LEN, Token, TokenKey, TokenText, random_identity};
pub use crate::value::{MAX_VALUE_LEN, Value};
pub use crate::values::{Pair, Values};
