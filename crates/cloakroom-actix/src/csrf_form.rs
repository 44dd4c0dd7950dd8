//! A form that carries its session's token.

use std::borrow::Cow;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::extract::Session;

/// A form whose field `csrf_token` is a token of the request's session, and what else it holds.
///
/// It extracts the session, checks the token with
/// [`verify_csrf_token`](cloakroom_core::Session::verify_csrf_token), and only then reads `T`; a handler that
/// takes it does not run for a form that another site, or a page of another session, has sent. `T` need not have
/// the field, and must not deny fields that it does not know. The form comes as
/// `application/x-www-form-urlencoded` in the body, never in the address; the limit of
/// [`PayloadConfig`](actix_web::web::PayloadConfig) applies, after decompression where the application's
/// actix-web has it. It is read as UTF-8, whatever its `charset` says. For other bodies call `verify_csrf_token`.
///
/// ```
/// use actix_web::web::{self, Html};
/// use cloakroom_actix::{CsrfForm, Result, Session};
///
/// #[derive(serde::Deserialize)]
/// struct Name {
///     name: String,
/// }
///
/// async fn page(session: Session) -> Result<Html> {
///     let token = session.csrf_token()?;
///     Ok(Html::new(format!(
///         r#"<form method="post"><input type="hidden" name="csrf_token" value="{token}"><input name="name"></form>"#
///     )))
/// }
///
/// async fn rename(session: Session, CsrfForm(form): CsrfForm<Name>) -> Result<String> {
///     session.set("name", &form.name)?;
///     Ok(form.name)
/// }
///
/// let app = actix_web::App::new()
///     .service(web::resource("/name").route(web::get().to(page)).route(web::post().to(rename)));
/// # let _ = app;
/// # Ok::<(), cloakroom_actix::Error>(())
/// ```
///
/// # Errors
///
/// As an extractor: `403` for a token that is missing, stands twice or is not of this session; `415` for another
/// type of body, `413` for one that is too large, `400` for one that broke off, `422` for fields that are not
/// those of `T`; and those of [`Session`].
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "it is taken apart in the arguments of handlers")]
pub struct CsrfForm<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for CsrfForm<T> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let session = Session::from_request(request, payload);
        let is_form = request.headers().get(CONTENT_TYPE).is_some_and(|value| is_form(value.as_bytes()));
        let body = Bytes::from_request(request, payload);
        Box::pin(async move {
            let session = session.await?;
            if !is_form {
                return Err(Error::bad_form(StatusCode::UNSUPPORTED_MEDIA_TYPE));
            }
            let body =
                body.await.map_err(|error| Error::bad_form(error.as_response_error().status_code()))?;
            session.verify_csrf_token(token(&body).as_bytes())?;
            serde_urlencoded::from_bytes(&body)
                .map(Self)
                .map_err(|_| Error::bad_form(StatusCode::UNPROCESSABLE_ENTITY))
        })
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
