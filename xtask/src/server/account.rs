//! Who a server runs as.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::{fs, io};

use crate::{Error, Result};

/// The accounts that root lends to servers which refuse to run as root, by preference.
const LENT: [&str; 2] = ["postgres", "nobody"];

/// An account without privileges: another one for root, our own for everybody else.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Account {
    /// Our own.
    Own,
    /// Another one, by user and group id.
    Lent(u32, u32),
}

impl Account {
    pub(super) fn unprivileged() -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Own);
        }
        let accounts = fs::read_to_string("/etc/passwd").map_err(Error::io("cannot read /etc/passwd"))?;
        LENT.iter()
            .find_map(|name| find(&accounts, name))
            .ok_or_else(|| Error::new(format!("none of the accounts {} exists", LENT.join(", "))))
    }

    /// Lets a command run as this account.
    pub(super) fn lend_to(self, command: &mut Command) {
        if let Self::Lent(user, group) = self {
            command.uid(user).gid(group);
        }
    }

    /// Gives a file or directory to this account, without what it contains.
    pub(super) fn give(self, path: &Path) -> Result<()> {
        let given = match self {
            Self::Own => Ok::<(), io::Error>(()),
            Self::Lent(user, group) => chown(path, Some(user), Some(group)),
        };
        given.map_err(Error::io(format!("cannot give {} away", path.display())))
    }
}

/// Finds an account in lines like `postgres:x:101:104:…`.
fn find(accounts: &str, name: &str) -> Option<Account> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        let (user, group) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(Account::Lent(user, group))
    })
}

#[cfg(test)]
mod tests {
    use super::{Account, find};

    #[test]
    fn accounts_are_found_by_their_whole_name() {
        let accounts =
            "root:x:0:0:root:/root:/bin/bash\npostgres2:x:7:7::/:/bin/sh\npostgres:x:101:104:P:/:/bin/sh\n";
        assert_eq!(find(accounts, "postgres"), Some(Account::Lent(101, 104)));
        assert_eq!(find(accounts, "nobody"), None);
        assert_eq!(find("postgres:x:many:104:", "postgres"), None);
    }
}
