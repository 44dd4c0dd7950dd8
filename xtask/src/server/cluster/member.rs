//! A node of a cluster, as a node knows it.

use super::RedisServer;
use crate::{Error, Result};

/// One line of `CLUSTER NODES`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Member {
    pub(super) id: String,
    pub(super) port: u16,
    /// The id of the node that this one copies.
    pub(super) primary: Option<String>,
    pub(super) epoch: u64,
    /// Whether the node that tells it is in touch with it.
    pub(super) well: bool,
    itself: bool,
    /// From and to, both inclusive.
    slots: Vec<(u16, u16)>,
}

impl Member {
    /// All that a node knows.
    pub(super) fn read(nodes: &str) -> Result<Vec<Self>> {
        nodes
            .lines()
            .map(|line| parse(line).ok_or_else(|| Error::new(format!("not a node of a cluster: {line}"))))
            .collect()
    }

    /// What a node says of itself.
    pub(super) fn itself(server: &RedisServer) -> Result<Self> {
        let known = Self::read(&server.cli(&["CLUSTER", "NODES"])?)?;
        known
            .into_iter()
            .find(|member| member.itself)
            .ok_or_else(|| Error::new("a node does not know itself"))
    }

    /// Who keeps a slot, if several say so of themselves: one that was frozen may not know yet that it was replaced, in a
    /// later epoch.
    pub(super) fn keeper(members: Vec<Self>, slot: u16) -> Option<Self> {
        members.into_iter().filter(|member| member.has(slot)).max_by_key(|member| member.epoch)
    }

    fn has(&self, slot: u16) -> bool {
        self.slots.iter().any(|(from, to)| (*from..=*to).contains(&slot))
    }

    pub(super) const fn has_slots(&self) -> bool {
        !self.slots.is_empty()
    }

    /// Whether two nodes know the same of it.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        (&self.id, &self.primary, &self.slots) == (&other.id, &other.primary, &other.slots)
    }
}

/// Reads `<id> 127.0.0.1:<port>@<bus> <flags> <primary> <ping> <pong> <epoch> <link> <slots>…`.
fn parse(line: &str) -> Option<Member> {
    let mut words = line.split(' ');
    let id = words.next()?.to_owned();
    let port = words.next()?.split('@').next()?.rsplit(':').next()?.parse().ok()?;
    let flags: Vec<&str> = words.next()?.split(',').collect();
    let primary = words.next().filter(|primary| *primary != "-").map(str::to_owned);
    let epoch = words.nth(2)?.parse().ok()?;
    let connected = words.next()? == "connected";
    // A slot that is on its way is listed once more in brackets.
    let slots = words.filter(|word| !word.starts_with('[')).map(range).collect::<Option<_>>()?;
    let trouble = ["fail", "fail?", "handshake", "noaddr"].iter().any(|flag| flags.contains(flag));
    let itself = flags.contains(&"myself");
    Some(Member { id, port, primary, epoch, well: !trouble && (connected || itself), itself, slots })
}

fn range(word: &str) -> Option<(u16, u16)> {
    let (from, to) = word.split_once('-').unwrap_or((word, word));
    Some((from.parse().ok()?, to.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{Member, parse};

    #[test]
    fn lines_are_read() {
        let member = parse(
            "07c3 127.0.0.1:30004@31004 myself,master - 0 1426238317239 4 connected 0-5460 7000 [93-<-67ed]",
        )
        .unwrap();
        let slots = vec![(0, 5460), (7000, 7000)];
        let expected = Member {
            id: "07c3".into(),
            port: 30004,
            primary: None,
            epoch: 4,
            well: true,
            itself: true,
            slots,
        };
        assert_eq!(member, expected);
        assert!(member.has(5460) && member.has(7000) && !member.has(5461) && member.has_slots());
        assert_eq!(parse("07c3 :0@0 master"), None);
    }

    #[test]
    fn the_latest_of_several_keepers_counts() {
        let member = |port: u16, epoch: u16, slots: &str| {
            parse(&format!("07c3 127.0.0.1:{port}@2 myself,master - 0 0 {epoch} connected {slots}")).unwrap()
        };
        let members = vec![member(1, 3, "0-9"), member(2, 7, "0-9"), member(3, 9, "10-19")];
        assert_eq!(Member::keeper(members.clone(), 9).map(|member| member.port), Some(2));
        assert_eq!(Member::keeper(members, 20), None);
    }

    #[test]
    fn trouble_is_seen() {
        for (flags, link, well) in [
            ("slave", "connected", true),
            ("slave", "disconnected", false),
            ("slave,fail", "connected", false),
            ("slave,fail?", "connected", false),
            ("handshake", "connected", false),
        ] {
            let member = parse(&format!("07c3 127.0.0.1:1@2 {flags} 67ed 0 0 4 {link}")).unwrap();
            assert_eq!(member.well, well, "{flags} {link}");
            assert_eq!(member.primary.as_deref(), Some("67ed"));
            assert!(!member.has_slots());
        }
    }
}
