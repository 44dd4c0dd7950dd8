use cloakroom_core::ErrorKind;

use super::ItemSize;

#[test]
fn sizes_are_read_as_the_server_reads_them() {
    for (text, bytes) in
        [("2048", 2048), ("2k", 2048), ("512K", 524_288), ("1m", 1_048_576), ("128M", 134_217_728)]
    {
        assert_eq!(text.parse::<ItemSize>().expect(text).bytes(), bytes, "{text}");
    }
    for wrong in ["", "k", "1", "2047", "129m", "1g", "1 m", "+1m", "-1", "99999999999999999999m", "1.5m"] {
        let error = wrong.parse::<ItemSize>().expect_err(wrong);
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{wrong}");
        assert!(error.to_string().contains("max_item_size"), "{error}");
    }
}

#[test]
fn payload_is_what_key_and_headers_leave() {
    assert_eq!(ItemSize::default().payload(), 1_047_552);
    assert_eq!(ItemSize::told(0).payload(), 0);
}
