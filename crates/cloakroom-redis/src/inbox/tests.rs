use super::{Inbox, KEPT};

fn put(inbox: &mut Inbox, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let room = inbox.room();
        let count = room.len().min(bytes.len());
        room[..count].copy_from_slice(&bytes[..count]);
        inbox.add(count);
        bytes = &bytes[count..];
    }
}

/// Also where it is never empty.
#[test]
fn inbox_is_small_again_behind_something_large() {
    let large: Vec<u8> = (0..=u8::MAX).cycle().take(1 << 20).collect();
    for left in [0, 1, 1000] {
        let mut inbox = Inbox::new();
        put(&mut inbox, &large);
        assert_eq!(inbox.unread(), large);
        inbox.take(large.len() - left);
        put(&mut inbox, b"more");
        assert_eq!(inbox.unread(), [&large[large.len() - left..], b"more"].concat());
        assert!(inbox.bytes.len() <= KEPT, "{} bytes are kept", inbox.bytes.len());
    }
}
