//! Signing in through the App: whoever comes back with a code is the person who gave it.

use gander::app::egress_to;
use gander::egress::PrivateAddresses;
use gander::forge::{SignIn, identify};
use url::Url;

use super::setup::web::Browser;
use super::world::{World, off_by_one};

const VERIFIER: &str = "0123456789abcdef0123456789abcdef0123456789abcdef";

fn callback() -> Url {
    "http://127.0.0.1:9/signed-in".parse().unwrap()
}

fn client(w: &World) -> SignIn {
    let (api, web) = (w.emulator.api_url(), w.emulator.web_url());
    w.emulator.set_callback_urls(w.app.app_id, vec![callback()]);
    SignIn {
        egress: egress_to([api.clone(), web.clone()], PrivateAddresses::AllowLoopback).unwrap(),
        api,
        web,
        client_id: w.app.client_id.clone(),
        client_secret: w.app.client_secret.clone().into(),
    }
}

/// Goes to GitHub's page, says yes where it asks, and stops before it would be led back: the code.
async fn code_of(w: &World, login: &str, address: &Url) -> String {
    w.emulator.sign_in(Some(login));
    let mut browser = Browser::staying_at(&w.emulator.web_url());
    let mut page = browser.open(address.as_str()).await;
    if page.html.contains("<button>Authorize") {
        page = browser.send(&page, "/login/oauth/authorize", &[]).await;
    }
    assert!(page.url.as_str().starts_with(callback().as_str()), "{}: {}", page.url, page.text());
    let pairs: Vec<(String, String)> = page.url.query_pairs().into_owned().collect();
    assert_eq!(pairs[1], ("state".to_owned(), "mine".to_owned()));
    pairs[0].1.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_exchanged_once_for_the_person_who_gave_it_and_the_token_is_gone() {
    let w = World::with_project(off_by_one()).await;
    let client = client(&w);
    let address = client.address(&callback(), "mine", VERIFIER);
    assert!(!address.as_str().contains(VERIFIER), "{address}");
    for login in ["mona", "hubot-fan", "mona"] {
        let code = code_of(&w, login, &address).await;
        let person = identify(&client, &callback(), VERIFIER, &code).await.unwrap();
        assert_eq!((person.login.as_str(), person.person), (login, true));
        let used = identify(&client, &callback(), VERIFIER, &code).await.unwrap_err().to_string();
        assert!(used.contains("The code passed is incorrect or expired"), "{used}");
        assert!(!used.contains(&code) && !used.contains(&w.app.client_secret), "{used}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_worth_nothing_to_whoever_has_not_the_verifier_the_secret_or_the_address() {
    let w = World::with_project(off_by_one()).await;
    let client = client(&w);
    let address = client.address(&callback(), "mine", VERIFIER);
    let other: Url = "http://127.0.0.1:9/elsewhere".parse().unwrap();
    let thief = SignIn { client_secret: "0123456789".to_owned().into(), ..client.clone() };
    for (who, redirect, verifier, says) in [
        (&client, callback(), VERIFIER.replace('0', "1"), "incorrect or expired"),
        (&client, other.clone(), VERIFIER.to_owned(), "incorrect or expired"),
        (&thief, callback(), VERIFIER.to_owned(), "client_secret passed are incorrect"),
    ] {
        let code = code_of(&w, "mona", &address).await;
        let refused = identify(who, &redirect, &verifier, &code).await.unwrap_err().to_string();
        assert!(refused.contains(says), "{refused}");
    }
    // Ten minutes are enough for a click.
    let code = code_of(&w, "mona", &address).await;
    w.now.fetch_add(601_000, std::sync::atomic::Ordering::SeqCst);
    assert!(identify(&client, &callback(), VERIFIER, &code).await.is_err());
    // GitHub leads nobody to an address that is not the App's.
    let mut browser = Browser::default();
    let page = browser.open(client.address(&other, "mine", VERIFIER).as_str()).await;
    assert_eq!(page.status, 400, "{}", page.text());
}
