//! A form that carries its session's token.

use std::borrow::Cow;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::IntoResponse;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::extract::Session;

/// A form whose field `csrf_token` is a token of the request's session, and what else it holds.
///
/// It extracts the session, checks the token with
/// [`verify_csrf_token`](cloakroom_core::Session::verify_csrf_token), and only then reads `T`; a handler that
/// takes it does not run for a form that another site, or a page of another session, has sent. `T` need not have
/// the field, and must not deny fields that it does not know. The form comes as
/// `application/x-www-form-urlencoded` in the body, never in the address; axum's
/// [`DefaultBodyLimit`](axum::extract::DefaultBodyLimit) applies. It is read as UTF-8, whatever its `charset` says.
/// For other bodies call `verify_csrf_token`.
///
/// ```
/// use axum::{Router, routing::get};
/// use axum::response::Html;
/// use cloakroom_axum::{CsrfForm, Result, Session};
///
/// #[derive(serde::Deserialize)]
/// struct Name {
///     name: String,
/// }
///
/// async fn page(session: Session) -> Result<Html<String>> {
///     let token = session.csrf_token()?;
///     Ok(Html(format!(
///         r#"<form method="post"><input type="hidden" name="csrf_token" value="{token}"><input name="name"></form>"#
///     )))
/// }
///
/// async fn rename(session: Session, CsrfForm(form): CsrfForm<Name>) -> Result<()> {
///     session.set("name", &form.name)?;
///     Ok(())
/// }
///
/// let app = Router::<()>::new().route("/name", get(page).post(rename));
/// # let _ = app;
/// # Ok::<(), cloakroom_axum::Error>(())
/// ```
///
/// # Errors
///
/// As an extractor: `403` for a token that is missing, stands twice or is not of this session; `415` for another
/// type of body, `413` for one that is too large, `400` for one that broke off, `422` for fields that are not those of `T`; and those of
/// [`Session`].
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "it is taken apart in the arguments of handlers")]
pub struct CsrfForm<T>(pub T);

impl<S, T> FromRequest<S> for CsrfForm<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        let (mut parts, body) = request.into_parts();
        let session = Session::from_request_parts(&mut parts, state).await?;
        let media_type = parts.headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
        if !media_type.is_some_and(is_form) {
            return Err(Error::bad_form(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        let body = Bytes::from_request(Request::from_parts(parts, body), state)
            .await
            .map_err(|rejection| Error::bad_form(rejection.into_response().status()))?;
        session.verify_csrf_token(token(&body).as_bytes())?;
        serde_urlencoded::from_bytes(&body)
            .map(Self)
            .map_err(|_| Error::bad_form(StatusCode::UNPROCESSABLE_ENTITY))
    }
}

fn is_form(media_type: &[u8]) -> bool {
    let essence = media_type.split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}

/// The one token in a form; nothing, which is no token, if there is none or more than one.
fn token(body: &[u8]) -> Cow<'_, str> {
    let mut tokens = form_urlencoded::parse(body).filter(|(name, _)| name == FIELD).map(|(_, value)| value);
    tokens.next().filter(|_| tokens.next().is_none()).unwrap_or_default()
}

/// The field of a form that holds the token.
const FIELD: &str = "csrf_token";
