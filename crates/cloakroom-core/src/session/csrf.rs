//! The token that a session's forms carry, against forged requests.

use cloakroom_codec::CsrfSeed;

use super::Session;
use crate::change::Change;
use crate::csrf_seed;
use crate::error::{Error, ErrorKind, Result};
use crate::live::Place;

impl Session {
    /// A token for a hidden field of the session's forms, in 50 characters that need no escaping in HTML.
    ///
    /// Only pages of this session can hold one, so that a form that brings it back came from one of them. It
    /// is good until the next [`authenticate`](Self::authenticate), [`rotate`](Self::rotate) or
    /// [`logout`](Self::logout) is stored, and outlives renewals. Each call gives another text, and all of them
    /// are good: what compression tells of a page's length tells nothing about them (BREACH). Ask after
    /// `authenticate` and `rotate`, not before. No cache may keep the page; none does, unless
    /// [`danger_shared_cache`](crate::SessionManagerBuilder::danger_shared_cache) was said.
    ///
    /// **It begins a session for a visitor who has none**, which costs a record and a cookie. Pages that
    /// everybody sees do without, and so does a login form: [`CsrfPolicy`](crate::CsrfPolicy) protects them. It
    /// follows the OWASP cheat sheet on cross-site request forgery (HMAC based, bound to the session).
    ///
    /// ```
    /// let session = cloakroom_core::testing::session(|session| session.authenticate("ada"))?;
    /// let field = format!(r#"<input type="hidden" name="csrf_token" value="{}">"#, session.csrf_token()?);
    /// # let _ = field;
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Other`] if the operating system gives no random bytes; where it has to begin a session,
    /// those of any write.
    pub fn csrf_token(&self) -> Result<String> {
        let seed = match self.kept_csrf_seed() {
            Some(seed) => seed,
            None => self.sow()?,
        };
        Ok(self.0.manager.keys.write_csrf_token(&seed)?)
    }

    /// Vouches that `token` was given out by [`csrf_token`](Self::csrf_token) for this session as it is now.
    ///
    /// Ask before anything else is done with the request, `authenticate` included: what is checked is the
    /// session as the handler sees it. It takes the same time wherever a token of the right length is wrong.
    ///
    /// ```
    /// use cloakroom_core::ErrorKind;
    ///
    /// let session = cloakroom_core::testing::session(|_| Ok(()))?;
    /// let token = session.csrf_token()?;
    /// session.verify_csrf_token(&token)?;
    ///
    /// session.authenticate("ada")?;
    /// let refused = session.verify_csrf_token(&token).map_err(|error| error.kind());
    /// assert_eq!(refused, Err(ErrorKind::CrossSite));
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CrossSite`], whatever is wrong with it: nothing of the request should be done. A page that
    /// was open in another tab during a login or a logout ends here too: ask its user to load it again.
    pub fn verify_csrf_token(&self, token: impl AsRef<[u8]>) -> Result<()> {
        let seed = self.kept_csrf_seed();
        let keys = &self.0.manager.keys;
        let checked = seed.and_then(|seed| keys.check_csrf_token(&seed, token.as_ref()).ok());
        checked.ok_or_else(|| {
            Error::with_detail(ErrorKind::CrossSite, "the token of the form is not one of this session now")
        })
    }
    fn kept_csrf_seed(&self) -> Option<CsrfSeed> {
        let live = self.0.live();
        csrf_seed::of(live.seen()).filter(|_| !live.is_over())
    }

    /// Gives the session its seed.
    fn sow(&self) -> Result<CsrfSeed> {
        let seed = CsrfSeed::random()?;
        let mut live = self.0.live();
        if matches!(live.place, Place::Overtaken) {
            // Another request of this client rotated the session, and brings it the token that can send forms.
            // This page is shown all the same; its forms are not accepted.
            return Ok(seed);
        }
        live.check_open()?;
        // Another handle of this request may have been quicker.
        if let Some(kept) = csrf_seed::of(live.seen()) {
            return Ok(kept);
        }
        live.note(Change::Sow { seed });
        Ok(seed)
    }
}
