//! What caches may do with a response that depends on a session.

use std::borrow::Cow;

/// How far a response may travel, the freest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CacheRule {
    /// As the handler says.
    Free,
    /// Kept by the visitor's own browser only.
    Private,
    /// Kept by nobody.
    NoStore,
}

/// What `Cache-Control` becomes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CacheChange {
    /// The handler's own headers are at least as strict.
    Keep,
    /// These directives take their place. `widened` says that the handler had allowed shared caches.
    Set { value: Cow<'static, str>, handler_allowed_sharing: bool },
}

/// Makes the handler's `Cache-Control` lines at least as strict as `rule`.
pub(crate) fn restrict(rule: CacheRule, lines: &[String]) -> CacheChange {
    let directives: Vec<&str> = lines
        .iter()
        .flat_map(|line| split_outside_quotes(line))
        .map(str::trim)
        .filter(|d| !d.is_empty())
        .collect();
    let has = |name: &str| directives.iter().any(|d| name_of(d).eq_ignore_ascii_case(name));
    // `private="Set-Cookie"` covers a field alone, so only the bare directive counts.
    let has_bare = |name: &str| directives.iter().any(|d| d.eq_ignore_ascii_case(name));
    let handler_allowed_sharing = has("public") || has("s-maxage");
    if has_bare("no-store") {
        return CacheChange::Keep;
    }
    match rule {
        CacheRule::Free => CacheChange::Keep,
        CacheRule::Private if has_bare("private") && !handler_allowed_sharing => CacheChange::Keep,
        CacheRule::Private => {
            let mut value = Cow::Borrowed("private");
            for directive in directives {
                let name = name_of(directive);
                let dropped = ["public", "s-maxage", "private", "proxy-revalidate"];
                if !dropped.iter().any(|d| d.eq_ignore_ascii_case(name)) {
                    value += ", ";
                    value.to_mut().push_str(directive);
                }
            }
            CacheChange::Set { value, handler_allowed_sharing }
        }
        CacheRule::NoStore => CacheChange::Set { value: Cow::Borrowed("no-store"), handler_allowed_sharing },
    }
}

fn name_of(directive: &str) -> &str {
    directive.split('=').next().unwrap_or(directive).trim()
}

fn split_outside_quotes(line: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    line.split(move |c| {
        if c == '"' {
            quoted = !quoted;
        }
        c == ',' && !quoted
    })
}

/// The value of `Vary` with `name` in it; `None` when it is there already.
pub(crate) fn vary<'n>(lines: &[String], name: &'n str) -> Option<Cow<'n, str>> {
    let names: Vec<&str> =
        lines.iter().flat_map(|line| line.split(',')).map(str::trim).filter(|n| !n.is_empty()).collect();
    if names.is_empty() {
        return Some(Cow::Borrowed(name));
    }
    if names.iter().any(|known| *known == "*" || known.eq_ignore_ascii_case(name)) {
        return None;
    }
    Some(Cow::Owned(format!("{}, {name}", names.join(", "))))
}
