//! What the two checks of an envelope read besides the envelope: its kind, its key and its place.

use std::ops::Range;

use hmac::Mac as _;

use crate::derive::{HmacSha256, KeyId};
use crate::pae::{self, Encoding};
use crate::seal::{Binding, Purpose, VERSION};

const AAD_LABEL: &[u8] = b"cloakroom/v1/envelope-aad";
const MAC_LABEL: &[u8] = b"cloakroom/v1/envelope-mac";
/// How many bytes SHA-256 takes at a time.
const BLOCK_LEN: usize = 64;

/// What comes before the signed bytes under the MAC, `PAE(label, AAD, signed bytes)`, for one key and envelopes of one
/// kind. The additional data of the cipher, `PAE(label, header, namespace, context)`, stand within it.
///
/// Only the context and the length of what is signed differ from one envelope to the next, and both come last: what comes
/// before them is laid out and digested once.
#[derive(Clone)]
pub(crate) struct Frame {
    /// With zeros for what differs.
    bytes: Encoding,
    aad: Range<usize>,
    namespace: Range<usize>,
    context: Range<usize>,
    purpose: Purpose,
    /// The MAC after as many whole blocks as are always the same.
    begun: HmacSha256,
    digested: usize,
}

impl Frame {
    /// For what is sealed under `mac`, the key called `id`, for contexts as long as this one.
    pub(crate) fn new(mac: &HmacSha256, id: &KeyId, binding: Binding<'_>) -> Self {
        let Binding { namespace, purpose, context } = binding;
        let [a, b, c, d] = *id;
        let header = [VERSION, purpose.byte(), a, b, c, d];
        let aad = pae::encode(&[AAD_LABEL, &header, namespace.as_bytes(), context]);
        let mut bytes = pae::encode(&[MAC_LABEL, &aad, &[]]);
        let context_end = bytes.len() - pae::LENGTH_LEN;
        let context = context_end - context.len()..context_end;
        let aad = context_end - aad.len()..context_end;
        let namespace_end = context.start - pae::LENGTH_LEN;
        let namespace = namespace_end - namespace.len()..namespace_end;
        bytes.get_mut(context.clone()).unwrap_or_default().fill(0);
        let digested = context.start - context.start % BLOCK_LEN;
        let mut begun = mac.clone();
        begun.update(bytes.get(..digested).unwrap_or_default());
        Self { bytes, aad, namespace, context, purpose, begun, digested }
    }

    /// Whether it is one for such an envelope.
    pub(crate) fn fits(&self, binding: Binding<'_>) -> bool {
        self.purpose == binding.purpose
            && self.context.len() == binding.context.len()
            && self.bytes.get(self.namespace.clone()) == Some(binding.namespace.as_bytes())
    }

    /// The bytes for one envelope, of which `signed` bytes are signed.
    pub(crate) fn bytes(&self, context: &[u8], signed: usize) -> Encoding {
        let mut bytes = Encoding::from_slice(&self.bytes);
        if let Some(room) = bytes.get_mut(self.context.start..) {
            let (place, length) = room.split_at_mut(self.context.len());
            place.copy_from_slice(context);
            length.copy_from_slice(&pae::length(signed));
        }
        bytes
    }

    /// The additional data of the cipher.
    pub(crate) fn aad<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.aad.clone()).unwrap_or_default()
    }

    /// The MAC of an envelope.
    pub(crate) fn mac(&self, bytes: &[u8], signed: &[u8]) -> HmacSha256 {
        let mut mac = self.begun.clone();
        mac.update(bytes.get(self.digested..).unwrap_or_default());
        mac.update(signed);
        mac
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::derive::{Subkeys, extract, mac_of};

    proptest! {
        #[test]
        fn frame_is_what_the_format_says(
            namespace in "[a-z]{1,128}",
            context in vec(any::<u8>(), 0..100),
            signed in vec(any::<u8>(), 0..300),
            is_cookie in any::<bool>(),
        ) {
            let key = Subkeys::derive(&extract(&[1; 32]), &namespace);
            let purpose = if is_cookie { Purpose::Cookie } else { Purpose::Record };
            let binding = |context| Binding { namespace: &namespace, purpose, context };
            let others = vec![0; context.len()];
            let frame = Frame::new(&key.payload_mac, &key.id, binding(&others));
            prop_assert!(frame.fits(binding(&context)));

            let header = [&[VERSION, purpose.byte()][..], &key.id].concat();
            let aad = pae::encode(&[AAD_LABEL, &header, namespace.as_bytes(), &context]);
            let bytes = frame.bytes(&context, signed.len());
            prop_assert_eq!(frame.aad(&bytes), &*aad);
            let mac = |mac: HmacSha256| mac.finalize().into_bytes();
            prop_assert_eq!(
                mac(frame.mac(&bytes, &signed)),
                mac(mac_of(&key.payload_mac, &[MAC_LABEL, &aad, &signed]))
            );
        }
    }

    #[test]
    fn frame_fits_only_its_kind() {
        let key = Subkeys::derive(&extract(&[1; 32]), "shop");
        let binding = Binding { namespace: "shop", purpose: Purpose::Record, context: &[1; 32] };
        let frame = Frame::new(&key.payload_mac, &key.id, binding);
        assert!(frame.fits(Binding { context: &[2; 32], ..binding }));
        assert!(!frame.fits(Binding { context: &[1; 31], ..binding }));
        assert!(!frame.fits(Binding { namespace: "shoe", ..binding }));
        assert!(!frame.fits(Binding { namespace: "shops", ..binding }));
        assert!(!frame.fits(Binding { purpose: Purpose::Cookie, ..binding }));
    }
}
