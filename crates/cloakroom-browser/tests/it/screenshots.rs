//! What the pages of the accounts look like, kept as pictures.

use std::fs;
use std::path::PathBuf;

use cloakroom_browser::{Browser, Colours, Site, Width};

use crate::accounts::{Accounts, PASSWORD};
use crate::driver::Driver;
use crate::findings::Findings;
use crate::program;

/// The screens that every page is shown on.
const SCREENS: [(Width, Colours); 4] = [
    (Width::Phone, Colours::Light),
    (Width::Desk, Colours::Light),
    (Width::Phone, Colours::Dark),
    (Width::Desk, Colours::Dark),
];
/// A page has letters, and their edges have shades; an empty page has one colour.
const COLOURS: usize = 16;

/// Where the pictures of a run are kept, and nothing of an earlier one.
fn album() -> PathBuf {
    let album = program::artefacts().join("screenshots");
    if album.exists() {
        fs::remove_dir_all(&album).expect("the pictures of the last run can be removed");
    }
    fs::create_dir_all(&album).expect("a directory for pictures");
    album
}

/// Shows the page that is there on every screen, keeps a picture of each, and says what is wrong with them.
async fn examine(browser: &Browser, name: &str, album: Option<&PathBuf>) -> Findings {
    let mut found = Findings::default();
    for (width, colours) in SCREENS {
        browser.show_on(width, colours).await;
        let screen = format!("{name}-{}-{}", width.pixels(), colours.name());
        let (inner, scroll): (u32, u32) =
            browser.run("return [innerWidth, document.documentElement.scrollWidth]").await;
        // A phone lays a page that does not fit out for a wider screen.
        found.demand(inner == width.pixels(), || format!("{screen}: laid out for {inner} pixels"));
        found.demand(scroll <= inner, || {
            format!("{screen}: {scroll} pixels wide, so that it has to be pushed aside")
        });
        let picture = browser.picture(width).await;
        found.demand(picture.width() == width.pixels(), || {
            format!("{screen}: a picture of {}", picture.width())
        });
        found.demand(picture.colours() >= COLOURS, || format!("{screen}: {} colours", picture.colours()));
        if let Some(album) = album {
            fs::write(album.join(format!("{screen}.png")), picture.file()).expect("it can be written");
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium: run `cargo xtask test`"]
async fn every_page_of_the_accounts_fits_on_a_phone_and_a_desk() {
    let driver = Driver::start();
    let accounts = Accounts::start(&driver).await;
    let album = album();
    let (browser, other) = (driver.browser().await, driver.browser_of("other").await);
    let picture = async |name: &str| {
        let found = examine(&browser, name, Some(&album)).await;
        found.none(&format!("accounts: {name} at 390 and 1280 pixels, light and dark"));
    };
    let show = async |name: &str, path: &str| {
        browser.visit(&accounts.url(path)).await;
        assert_eq!(browser.url().await, accounts.url(path), "{name} is shown, and nothing in its place");
        picture(name).await;
    };
    for (name, path) in
        [("welcome", "/"), ("sign-up", "/sign-up"), ("sign-in", "/sign-in"), ("not-found", "/no-such")]
    {
        show(name, path).await;
    }
    browser.visit(&accounts.url("/sign-in")).await;
    browser.fill("#sign-in-form [name=name]", "Nobody").await;
    browser.fill("#sign-in-form [name=password]", PASSWORD).await;
    browser.click("#sign-in").await;
    browser.until("document.querySelector('#error')").await;
    picture("sign-in-refused").await;

    accounts.sign_up(&browser, "Augusta Ada King-Noel, Countess of Lovelace").await;
    picture("home").await;
    accounts.sign_in(&other, "Augusta Ada King-Noel, Countess of Lovelace", PASSWORD, true).await;
    show("notes-none", "/notes").await;
    let endless = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft";
    for text in
        ["Umbrella in the hall", "Give the grey hat back to Charles before the end of the week", endless]
    {
        accounts.add_note(&browser, text).await;
    }
    picture("notes").await;
    for (name, path) in [
        ("devices", "/devices"),
        ("account", "/account"),
        ("password", "/account/password"),
        ("confirm", "/confirm?next=delete-account"),
        ("delete", "/account/delete"),
    ] {
        show(name, path).await;
    }
    other.close().await;
    browser.close().await;
    println!("kept: {}", album.display());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium: run `cargo xtask test`"]
async fn a_page_that_is_empty_or_does_not_fit_is_found() {
    let driver = Driver::start();
    let browser = driver.browser().await;
    let site = Site::start().await;
    let fits = "<meta name=viewport content='width=device-width, initial-scale=1'>";
    let text = "<p>Where did I put my coat?";
    for (page, finding, planted) in [
        (fits.to_owned(), "1 colours", "an empty page"),
        (
            format!("{fits}{text}<div style='width: 600px'>wide</div>"),
            "-390-light: laid out for 608 pixels",
            "a wide part",
        ),
        (
            format!("<title>coats</title>{text}"),
            "-390-light: laid out for 980 pixels",
            "a page made for desks alone",
        ),
    ] {
        browser.visit(&format!("http://localhost:{}{}", site.address().port(), site.put(&page))).await;
        examine(&browser, "page", None).await.some(finding, planted);
    }
    browser.close().await;
}
