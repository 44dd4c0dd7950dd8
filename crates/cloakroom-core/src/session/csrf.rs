//! The token that a session's forms carry, against forged requests.

use cloakroom_codec::{CsrfBinding, random_array};

use super::Session;
use crate::change::Change;
use crate::error::{Error, ErrorKind, Result};
use crate::form;
use crate::live::Place;

impl Session {
    /// A token for a hidden field of the session's forms, in 50 characters that need no escaping in HTML.
    ///
    /// Only pages of this session can hold one, so that a form that brings it back came from one of them. It
    /// is good until the session ends, or somebody logs in or [rotates](Self::rotate) it, and outlives renewals.
    /// Ask after `authenticate` and `rotate`, not before. Each call gives another text, and all of them are good:
    /// what compression tells of a page's length tells nothing about them (BREACH). The response becomes
    /// `no-store`, unless it has begun already. It costs no store call where there is a session.
    ///
    /// **For a visitor without a session it begins one**, as a write does: it costs a record, and the response
    /// sets a cookie. If another request of the same visitor begins one at the same time, or logs in, the cookie
    /// that arrives last stays. So leave it out of pages that strangers see, a login form among them:
    /// [`CsrfPolicy`](crate::CsrfPolicy) protects those. It follows the OWASP cheat sheet on cross-site request
    /// forgery (HMAC based, bound to the session).
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
    /// [`ErrorKind::Other`] if the operating system gives no random bytes. Where it begins a session, those of
    /// any write, and the commit can fail as after one. A request whose session another one has just rotated
    /// gets a token that is never good, so that its page is shown.
    pub fn csrf_token(&self) -> Result<String> {
        let binding = self.form_binding()?;
        Ok(self.0.manager.keys.write_csrf_token(&binding)?)
    }

    /// Vouches that `token` was given out by [`csrf_token`](Self::csrf_token) for this session as it is now.
    ///
    /// Ask before anything else is done with the request, `authenticate` included: what is checked is the
    /// session as this handle sees it, loaded with its request. The MAC is compared in constant time.
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
    /// assert_eq!(refused, Err(ErrorKind::StaleForm));
    /// # Ok::<(), cloakroom_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::StaleForm`], whatever is wrong with it: nothing of the request should be done. A page that
    /// was open in another tab during a login or a logout ends here too: ask its user to load it again.
    pub fn verify_csrf_token(&self, token: impl AsRef<[u8]>) -> Result<()> {
        let binding = form::binding(&self.0.live());
        let keys = &self.0.manager.keys;
        let checked = binding.and_then(|binding| keys.check_csrf_token(&binding, token.as_ref()).ok());
        checked.ok_or_else(|| Error::new(ErrorKind::StaleForm))
    }

    /// What a form that is being written is bound to.
    fn form_binding(&self) -> Result<CsrfBinding> {
        let mut live = self.0.live();
        live.has_form = true;
        if let Some(binding) = form::binding(&live) {
            return Ok(binding);
        }
        let fresh = random_array()?;
        let is_login = live.changes.iter().any(Change::is_authentication);
        if matches!(live.place, Place::Overtaken) && !is_login {
            return Ok(CsrfBinding::new(fresh, 0));
        }
        live.check_open()?;
        live.note(Change::NameForForms { fresh });
        Ok(CsrfBinding::new(fresh, live.seen().generation))
    }
}
