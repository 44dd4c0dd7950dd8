//! A cache in front of everybody.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use tokio::task::JoinSet;

use crate::visitor::{Seen, Visitor};
use crate::{Error, Fleet, Result};

/// How many pages each visitor looks at.
const PAGES: u64 = 60;

/// What a page is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    /// Nobody: the same for all.
    All(&'static str),
    /// The visitor's own session, as `GET /session` tells it.
    Session,
    /// A value that only one visitor has.
    Mark,
    /// Who the visitor is, and its mark.
    Both,
    /// The visitor's own messages.
    Messages,
    /// The list of the visitor's own sessions.
    List,
}

/// The pages, and under some of their names several.
const PLACES: [(&str, About); 13] = [
    ("/untouched", About::All("ok")),
    ("/healthz", About::All("ok")),
    ("/cached", About::All("public")),
    ("/cached?page=2", About::All("public")),
    ("/session", About::Session),
    ("/session?page=2", About::Session),
    ("/value/mark", About::Mark),
    ("/cached/read", About::Both),
    ("/cached/read?page=2", About::Both),
    ("/cached/write", About::Both),
    ("/cached/write?page=2", About::Both),
    ("/flash", About::Messages),
    ("/sessions", About::List),
];

/// What the cache did.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SharedCache {
    /// How many pages were looked at that are the same for all.
    pub public: u64,
    /// How many of those came from the cache.
    pub public_from_the_cache: u64,
    /// How many pages were looked at that depend on a session.
    pub own: u64,
    /// How many cookies were given out.
    pub cookies: u64,
    /// How many visitors there were.
    pub visitors: usize,
}

/// Who looks.
#[derive(Clone, Debug)]
struct Looker {
    visitor: Visitor,
    /// What only this one has; none for those who never logged in.
    mark: Option<String>,
}

/// All that was seen of all visitors.
#[derive(Debug, Default)]
struct Seens {
    counts: SharedCache,
    /// Whose each cookie is.
    cookies: BTreeMap<String, String>,
}

/// Lets visitors, some of them logged in, look at the same pages through the cache in ever different orders.
///
/// # Errors
///
/// Somebody gets a page or a cookie of somebody else, or a page that depends on a session comes from the cache; or no public
/// page does, so that nothing was proved.
///
/// # Cancel safety
///
/// A dropped call leaves visitors logged in.
pub async fn shared_cache(fleet: &Fleet) -> Result<SharedCache> {
    let (mut lookers, seens) = (Vec::new(), Arc::<Mutex<Seens>>::default());
    for name in ["ada", "bob", "cyd", "dee"] {
        let visitor = Visitor::called(name, fleet)?;
        let mark = format!("mark of {}", visitor.name());
        let login = visitor.log_in().await?;
        visitor.ask("PUT", "/value/mark", Some(&json!(mark).to_string()), 204).await?;
        let looker = Looker { visitor, mark: Some(mark) };
        looker.judge_cookies("/login", &login, &seens)?;
        lookers.push(looker);
    }
    for _ in 0..2 {
        lookers.push(Looker { visitor: Visitor::called("nobody", fleet)?, mark: None });
    }
    let mut looking = JoinSet::new();
    for (looker, number) in lookers.iter().zip(1_u64..) {
        let (looker, others, seens) = (looker.clone(), others(&lookers, looker), Arc::clone(&seens));
        looking.spawn(async move { looker.look(number, &others, &seens).await });
    }
    while let Some(looked) = looking.join_next().await {
        looked.map_err(|error| Error::trouble(format!("a visitor got stuck: {error}")))??;
    }
    for looker in lookers.iter().filter(|looker| looker.mark.is_some()) {
        looker.visitor.log_out().await?;
    }
    let mut counts = seens.lock().unwrap_or_else(PoisonError::into_inner).counts;
    counts.visitors = lookers.len();
    if counts.public_from_the_cache == 0 {
        return Error::broken(format!(
            "of {} public pages none came from the cache: it keeps nothing, so that nothing was proved",
            counts.public
        ));
    }
    Ok(counts)
}

/// What only the others have.
fn others(lookers: &[Looker], looker: &Looker) -> Vec<String> {
    let others = lookers.iter().filter(|other| other.visitor.name() != looker.visitor.name());
    others.map(|other| other.visitor.name().to_owned()).collect()
}

