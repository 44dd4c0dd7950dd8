//! The bytes of version 1, as the files of `tests/vectors` have them, which are never edited.

use serde::Deserialize;
use serde_json::Value as Json;
use zeroize::Zeroizing;

use crate::derive::{self, expand, extract};
use crate::{
    CsrfBinding, Extensions, Flags, Handle, KeyRing, Login, Predecessor, Purpose, Secret, SecretHash, State,
    TokenKey, Value, csrf, seal,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    secrets: Vec<String>,
    namespace: String,
    cookie_name: String,
    handle: String,
    secret: String,
    subkeys: Vec<std::collections::BTreeMap<String, String>>,
    tokens: Vec<String>,
    renewed: Vec<String>,
    store_key: String,
    secret_hash: String,
    principal: String,
    principal_tags: Vec<String>,
    fingerprint: String,
    fingerprint_hash: String,
    states: Vec<StateVector>,
    envelopes: Vec<EnvelopeVector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StateVector {
    fields: Json,
    bytes: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeVector {
    sealed_by: usize,
    purpose: String,
    context: String,
    nonce: String,
    plaintext: String,
    bytes: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../tests/vectors/v1.json")).unwrap()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CsrfVectors {
    secrets: Vec<String>,
    namespace: String,
    subkeys: Vec<String>,
    session: String,
    generation: u64,
    nonce: String,
    tokens: Vec<String>,
}

fn bytes(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2));
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn array<const N: usize>(hex: &str) -> [u8; N] {
    bytes(hex).try_into().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn subkeys_are_those_of_version_1() {
    let vectors = vectors();
    for (secret, subkeys) in vectors.secrets.iter().zip(&vectors.subkeys) {
        let prk = extract(&bytes(secret));
        assert_eq!(subkeys["key-id"], hex(&derive::key_id(&prk, &vectors.namespace)));
        for (name, label) in [
            ("payload-aead", derive::PAYLOAD_AEAD),
            ("payload-mac", derive::PAYLOAD_MAC),
            ("token", derive::TOKEN),
            ("renewal", derive::RENEWAL),
            ("principal-index", derive::PRINCIPAL_INDEX),
        ] {
            assert_eq!(subkeys[name], hex(&*expand::<32>(&prk, label, &vectors.namespace)), "{name}");
        }
        assert_eq!(subkeys.len(), 6);
    }
}

#[test]
fn tokens_and_digests_are_those_of_version_1() {
    let vectors = vectors();
    let keys = KeyRing::documented().bind(&vectors.namespace).unwrap();
    let handle = Handle::from_bytes(array(&vectors.handle));
    let secret = Secret::from_bytes(array(&vectors.secret));
    let cookie_name = &vectors.cookie_name;

    assert_eq!(keys.write_token(cookie_name, &handle, &secret), vectors.tokens[0]);
    for (text, key) in vectors.tokens.iter().zip([TokenKey::Writing, TokenKey::Old]) {
        let token = keys.read_token(cookie_name, text.as_bytes()).unwrap();
        assert_eq!((token.handle, token.key), (handle, key));
        assert_eq!(token.secret.as_bytes(), secret.as_bytes());
    }
    assert_eq!(hex(&keys.store_key(&handle)), vectors.store_key);
    assert_eq!(hex(keys.secret_hash(&handle, &secret).as_bytes()), vectors.secret_hash);
    assert_eq!(hex(keys.renew(&handle, &secret).as_bytes()), vectors.renewed[0]);
    for renewed in &vectors.renewed {
        let hash = keys.secret_hash(&handle, &Secret::from_bytes(array(renewed)));
        let found = keys.renew_matching(&handle, &secret, &hash).unwrap();
        assert_eq!(hex(found.as_bytes()), *renewed);
    }
    let tags: Vec<String> = keys.principal_tags(&vectors.principal).iter().map(|tag| hex(tag)).collect();
    assert_eq!(tags, vectors.principal_tags);
    assert_eq!(hex(&keys.fingerprint_hash(vectors.fingerprint.as_bytes())), vectors.fingerprint_hash);
}

#[test]
fn csrf_tokens_are_those_of_version_1() {
    let vectors: CsrfVectors = serde_json::from_str(include_str!("../tests/vectors/csrf_v1.json")).unwrap();
    let keys = KeyRing::documented().bind(&vectors.namespace).unwrap();
    let binding = CsrfBinding::new(array(&vectors.session), vectors.generation);
    assert_eq!((vectors.subkeys.len(), vectors.tokens.len()), (2, 2));
    for ((secret, subkey), token) in vectors.secrets.iter().zip(&vectors.subkeys).zip(&vectors.tokens) {
        let prk = extract(&bytes(secret));
        assert_eq!(*subkey, hex(&*expand::<32>(&prk, derive::CSRF, &vectors.namespace)));
        let key = derive::Subkeys::derive(&prk, &vectors.namespace);
        let written = csrf::write_with_nonce(&key, &vectors.namespace, &binding, &array(&vectors.nonce));
        assert_eq!(written, *token);
        keys.check_csrf_token(&binding, token.as_bytes()).unwrap();
    }
}

#[test]
fn states_are_those_of_version_1() {
    for vector in vectors().states {
        let state = state(&vector.fields);
        assert_eq!(hex(&state.encode().unwrap()), vector.bytes);
        let read = State::decode(Zeroizing::new(bytes(&vector.bytes))).unwrap();
        assert_eq!(hex(&read.encode().unwrap()), vector.bytes);
    }
}

#[test]
fn envelopes_are_those_of_version_1() {
    let vectors = vectors();
    let keys = KeyRing::documented().bind(&vectors.namespace).unwrap();
    for vector in vectors.envelopes {
        let purpose = if vector.purpose == "record" { Purpose::Record } else { Purpose::Cookie };
        let (context, plaintext) = (bytes(&vector.context), bytes(&vector.plaintext));
        let opened = keys.open(purpose, &context, &bytes(&vector.bytes)).unwrap();
        assert_eq!(*opened, plaintext);

        let secret = extract(&bytes(&vectors.secrets[vector.sealed_by]));
        let key = derive::Subkeys::derive(&secret, &vectors.namespace);
        let binding = seal::Binding { namespace: &vectors.namespace, purpose, context: &context };
        let sealed = seal::seal_with_nonce(&key, binding, &plaintext, &array(&vector.nonce)).unwrap();
        assert_eq!(hex(&sealed), vector.bytes);
    }
}

fn state(fields: &Json) -> State {
    let number = |name: &str| fields[name].as_u64().unwrap();
    let option = |name: &str| fields[name].as_u64();
    let hash = |json: &Json| array::<32>(json.as_str().unwrap());
    let value = |json: &Json| Value::from_bytes(bytes(json.as_str().unwrap())).unwrap();
    let mut state = State::new(
        number("created_at"),
        number("absolute_deadline"),
        number("idle"),
        SecretHash::from_bytes(hash(&fields["secret_hash"])),
    );
    state.revision = number("revision");
    state.generation = number("generation");
    state.authenticated_at = option("authenticated_at");
    state.rotated_at = option("rotated_at");
    state.renewed_at = option("renewed_at");
    state.idle_deadline = option("idle_deadline");
    state.lifetime_override = option("lifetime_override");
    state.login = fields["login"].as_object().map(|login| Login {
        principal: login["principal"].as_str().unwrap().to_owned(),
        fingerprint: Some(hash(&login["fingerprint"])),
        labels: serde_json::from_value(login["labels"].clone()).unwrap(),
    });
    state.predecessor = fields["predecessor"].as_object().map(|predecessor| Predecessor {
        hash: SecretHash::from_bytes(hash(&predecessor["hash"])),
        grace_ends: predecessor["grace_ends"].as_u64(),
    });
    state.flags = Flags::from_bits(number("flags"));
    for (key, json) in fields["values"].as_object().unwrap() {
        state.values.insert(key, value(json));
    }
    state.flashes = fields["flashes"].as_array().unwrap().iter().map(value).collect();
    state.extensions = Extensions::default();
    for (id, json) in fields["extensions"].as_object().unwrap() {
        state.extensions.insert(id.parse().unwrap(), bytes(json.as_str().unwrap()));
    }
    state
}
