//! Keeps packages from starting services while they are installed.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::command::step;
use crate::{Error, Result};

/// What Debian's packages ask before they start a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";
/// Denies everything.
const DENY: &str = "#!/bin/sh\nexit 101\n";

/// While this value lives, a package that is installed starts no service.
#[derive(Debug)]
pub(super) struct NoServices {
    /// The policy that goes with this value; none where the machine has one of its own.
    ours: Option<PathBuf>,
}

impl NoServices {
    pub(super) fn declare() -> Result<Self> {
        Self::declare_at(Path::new(POLICY))
    }

    fn declare_at(policy: &Path) -> Result<Self> {
        if policy.exists() {
            step::say(&format!("whether a package starts its service is for {} to say", policy.display()));
            return Ok(Self { ours: None });
        }
        let cannot = || Error::io(format!("cannot write {}", policy.display()));
        fs::write(policy, DENY).map_err(cannot())?;
        let declared = Self { ours: Some(policy.to_owned()) };
        fs::set_permissions(policy, Permissions::from_mode(0o755)).map_err(cannot())?;
        step::say(&format!(
            "no package starts a service: {} stands until they are installed",
            policy.display()
        ));
        Ok(declared)
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if let Some(policy) = &self.ours {
            let _ = fs::remove_file(policy);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::NoServices;

    #[test]
    fn services_are_denied_until_the_end_and_a_policy_of_the_machine_stays() {
        let policy = std::env::temp_dir().join(format!("cloakroom-policy-{}", std::process::id()));
        let declared = NoServices::declare_at(&policy).unwrap();
        assert!(crate::install::is_program(&policy));
        assert_eq!(Command::new("/bin/sh").arg(&policy).status().unwrap().code(), Some(101));
        drop(declared);
        assert!(!policy.exists());

        fs::write(&policy, "the machine's own").unwrap();
        drop(NoServices::declare_at(&policy).unwrap());
        assert_eq!(fs::read_to_string(&policy).unwrap(), "the machine's own");
        fs::remove_file(&policy).unwrap();
    }
}