impl Looker {
    async fn look(&self, number: u64, others: &[String], seens: &Mutex<Seens>) -> Result<()> {
        // Another order for each of them, and the same one in each run.
        let mut at = number;
        for _ in 0..PAGES {
            at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let place = usize::try_from(at >> 33).unwrap_or_default() % PLACES.len();
            let Some((path, about)) = PLACES.get(place).copied() else { continue };
            match (about, &self.mark) {
                (About::Messages, Some(_)) => {
                    let message = json!(format!("for {}", self.visitor.name())).to_string();
                    let seen = self.visitor.ask("PUT", "/flash", Some(&message), 204).await?;
                    self.judge_cookies("/flash", &seen, seens)?;
                }
                // A cookie for everybody: another one, or the first.
                (About::Both, Some(_)) => {
                    let seen = self.visitor.ask("POST", "/rotate", None, 204).await?;
                    self.judge_cookies("/rotate", &seen, seens)?;
                }
                (About::Both, None) => self.visitor.forget(),
                _ => {}
            }
            let seen = self.visitor.try_to("GET", path, None).await;
            let seen = seen.map_err(|error| Error::trouble(format!("GET {path} got no answer: {error}")))?;
            self.judge(path, about, &seen, others)?;
            self.judge_cookies(path, &seen, seens)?;
            count(about, &seen, seens);
        }
        Ok(())
    }

    /// Wants the page to be this visitor's, and not from the cache if it is somebody's.
    fn judge(&self, path: &str, about: About, seen: &Seen, others: &[String]) -> Result<()> {
        let name = self.visitor.name();
        let told = || format!("GET {path} of {name} was answered {} {:?}", seen.status, seen.body);
        if let Some(other) = others.iter().find(|other| seen.body.contains(other.as_str())) {
            return Error::broken(format!("{}, which is the page of {other}", told()));
        }
        let is_hit = seen.cache.as_deref().is_some_and(|cache| cache != "MISS");
        if is_hit && !matches!(about, About::All(_)) {
            return Error::broken(format!("{} from the cache", told()));
        }
        if is_hit && !seen.cookies.is_empty() {
            return Error::broken(format!("{} with a cookie from the cache", told()));
        }
        let principal = self.mark.as_ref().map(|_| name);
        let is_mine = match about {
            About::All(body) => seen.status == 200 && seen.body == body,
            About::Session => {
                seen.status == 200 && seen.member("principal").is_some_and(|own| own == json!(principal))
            }
            About::Mark => match &self.mark {
                Some(mark) => seen.status == 200 && seen.is_json(&json!(mark)),
                None => seen.status == 404,
            },
            About::Both => {
                let page = json!({ "principal": principal, "mark": self.mark });
                seen.status == 200 && seen.is_json(&page)
            }
            About::Messages => {
                let messages = principal.map(|name| format!("for {name}"));
                seen.status == 200 && seen.is_json(&json!(Vec::from_iter(messages)))
            }
            // What is in it is for `others` to say, and some stores have no list.
            About::List => matches!((seen.status, principal), (200, Some(_)) | (401, None) | (501, _)),
        };
        if is_mine { Ok(()) } else { Error::broken(format!("{}, which is not its own page", told())) }
    }

    /// Wants the cookies to be nobody else's.
    fn judge_cookies(&self, path: &str, seen: &Seen, seens: &Mutex<Seens>) -> Result<()> {
        let mut seens = seens.lock().unwrap_or_else(PoisonError::into_inner);
        for cookie in &seen.cookies {
            let owner = seens.cookies.entry(cookie.clone()).or_insert_with(|| self.visitor.name().to_owned());
            if owner != self.visitor.name() {
                return Error::broken(format!(
                    "{path} gave the cookie of {owner} to {}",
                    self.visitor.name()
                ));
            }
            seens.counts.cookies += 1;
        }
        Ok(())
    }
}

fn count(about: About, seen: &Seen, seens: &Mutex<Seens>) {
    let counts = &mut seens.lock().unwrap_or_else(PoisonError::into_inner).counts;
    match about {
        About::All(_) => {
            counts.public += 1;
            counts.public_from_the_cache += u64::from(seen.cache.as_deref() == Some("HIT"));
        }
        _ => counts.own += 1,
    }
}

impl fmt::Display for SharedCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { public, public_from_the_cache, own, cookies, visitors } = self;
        writeln!(
            f,
            "{visitors} visitors looked at {public} public pages, {public_from_the_cache} of them from the cache"
        )?;
        write!(
            f,
            "{own} pages of a session, 0 of them from the cache; {cookies} cookies, 0 of them to somebody else"
        )
    }
}
