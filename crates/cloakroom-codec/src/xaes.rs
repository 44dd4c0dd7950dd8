//! XAES-256-GCM: AES-256-GCM with 192-bit random nonces, as specified by C2SP.

use aes::Aes256Enc;
use aes::cipher::{Array, BlockCipherEncrypt as _, KeyInit as _};
use aes_gcm::AesGcm;
use aes_gcm::aead::consts::U12;
use aes_gcm::aead::{AeadInOut as _, Error};
use zeroize::{Zeroize as _, Zeroizing};

pub(crate) const NONCE_LEN: usize = 24;
pub(crate) const TAG_LEN: usize = 16;

/// GCM encrypts blocks to decrypt too: it needs no key schedule for the other way.
type Aes256Gcm = AesGcm<Aes256Enc, U12>;

/// One key, scheduled once, with the CMAC subkey that every nonce needs.
pub(crate) struct Xaes256Gcm {
    aes: Aes256Enc,
    k1: Zeroizing<[u8; 16]>,
}

impl Xaes256Gcm {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let aes = Aes256Enc::new(key.into());
        let mut block = Array::from([0; 16]);
        aes.encrypt_block(&mut block);
        // Doubling in GF(2^128), without a branch on a bit of the key.
        let doubled = u128::from_be_bytes(block.into());
        let k1 = (doubled << 1) ^ ((doubled >> 127) * 0x87);
        block.as_mut_slice().zeroize();
        Self { aes, k1: Zeroizing::new(k1.to_be_bytes()) }
    }

    /// Encrypts in place, and gives the tag.
    pub(crate) fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buffer: &mut [u8],
    ) -> Result<[u8; TAG_LEN], Error> {
        let (cipher, nonce) = self.cipher(nonce);
        Ok(cipher.encrypt_inout_detached(&nonce.into(), aad, buffer.into())?.into())
    }

    /// Decrypts in place, unless the tag does not fit: then the buffer stays as it was.
    pub(crate) fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), Error> {
        let (cipher, nonce) = self.cipher(nonce);
        cipher.decrypt_inout_detached(&nonce.into(), aad, buffer.into(), tag.into())
    }

    /// AES-256-GCM under the key of a nonce's first half, and the other half.
    fn cipher(&self, nonce: &[u8; NONCE_LEN]) -> (Aes256Gcm, [u8; 12]) {
        #[cfg(test)]
        tests::count_call();
        let [n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11, rest @ ..] = *nonce;
        let key = self.derive([n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11]);
        (Aes256Gcm::new((&*key).into()), rest)
    }

    /// The key of a nonce's first half: CMAC in counter mode, two blocks.
    fn derive(&self, [n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11]: [u8; 12]) -> Zeroizing<[u8; 32]> {
        let block = |counter| {
            let m = [0, counter, b'X', 0, n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11];
            Array::from((u128::from_be_bytes(m) ^ u128::from_be_bytes(*self.k1)).to_be_bytes())
        };
        // Both at once: the hardware ciphers two blocks in the time of one.
        let mut halves = [block(1), block(2)];
        self.aes.encrypt_blocks(&mut halves);
        let mut key = Zeroizing::new([0; 32]);
        for (to, half) in key.chunks_exact_mut(16).zip(&mut halves) {
            to.copy_from_slice(half);
            half.as_mut_slice().zeroize();
        }
        key
    }
}

#[cfg(test)]
pub(crate) mod tests;
